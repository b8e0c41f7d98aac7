import type { Layer } from "effect"
import type { CacheError } from "../CacheError.ts"
import { makeNonePrimitives } from "../stores/memory/none.ts"
import { type CacheServices, layerOf } from "./assemble.ts"

/**
 * No cache: nothing is kept, so each read loads. For comparing, for finding out whether it is the cache, and where a value must not
 * outlive its request.
 *
 * The rest is as in memory. Callers at the same time share one load a key, also that of `memoize`; one that began before an
 * invalidation is not joined after it. Writes run, `get` finds nothing, `set` and invalidations succeed, locks are those of this
 * process, and `getCacheStats` counts misses and loads. With `CACHE_BACKEND=none`, `CacheLive` is this.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { cacheAside, CacheNone } from "effect-cache"
 *
 * let loads = 0
 * const answer = Effect.sync(() => ++loads).pipe(Effect.delay("10 millis"), cacheAside({ key: "answer", schema: Schema.Number }))
 * const program = Effect.gen(function*() {
 *   yield* Effect.all([answer, answer, answer], { concurrency: "unbounded" }) // one load
 *   return yield* answer // and another
 * })
 * assert.equal(await Effect.runPromise(program.pipe(Effect.provide(CacheNone.layer))), 2)
 * ```
 */
const layer: Layer.Layer<CacheServices, CacheError> = layerOf(makeNonePrimitives)

/** The layer of no cache: loads are shared, and nothing is kept. */
export const CacheNone = { layer } as const
