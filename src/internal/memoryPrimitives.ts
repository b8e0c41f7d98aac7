/**
 * The primitives of `CacheBackend`, `TagIndex` and `LockStore` in one process.
 *
 * All that changes is one `MemoryState` in a `Ref`. A primitive is one synchronous step of a fiber, so each is atomic,
 * and carried out in the order in which primitives are run. There are no timers: what has expired is dropped when it is
 * read, and a few entries a write.
 */
import { ByteSize, Clock, Effect, Option, Ref } from "effect"
import type { CacheEntry } from "../CacheEntry.ts"
import { CacheError, InvalidOption } from "../CacheError.ts"
import { matcherUnsafe } from "../CacheKey.ts"
import { CacheBackend, type Stored, type Write } from "../services/CacheBackend.ts"
import type { LockStore } from "../services/LockManager.ts"
import { TagIndex } from "../services/TagIndex.ts"
import { Markers, tagWeight } from "./markers.ts"
import { MemoryEntries, type MemoryEntry, toEntry } from "./memoryEntry.ts"
import { S3Fifo } from "./s3fifo.ts"
import { sizeOf } from "./sizeOf.ts"

/** How a memory store is bounded. */
export interface MemoryOptions {
  /** The most entries held, a whole number from 1. Default 10,000. */
  readonly maxEntries?: number | undefined
  /**
   * The most bytes held, by an estimate that counts values, keys, tags and bookkeeping; at least 1. Default 64 MiB. An
   * entry that alone takes more is not stored.
   */
  readonly maxBytes?: ByteSize.Input | undefined
  /** `"reference"` (default): callers share one object, and must not change it. `"clone"`: each gets its own copy. */
  readonly isolation?: "reference" | "clone" | undefined
  /** The backend's name in labels and errors. Default `"memory"`. */
  readonly name?: string | undefined
}

/** The same memory, seen through the three contracts. */
export interface MemoryPrimitives {
  readonly backend: CacheBackend["Service"]
  readonly tags: TagIndex["Service"]
  readonly locks: LockStore
}

/** What an entry costs beside its value, key and tags: its records, its slot in a map, its place in the ghost. */
const ENTRY_OVERHEAD = 256
/** Keys looked at before other fibers get a turn, when a pattern removes. */
const PATTERN_BATCH = 4096
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

/** Everything that changes. */
export class MemoryState {
  epoch = 1
  fence = 0
  readonly markers: Markers
  readonly entries: S3Fifo<MemoryEntry>
  private readonly records = new MemoryEntries()
  readonly leases = new Map<string, Lease>()
  readonly locks = new Map<string, HeldLock>()
  private lockCursor: IterableIterator<[string, HeldLock]> | undefined = undefined

  constructor(maxEntries: number, maxBytes: number) {
    this.markers = new Markers(Math.max(10_000, 4 * maxEntries), Math.max(65_536, Math.floor(maxBytes / 4)))
    this.entries = new S3Fifo({
      maxEntries,
      maxWeight: maxBytes,
      onLeave: (entry) => this.markers.release(entry.tags)
    })
  }

  /** Stores an entry. One that does not fit leaves the key empty, and counts as an eviction. */
  store(key: string, stored: Stored, ttlMillis: number, now: number): void {
    if (stored instanceof Uint8Array) throw new TypeError("a memory backend stores values, not bytes")
    // Its tags are borne before an older entry of the key lets go of them, or a shared marker would turn idle.
    this.markers.retain(stored.tags)
    const entry = this.records.of(stored)
    const { stamp } = entry.kind
    const payload = stamp === 0 ? undefined : stored.value
    if (!this.entries.set(key, entry, entryWeight(key, stored), now + ttlMillis, now, stamp, payload)) {
      this.markers.release(stored.tags)
    }
  }

