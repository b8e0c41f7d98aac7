/**
 * The primitives of `CacheBackend`, `TagIndex` and `LockStore` in one process.
 *
 * All that changes is one `MemoryState` in a `Ref`. A primitive is one synchronous step of a fiber, so each is atomic,
 * and carried out in the order in which primitives are run. There are no timers: what has expired is dropped when it is
 * read, and a few entries a write.
 */
import { ByteSize, Clock, Effect, Option, Ref } from "effect"
import type { CacheError } from "../../CacheError.ts"
import { matcherUnsafe } from "../../CacheKey.ts"
import { inSteps, sum } from "../../internal/inSteps.ts"
import { invalidOption } from "../../internal/invalidOption.ts"
import { knownOptions, type Names } from "../../internal/knownOptions.ts"
import { monotonicMillis, processMillis } from "../../internal/processTime.ts"
import { checked, oneOf, wholeNumber } from "../../region/checks.ts"
import { CacheBackend, type Write } from "../../services/CacheBackend.ts"
import type { LockStore } from "../../services/LockManager.ts"
import { TagIndex } from "../../services/TagIndex.ts"
import { MemoryState } from "./state.ts"

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

/** Keys looked at before other fibers get a turn, when a pattern removes. */
const PATTERN_BATCH = 4096

/** Keys and tags that one step invalidates. */
const LIST_STEP = 2_048

/** A list in steps, to its end also when the caller leaves. Returns the sum. */
const inStepsWhole = (items: ReadonlyArray<string>, f: (step: ReadonlyArray<string>) => Effect.Effect<number>) =>
  items.length <= LIST_STEP ? f(items) : Effect.uninterruptible(Effect.map(inSteps(items, LIST_STEP, f), sum))

const byteCount = (input: unknown): number => {
  if (input === undefined) return 64 * 1024 * 1024
  const parsed = ByteSize.fromInput(input as ByteSize.Input)
  return Option.isSome(parsed) ? Number(parsed.value) : Number.NaN
}

const names: Names<MemoryOptions> = { maxEntries: 0, maxBytes: 0, isolation: 0, name: 0 }

const checkUnsafe = (options: MemoryOptions): { maxEntries: number; maxBytes: number } => {
  knownOptions(options, names)
  const maxEntries = wholeNumber("maxEntries", options.maxEntries ?? 10_000, 1)
  const maxBytes = byteCount(options.maxBytes)
  if (!(maxBytes >= 1)) {
    throw invalidOption("maxBytes", options.maxBytes, 'a number of bytes, 1 or more, or a size such as "64 MiB"')
  }
  oneOf("isolation", options.isolation ?? "reference", ["reference", "clone"])
  return { maxEntries, maxBytes }
}

const makeBackend = (ref: Ref.Ref<MemoryState>, options: MemoryOptions): CacheBackend["Service"] => {
  const step = <A>(f: (state: MemoryState) => A): Effect.Effect<A> => Effect.sync(() => f(Ref.getUnsafe(ref)))
  const timed = <A>(f: (state: MemoryState, now: number) => A): Effect.Effect<A> =>
    Effect.withFiber((fiber) => Effect.succeed(f(Ref.getUnsafe(ref), processMillis(fiber.getRef(Clock.Clock)))))

  const removeMatching = (pattern: string): Effect.Effect<number, CacheError> =>
    Effect.flatMap(
      checked(() => matcherUnsafe(pattern)),
      (matches) => {
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
      }
    )

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
      marker: (tag) => state.markers.get(tag),
      holder: (key) => state.leases.get(key)?.token,
      epoch: () => state.epoch,
      acquire: (key, token) => state.acquire(key, token),
      ensure: (tags) => state.ensure(tags),
      fill: (key, token, entry, ttlMillis, now) => state.fill(key, token, entry, ttlMillis, now),
      release: (key, token) => state.release(key, token)
    },
    fast: { pick: (key, stamp, now) => state.entries.pick(key, stamp, now) },
    read: (key) => timed((state, now) => state.entries.get(key, now)),
    acquire: (key, token) => step((state) => state.acquire(key, token)),
    takeOver: (key, token, _ttlMillis, as, give) =>
      timed((state, now) => {
        const unlinked = give === undefined || as !== "write" ? undefined : state.entries.peek(key, now)
        const holder = state.takeOver(key, token, as)
        if (as === "write" || (as === "set" && holder !== token)) state.entries.delete(key, now)
        return { holder, unlinked }
      }),
    takeOverFrom: (key, from, token) => step((state) => state.takeOverFrom(key, from, token)),
    renew: (key, token) => step((state) => state.holds(key, token) || state.worksUnder(key, token)),
    fill: (key, token, write: Write, onLost) =>
      timed((state, now) => {
        const filled = state.fill(key, token, write.stored, write.ttlMillis, now)
        if (!filled && onLost !== "keep") state.lose(key, token, onLost, now)
        return filled
      }),
    // A lease is given back whatever becomes of the clock.
    release: (key, token, onLost) =>
      onLost === "keep"
        ? step((state) => state.release(key, token))
        : Effect.flatMap(
            step((state) => state.end(key, token)),
            (held) =>
              held
                ? Effect.succeed(held)
                : Effect.as(
                    timed((state, now) => state.lose(key, token, "unlink", now)),
                    held
                  )
          ),
    remove: (keys) =>
      inStepsWhole(keys, (step) =>
        timed((state, now) => {
          let removed = 0
          for (const key of step) if (state.remove(key, now)) removed++
          return removed
        })
      ),
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
    // Each step moves the epoch on: a marker that is missing is made anew, and a later invalidation may have gone with it.
    invalidate: (tags) =>
      Effect.asVoid(
        inStepsWhole(tags, (some) =>
          step((state) => {
            state.epoch++
            for (const tag of some) state.markers.raise(tag, state.epoch)
            return 0
          })
        )
      )
  })
}

const makeLocks = (ref: Ref.Ref<MemoryState>): LockStore => {
  const timed = <A>(f: (state: MemoryState, now: number) => A): Effect.Effect<A> =>
    Effect.withFiber((fiber) => Effect.succeed(f(Ref.getUnsafe(ref), monotonicMillis(fiber.getRef(Clock.Clock)))))
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

/** As `makeMemoryPrimitives`, with its state: for `CacheTest`, which shows what is stored, and for tests that look for leaks. */
export const makeMemoryPrimitivesWithState = (
  options: MemoryOptions
): Effect.Effect<MemoryPrimitives & { readonly state: MemoryState }, CacheError> =>
  Effect.flatMap(
    checked(() => checkUnsafe(options)),
    ({ maxBytes, maxEntries }) =>
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
