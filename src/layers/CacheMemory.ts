import { Config, Effect, type Layer } from "effect"
import type { CacheError } from "../CacheError.ts"
import { makeMemoryPrimitives, type MemoryOptions } from "../stores/memory/primitives.ts"
import { type CacheServices, layerOf } from "./assemble.ts"

/**
 * The cache in this process: decoded values, bounded by count and bytes, evicted by S3-FIFO, expiring on Effect's Clock
 * without timers. For one process, for tests, and as the fallback of `CacheFallback`.
 *
 * The system's clock is read once in a run of synchronous code, such as the whole of an `Effect.runSync`: what expires during
 * the run is handed out until it ends.
 *
 * With `isolation: "reference"` callers share one object and must not change it; with `"clone"` each gets a copy, made through
 * the schema. Without one (`memoize`) it is a structured clone, of what that gives back as it was: primitives, plain objects,
 * arrays, `Map`, `Set`, `Date`, `RegExp`, errors of the language, buffers and typed arrays, up to 50,000 values, 8 MiB and 500
 * levels, because a clone holds the event loop. Any other value, such as an `Option` or an instance of a class, is not stored:
 * the callers of one load share it, and one warning for each region says so. Options out of range fail with `CacheError`
 * (`InvalidOption`).
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { cacheAside, CacheMemory } from "effect-cache"
 *
 * const answer = Effect.succeed(42).pipe(cacheAside({ key: "answer", schema: Schema.Number, ttl: "1 minute" }))
 * const layer = CacheMemory.layer({ maxEntries: 50_000, maxBytes: "256 MiB" })
 * assert.equal(await Effect.runPromise(answer.pipe(Effect.provide(layer))), 42)
 * ```
 */
const layer = (options?: MemoryOptions): Layer.Layer<CacheServices, CacheError> =>
  layerOf(makeMemoryPrimitives(options ?? {}))

/** The same, where any option may be a `Config`. */
const layerConfig = (
  options: Config.Wrap<MemoryOptions>
): Layer.Layer<CacheServices, CacheError | Config.ConfigError> =>
  layerOf(Effect.flatMap(Config.unwrap(options), makeMemoryPrimitives))

/** The layer of a cache in this process. */
export const CacheMemory = { layer, layerConfig } as const
export type { MemoryOptions }
