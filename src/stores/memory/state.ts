/**
 * Everything that changes in a memory, and what a primitive does to it: each method is one synchronous step.
 */
import type { CacheEntry } from "../../CacheEntry.ts"
import type { Stored } from "../../services/CacheBackend.ts"
import { isWrite, maxListed, voidText } from "../../protocol/lease.ts"
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

/** Its token, or, of a lease that is void, its text (`protocol/lease.ts`). */
interface Lease {
  token: string
  /** The writes under one that is void, and how often it has changed. */
  writes: { changes: number; readonly tokens: Set<string> } | undefined
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
    this.leases.set(key, { token, writes: undefined, waiters: undefined })
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

  /** Ends the lease that this token holds alone. */
  end(key: string, token: string): boolean {
    if (!this.holds(key, token)) return false
    this.endLease(key)
    return true
  }

  /** The same; of a lease that is void it ends a write's part. */
  release(key: string, token: string): boolean {
    const held = this.end(key, token)
    if (!held && this.worksUnder(key, token)) this.leave(key, token)
    return held
  }

  /** Of a write or a set that does not hold the lease alone any more: it leaves no entry. */
  lose(key: string, token: string, onLost: "unlink" | "empty", now: number): void {
    this.entries.delete(key, now)
    if (onLost === "unlink") this.leave(key, token)
  }

  /** Makes sure that each tag has a marker: at the epoch of now, or an invalidation that was lost with one would be undone. */
  ensure(tags: ReadonlyArray<string>): void {
    for (let i = 0; i < tags.length; i++) this.markers.ensure(tags[i]!, this.epoch)
  }

  /**
   * Makes `token` the holder, and returns it; of writes that are there already only another write becomes one: it joins them. A
   * set makes their lease void, and a refresh leaves it as it is.
   */
  takeOver(key: string, token: string, as: "write" | "refresh" | "set"): string {
    const lease = this.leases.get(key)
    if (lease?.token === token) return token
    if (lease !== undefined && isWrite(lease.token)) {
      if (as === "write") {
        if (lease.writes?.tokens.has(token) !== true) change(lease, (tokens) => tokens.add(token))
        return token
      }
      if (as === "set") change(lease)
      return lease.token
    }
    this.#give(key, token)
    return token
  }

  #give(key: string, token: string): void {
    const lease = this.leases.get(key)
    this.leases.set(key, { token, writes: undefined, waiters: undefined })
    if (lease !== undefined) wake(lease)
  }

  /** Ends the lease of a load, and makes that of writes void. */
  dropLease(key: string): void {
    const lease = this.leases.get(key)
    if (lease !== undefined && isWrite(lease.token)) change(lease)
    else this.endLease(key)
  }

  /** A write takes itself out of a lease that it does not hold alone; with the last of them it ends. */
  leave(key: string, token: string): void {
    const lease = this.leases.get(key)
    if (lease === undefined || !isWrite(lease.token)) return this.endLease(key)
    change(lease, (tokens) => tokens.delete(token))
    if (lease.writes!.tokens.size === 0) this.leases.delete(key)
  }

  takeOverFrom(key: string, from: string, token: string): boolean {
    if (this.holds(key, token)) return true
    if (!this.holds(key, from)) return false
    this.#give(key, token)
    return true
  }

  holds(key: string, token: string): boolean {
    return this.leases.get(key)?.token === token
  }

  /** Whether it is one of the writes under a lease that is void. */
  worksUnder(key: string, token: string): boolean {
    return this.leases.get(key)?.writes?.tokens.has(token) === true
  }

  /** Removes entry and lease (protocol: dropping the lease is what stops a load in flight from storing). */
  remove(key: string, now: number): boolean {
    const there = this.entries.delete(key, now)
    this.dropLease(key)
    return there
  }

  /** The epoch moves on and is not reset, so an entry from before can never look younger than what comes. */
  clear(): void {
    this.epoch++
    this.entries.clear()
    this.markers.clear()
    for (const key of [...this.leases.keys()]) this.dropLease(key)
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

/** What comes between makes a lease of writes void, under a new text. */
const change = (lease: Lease, of?: (tokens: Set<string>) => void): void => {
  const writes = (lease.writes ??= { changes: 0, tokens: new Set([lease.token]) })
  of?.(writes.tokens)
  lease.token = voidText(++writes.changes, [...firstOf(writes.tokens)], writes.tokens.size > maxListed)
  wake(lease)
}

function* firstOf(tokens: Set<string>): Iterable<string> {
  let left = maxListed
  for (const token of tokens) {
    if (left-- === 0) return
    yield token
  }
}

const wake = (lease: Lease): void => {
  if (lease.waiters === undefined) return
  for (const waiter of lease.waiters) waiter()
  lease.waiters = undefined
}