  /** Adds tags to an entry; value, born and expiry stay. */
  addTags(key: string, tags: ReadonlyArray<string>, now: number): boolean {
    const before = this.entries.peek(key, now)
    if (before === undefined) return false
    const known = new Set(before.tags)
    const added = tags.filter((tag) => !known.has(tag) && known.add(tag))
    if (added.length === 0) return true
    const entry = this.records.of({ ...toEntry(before), tags: [...known] })
    const weight = added.reduce((sum, tag) => sum + tagWeight(tag), this.entries.weightOf(key))
    this.markers.retain(entry.tags)
    if (this.entries.update(key, entry, weight, now)) return true
    this.markers.release(entry.tags)
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

const invalidOption = (option: string, actual: unknown, expected: string) =>
  new CacheError({ reason: new InvalidOption({ option, actual: String(actual), expected }) })

const byteCount = (input: unknown): number => {
  if (input === undefined) return 64 * 1024 * 1024
  const parsed = ByteSize.fromInput(input as ByteSize.Input)
  return Option.isSome(parsed) ? Number(parsed.value) : Number.NaN
}

const checkOptions = (options: MemoryOptions): Effect.Effect<{ maxEntries: number; maxBytes: number }, CacheError> => {
  const maxEntries = options.maxEntries ?? 10_000
  if (!Number.isSafeInteger(maxEntries) || maxEntries < 1) {
    return Effect.fail(invalidOption("maxEntries", maxEntries, "a whole number, at least 1"))
  }
  const maxBytes = byteCount(options.maxBytes)
  if (!(maxBytes >= 1)) {
    return Effect.fail(
      invalidOption("maxBytes", options.maxBytes, 'a number of bytes, at least 1, or a size such as "64 MiB"')
    )
  }
  const isolation = options.isolation ?? "reference"
  if (isolation !== "reference" && isolation !== "clone") {
    return Effect.fail(invalidOption("isolation", isolation, '"reference" or "clone"'))
  }
  return Effect.succeed({ maxEntries, maxBytes })
}

const makeBackend = (ref: Ref.Ref<MemoryState>, options: MemoryOptions): CacheBackend["Service"] => {
  const step = <A>(f: (state: MemoryState) => A): Effect.Effect<A> => Effect.sync(() => f(Ref.getUnsafe(ref)))
  const timed = <A>(f: (state: MemoryState, now: number) => A): Effect.Effect<A> =>
    Effect.withFiber((fiber) =>
      Effect.succeed(f(Ref.getUnsafe(ref), fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()))
    )

  const removeMatching = (pattern: string): Effect.Effect<number, CacheError> =>
    Effect.suspend(() => {
      let matches: (key: string) => boolean
      try {
        matches = matcherUnsafe(pattern)
      } catch (error) {
        return error instanceof CacheError ? Effect.fail(error) : Effect.die(error)
      }
      // A map gives out its keys in the order they came, so as many as there are now cover all that are there now.
      const { entries, leases } = Ref.getUnsafe(ref)
      const pass = [
        { keys: entries.keys(), left: entries.size },
        {
          keys: leases.keys(),
          left: leases.size
        }
      ]
      let removed = 0
      const batch = timed((state, now) => {
        let budget = PATTERN_BATCH
        for (const scan of pass) {
          while (scan.left > 0) {
            if (budget-- === 0) return false
            scan.left--
            const next = scan.keys.next()
            if (next.done === true) scan.left = 0
            else if (matches(next.value) && state.remove(next.value, now)) removed++
          }
        }
        return true
      })
      const loop: Effect.Effect<number> = Effect.flatMap(batch, (done) =>
        done ? Effect.succeed(removed) : Effect.andThen(Effect.yieldNow, loop)
      )
      return loop
    })

  // What is in the Ref is changed, and never replaced.
  const state = Ref.getUnsafe(ref)
  return CacheBackend.of({
    name: options.name ?? "memory",
    format: "values",
    isolation: options.isolation ?? "reference",
    compressor: undefined,
    deadlineMillis: undefined,
    local: {
      get: (key, now) => state.entries.get(key, now),
      pick: (key, stamp, now) => state.entries.pick(key, stamp, now),
      marker: (tag) => state.markers.get(tag),
      holder: (key) => state.leases.get(key)?.token,
      epoch: () => state.epoch,
      acquire: (key, token) => state.acquire(key, token),
      ensure: (tags) => state.ensure(tags),
      fill: (key, token, entry, ttlMillis, now) => state.fill(key, token, entry, ttlMillis, now),
      release: (key, token) => state.release(key, token)
    },
    read: (key) =>
      timed((state, now) => {
        const entry = state.entries.get(key, now)
        return entry === undefined ? undefined : toEntry(entry)
      }),
    acquire: (key, token) => step((state) => state.acquire(key, token)),
    takeOver: (key, token, _ttlMillis, { unlink }) =>
      timed((state, now) => {
        if (unlink) state.entries.delete(key, now)
        state.takeOver(key, token)
      }),
    renew: (key, token) => step((state) => state.holds(key, token)),
    fill: (key, token, write: Write, onLost) =>
      timed((state, now) => {
        const filled = state.fill(key, token, write.stored, write.ttlMillis, now)
        // The losing writer unlinks.
        if (!filled && onLost === "unlink") state.remove(key, now)
        return filled
      }),
    release: (key, token, onLost) =>
      timed((state, now) => {
        const held = state.release(key, token)
        if (!held && onLost === "unlink") state.remove(key, now)
        return held
      }),
    remove: (keys) =>
      timed((state, now) => {
        let removed = 0
        for (const key of keys) if (state.remove(key, now)) removed++
        return removed
      }),
    removeMatching,
    addTags: (key, tags) => timed((state, now) => state.addTags(key, tags, now)),
    awaitRelease: (key, token) =>
      Effect.callback<void>((resume) => {
        const lease = Ref.getUnsafe(ref).leases.get(key)
        if (lease === undefined || lease.token !== token) return resume(Effect.void)
        // `resume` goes on with the waiting fiber at once; the yield keeps it out of the primitive that wakes it.
        const waiter = () => resume(Effect.yieldNow)
        const waiters = (lease.waiters ??= new Set())
        waiters.add(waiter)
        return Effect.sync(() => {
          waiters.delete(waiter)
        })
      }),
    clear: step((state) => state.clear()),
    usage: step((state) => ({
      scope: "process",
      entries: state.entries.size,
      bytes: state.entries.weight,
      evictions: state.entries.evictions
    }))
  })
}

const makeTags = (ref: Ref.Ref<MemoryState>): TagIndex["Service"] => {
  const step = <A>(f: (state: MemoryState) => A): Effect.Effect<A> => Effect.sync(() => f(Ref.getUnsafe(ref)))
  return TagIndex.of({
    epoch: step((state) => state.epoch),
    markers: (tags) => step((state) => tags.map((tag) => state.markers.get(tag))),
    // How long a marker is kept needs no time to live here: see `Markers`.
    ensure: (tags) => step((state) => state.ensure(tags)),
    invalidate: (tags) =>
      step((state) => {
        state.epoch++
        for (const tag of tags) state.markers.raise(tag, state.epoch)
      })
  })
}

const makeLocks = (ref: Ref.Ref<MemoryState>): LockStore => {
  const timed = <A>(f: (state: MemoryState, now: number) => A): Effect.Effect<A> =>
    Effect.withFiber((fiber) =>
      Effect.succeed(f(Ref.getUnsafe(ref), Number(fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()) / 1e6))
    )
  return {
    acquire: (name, token, ttlMillis) => timed((state, now) => state.acquireLock(name, token, now + ttlMillis, now)),
    extend: (name, token, ttlMillis) =>
      timed((state, now) => {
        const held = state.ownLock(name, token, now)
        if (held !== undefined) held.expiresAt = now + ttlMillis
        return held !== undefined
      }),
    release: (name, token) =>
      timed((state, now) => state.ownLock(name, token, now) !== undefined && state.locks.delete(name))
  }
}

/** As `makeMemoryPrimitives`, with its state, for tests that look for leaks. */
export const makeMemoryPrimitivesWithState = (
  options: MemoryOptions
): Effect.Effect<MemoryPrimitives & { readonly state: MemoryState }, CacheError> =>
  Effect.flatMap(checkOptions(options), ({ maxBytes, maxEntries }) =>
    Effect.map(Ref.make(new MemoryState(maxEntries, maxBytes)), (ref) => ({
      backend: makeBackend(ref, options),
      tags: makeTags(ref),
      locks: makeLocks(ref),
      state: Ref.getUnsafe(ref)
    }))
  )

/** The primitives over one new, empty memory. Fails with `InvalidOption`. */
export const makeMemoryPrimitives = (options: MemoryOptions): Effect.Effect<MemoryPrimitives, CacheError> =>
  Effect.map(makeMemoryPrimitivesWithState(options), ({ backend, locks, tags }) => ({ backend, tags, locks }))
