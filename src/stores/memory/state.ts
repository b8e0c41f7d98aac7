/**
 * Everything that changes in a memory, and what a primitive does to it: each method is one synchronous step.
 */
import type { CacheEntry } from "../../CacheEntry.ts"
import type { Stored } from "../../services/CacheBackend.ts"
import { MemoryEntries } from "./entries.ts"
import { Markers, tagWeight } from "./markers.ts"
import { sizeOf } from "./sizeOf.ts"

/** What an entry costs beside its value, key and tags: its records, its slot in a map, its place in the ghost. */
const ENTRY_OVERHEAD = 256
/** Locks looked at for being expired, on each acquire. */
const LOCK_SWEEP = 4

const entryWeight = (key: string, entry: CacheEntry): number => {
  let weight = ENTRY_OVERHEAD + 2 * key.length + sizeOf(entry.value)
  for (const tag of entry.tags) weight += tagWeight(tag)
  return weight
}

interface Lease {
  readonly token: string
  waiters: Set<() => void> | undefined
}

interface HeldLock {
  token: string
  fence: number
  /** Monotonic milliseconds: a wall clock that is set must not free a lock. */
  expiresAt: number
}

export class MemoryState {
  epoch = 1
  fence = 0
  readonly markers: Markers
  readonly entries: MemoryEntries
  readonly leases = new Map<string, Lease>()
  readonly locks = new Map<string, HeldLock>()
  private lockCursor: IterableIterator<[string, HeldLock]> | undefined = undefined

  constructor(maxEntries: number, maxBytes: number) {
    this.markers = new Markers(Math.max(10_000, 4 * maxEntries), Math.max(65_536, Math.floor(maxBytes / 4)))
    this.entries = new MemoryEntries({
      maxEntries,
      maxWeight: maxBytes,
      onLeave: (tags) => this.markers.release(tags)
    })
  }

  /** Stores an entry. One that does not fit leaves the key empty, and counts as an eviction. */
  store(key: string, stored: Stored, ttlMillis: number, now: number): void {
    if (stored instanceof Uint8Array) throw new TypeError("a memory backend stores values, not bytes")
    // Its tags are borne before an older entry of the key lets go of them, or a shared marker would turn idle.
    this.markers.retain(stored.tags)
    if (!this.entries.set(key, stored, entryWeight(key, stored), now + ttlMillis, now))
      this.markers.release(stored.tags)
  }

  /** Adds tags to an entry; value, born and expiry stay. */
  addTags(key: string, tags: ReadonlyArray<string>, now: number): boolean {
    const before = this.entries.peek(key, now)
    if (before === undefined) return false
    const known = new Set(before.tags)
    const added = tags.filter((tag) => !known.has(tag) && known.add(tag))
    if (added.length === 0) return true
    const all = [...known]
    const weight = added.reduce((sum, tag) => sum + tagWeight(tag), this.entries.weightOf(key))
    this.markers.retain(all)
    if (this.entries.setTags(key, all, weight, now)) return true
    this.markers.release(all)
    return false
  }

  /** Ends a lease, whoever holds it, and wakes those who wait for that. */
  endLease(key: string): void {
    const lease = this.leases.get(key)
    if (lease === undefined) return
    this.leases.delete(key)
    wake(lease)
  }

  /** Takes the lease if nobody holds it. Returns who does. It never expires: its holder lives in this process. */
  acquire(key: string, token: string): string {
    const lease = this.leases.get(key)
    if (lease !== undefined) return lease.token
    this.leases.set(key, { token, waiters: undefined })
    return token
  }

  /** Stores if the lease is held with this token, and ends it. */
  fill(key: string, token: string, stored: Stored, ttlMillis: number, now: number): boolean {
    // Fence on fill: only the holder of the lease stores, and an absent lease is a lost one.
    if (!this.holds(key, token)) return false
    this.store(key, stored, ttlMillis, now)
    this.endLease(key)
    return true
  }

  release(key: string, token: string): boolean {
    if (!this.holds(key, token)) return false
    this.endLease(key)
    return true
  }

  /** Makes sure that each tag has a marker: at the epoch of now, or an invalidation that was lost with one would be undone. */
  ensure(tags: ReadonlyArray<string>): void {
    for (let i = 0; i < tags.length; i++) this.markers.ensure(tags[i]!, this.epoch)
  }

  takeOver(key: string, token: string): void {
    const lease = this.leases.get(key)
    if (lease?.token === token) return
    this.leases.set(key, { token, waiters: undefined })
    if (lease !== undefined) wake(lease)
  }

  takeOverFrom(key: string, from: string, token: string): boolean {
    if (!this.holds(key, token) && !this.holds(key, from)) return false
    this.takeOver(key, token)
    return true
  }

  holds(key: string, token: string): boolean {
    return this.leases.get(key)?.token === token
  }

  /** Removes entry and lease (protocol: dropping the lease is what stops a load in flight from storing). */
  remove(key: string, now: number): boolean {
    const there = this.entries.delete(key, now)
    this.endLease(key)
    return there
  }

  /** The epoch moves on and is not reset, so an entry from before can never look younger than what comes. */
  clear(): void {
    this.epoch++
    this.entries.clear()
    this.markers.clear()
    const leases = [...this.leases.values()]
    this.leases.clear()
    for (const lease of leases) wake(lease)
  }

  acquireLock(name: string, token: string, expiresAt: number, now: number): number | undefined {
    this.sweepLocks(now)
    const held = this.locks.get(name)
    if (held !== undefined && held.expiresAt > now) {
      if (held.token !== token) return undefined
      // A resent command finds its own token: the same acquisition, so the same fence.
      held.expiresAt = expiresAt
      return held.fence
    }
    // One counter for all names: it grows for each of them, and a name that is done with leaves nothing behind.
    const fence = ++this.fence
    this.locks.set(name, { token, fence, expiresAt })
    return fence
  }

  ownLock(name: string, token: string, now: number): HeldLock | undefined {
    const held = this.locks.get(name)
    return held !== undefined && held.token === token && held.expiresAt > now ? held : undefined
  }

  private sweepLocks(now: number): void {
    for (let i = 0; i < LOCK_SWEEP; i++) {
      this.lockCursor ??= this.locks.entries()
      const next = this.lockCursor.next()
      if (next.done === true) {
        this.lockCursor = undefined
        return
      }
      if (next.value[1].expiresAt <= now) this.locks.delete(next.value[0])
    }
  }
}

const wake = (lease: Lease): void => {
  if (lease.waiters === undefined) return
  for (const waiter of lease.waiters) waiter()
  lease.waiters = undefined
}
