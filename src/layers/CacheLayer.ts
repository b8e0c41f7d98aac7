/**
 * For authors of backends: from the primitives of a store to a layer that programs use like any other.
 *
 * A backend implements three small services (`CacheBackend`, `TagIndex`, `LockStore`); all policy is in `CacheClient`.
 * `docs/testing.md` says what each primitive must do, and how `effect-cache/testing` checks that it does.
 */
import type { Effect, Layer, Scope } from "effect"
import { addTags } from "../CacheEntry.ts"
import type { CacheError } from "../CacheError.ts"
import { matcherUnsafe } from "../CacheKey.ts"
import { processNow } from "../internal/processTime.ts"
import { isWrite, joined, left, voided, worksUnder } from "../protocol/lease.ts"
import type { CachePrimitives } from "../services/CachePrimitives.ts"
import { type CacheServices, layerOf } from "./assemble.ts"

/**
 * The services of the cache over the primitives that `primitives` makes. It is run once for each time the layer is
 * built, in the scope of the layer: what it opens there is closed after the last load has ended.
 *
 * A backend whose reads need a trip (`local` is `undefined`) is guarded: each call has a deadline (`deadlineMillis`, or
 * one second), and while the store fails it is left alone, and what it did not acknowledge is written down and made up
 * for. Fails as `primitives` does.
 *
 * @example
 * ```ts no-run
 * import { Effect, Schema, type Scope } from "effect"
 * import { cacheAside, type CacheError, CacheLayer, type CachePrimitives } from "effect-cache"
 *
 * declare const makePrimitives: Effect.Effect<CachePrimitives, CacheError, Scope.Scope>
 *
 * const answer = Effect.succeed(42).pipe(cacheAside({ key: "answer", schema: Schema.Number, ttl: "1 minute" }))
 * assert.equal(await Effect.runPromise(answer.pipe(Effect.provide(CacheLayer.make(makePrimitives)))), 42)
 * ```
 */
const make = <E, R>(
  primitives: Effect.Effect<CachePrimitives, E, R>
): Layer.Layer<CacheServices, E | CacheError, Exclude<R, Scope.Scope>> => layerOf(primitives)

/**
 * The test for "does this key match the pattern", for `removeMatching`: `*` is any run of characters, also none, and
 * everything else is itself. Keys that the client has shortened are found too. It takes keys as the backend was given
 * them, not as it has escaped them. Throws `CacheError` (`InvalidKey`) for the empty pattern.
 *
 * @example
 * ```ts
 * import { CacheLayer } from "effect-cache"
 *
 * const matches = CacheLayer.matcher("user:*:list")
 * assert.deepEqual(["user:1:list", "user:1"].filter(matches), ["user:1:list"])
 * ```
 */
const matcher = (pattern: string): ((key: string) => boolean) => matcherUnsafe(pattern)

/** For authors of backends: the layer over primitives of one's own, and what such primitives are made with. */
export const CacheLayer = {
  make,
  matcher,
  /**
   * For a backend in this process: the time that entries are kept by, in milliseconds, as `local` is given it. It begins with
   * that of the wall clock, advances with the wall clock or the monotonic one, whichever says more, and never goes back.
   */
  now: processNow,
  /**
   * For `addTags` of a backend that stores bytes: the entry with these tags too, everything else as it was. Gives the
   * same bytes when they are not an entry, or bear the tags already. Throws a `RangeError` beyond 65,535 tags, or for a
   * tag of more bytes.
   */
  addTags,
  /**
   * What a lease says. `acquire` gives it back as it stands, and it is compared as a whole: one token, or the text of several
   * writes, which are the reason that a lease is not always replaced. Each of these is pure.
   */
  lease: {
    /** Whether it is one of writes, and of a token, whether it is a write's. */
    isWrite,
    /** Whether a write may be one of those under a lease that says this (`renew`, `release` with `"keep"`). */
    worksUnder,
    /** What a lease of writes says once another write has joined it (`takeOver` of a `"write"`): it is void, but for its own. */
    joined,
    /** What it says when something came between (`remove`, `removeMatching`, `clear`, `takeOver` of a `"set"`): it is void. */
    voided,
    /** What it says without one of its writes (`fill` and `release` with `"unlink"`); `undefined` when it ends with that. */
    left
  }
} as const
