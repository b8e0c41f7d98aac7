import { Config, Effect, type Layer } from "effect"
import type { CacheError } from "../CacheError.ts"
import type { RedisOptions } from "../stores/redis/options/options.ts"
import { makeRedisPrimitives } from "../stores/redis/primitives.ts"
import { type CacheServices, layerOf } from "./assemble.ts"

/**
 * The cache on Redis (7.0 and newer), shared by all processes that use the same namespace: one primary, Redis Cluster, or a
 * primary behind Redis Sentinel. Reads go to primaries only.
 *
 * It starts also when Redis is out of reach: calls then run uncached, after at most `timeout` for each trip. A circuit breaker
 * leaves a Redis alone that fails, and a journal keeps the invalidations it missed; `CacheFallback.layer` adds values that are
 * kept in memory meanwhile, and settings for these. Options out of range fail with `CacheError` (`InvalidOption`). Credentials are in no log, error or span.
 *
 * It needs ioredis, an optional peer: `npm install ioredis@6`. Where that is missing the layer fails with `CacheError` (`Unavailable`),
 * which says so; it is loaded when the first layer is built.
 *
 * @example
 * ```ts redis
 * import { Effect, Schema } from "effect"
 * import { cacheAside } from "effect-cache"
 * import { CacheRedis } from "effect-cache/redis"
 *
 * const answer = Effect.succeed(42).pipe(cacheAside({ key: "answer", schema: Schema.Number, ttl: "1 minute" }))
 * const layer = CacheRedis.layer({ url: process.env.REDIS_URL, namespace: "shop", timeout: "250 millis" })
 * assert.equal(await Effect.runPromise(answer.pipe(Effect.provide(layer))), 42)
 * ```
 */
const layer = (options?: RedisOptions): Layer.Layer<CacheServices, CacheError> =>
  layerOf(makeRedisPrimitives(options ?? {}))

/** The same, where any option may be a `Config`. */
const layerConfig = (options: Config.Wrap<RedisOptions>): Layer.Layer<CacheServices, CacheError | Config.ConfigError> =>
  layerOf(Effect.flatMap(Config.unwrap(options), makeRedisPrimitives))

/** The layer of a cache on Redis, shared by all processes that use one namespace. */
export const CacheRedis = { layer, layerConfig } as const
