import { type Config, Effect, Layer } from "effect"
import { CacheConfig, type CacheEnvironment } from "../CacheConfig.ts"
import { CacheError, Unavailable } from "../CacheError.ts"
import { CacheFallback } from "./CacheFallback.ts"
import { CacheMemory } from "./CacheMemory.ts"
import { CacheNone } from "./CacheNone.ts"
import type { CacheServices } from "./assemble.ts"

const memory = (environment: CacheEnvironment) =>
  CacheMemory.layer({ maxEntries: environment.memoryMaxEntries, maxBytes: environment.memoryMaxBytes })

// Lazily, and through `imports` of package.json, so that a bundle for a browser or an edge runtime is free of ioredis.
const redis = (environment: CacheEnvironment) =>
  Layer.unwrap(
    Effect.gen(function*() {
      const { CacheRedis } = yield* Effect.promise(() => import("#redis"))
      if (CacheRedis === undefined) {
        return yield* new CacheError({
          reason: new Unavailable({
            backend: "redis",
            operation: "connect",
            cause: new Error("there are no sockets on this platform: set CACHE_BACKEND=memory")
          })
        })
      }
      return CacheFallback.layer({
        primary: CacheRedis.layer({
          url: environment.redisUrl,
          namespace: environment.namespace,
          timeout: environment.timeout,
          pingInterval: environment.pingInterval
        }),
        fallback: memory(environment),
        timeout: environment.timeout
      })
    })
  )

const backends = { redis, memory, none: () => CacheNone.layer }

/**
 * The cache as the environment says: Redis with memory to fall back to, memory alone, or none (`CacheNone.layer`).
 *
 * | variable | meaning | default |
 * |---|---|---|
 * | `CACHE_BACKEND` | `redis`, `memory`, or `none`: nothing is kept | `redis` |
 * | `REDIS_URL` | where Redis is, with `redis+cluster://host,host` or `redis+sentinel://host,host/name` also there | `redis://localhost:6379/0` |
 * | `CACHE_DEFAULT_TTL` | the TTL of regions that set none: seconds, or a duration such as `5 minutes` | 300 |
 * | `CACHE_NAMESPACE` | what every key in Redis starts with | `ec` |
 * | `CACHE_MEMORY_MAX_ENTRIES` | entries in memory, also of the fallback | 10000 |
 * | `CACHE_MEMORY_MAX_MB` | megabytes in memory, also of the fallback | 64 |
 * | `CACHE_TIMEOUT` | the longest a Redis command takes: a duration with its unit, such as `500 millis` | 1 second |
 * | `CACHE_PING_INTERVAL` | a `PING` on each connection to Redis that was idle for so long: a duration with its unit | none |
 * | `CACHE_LOCK_TTL` | how long a lease or a lock outlives a holder that died: a duration with its unit | 5 seconds |
 * | `CACHE_SWEEP_INTERVAL` | how often what writers that died left to invalidate is looked for: a duration with its unit, or `off` | 10 seconds |
 *
 * Bad values fail the layer with one `ConfigError` that names each. With Redis out of reach it starts all the same, warns
 * once, and runs on the fallback until Redis is there.
 *
 * @example
 * ```ts
 * import { ConfigProvider, Effect, Schema } from "effect"
 * import { cacheAside, CacheLive } from "effect-cache"
 *
 * const answer = Effect.succeed(42).pipe(cacheAside({ key: "answer", schema: Schema.Number }))
 * const environment = ConfigProvider.layer(ConfigProvider.fromUnknown({ CACHE_BACKEND: "memory" }))
 * const program = answer.pipe(Effect.provide(CacheLive), Effect.provide(environment))
 * assert.equal(await Effect.runPromise(program), 42)
 * ```
 */
export const CacheLive: Layer.Layer<CacheServices, Config.ConfigError | CacheError> = Layer.unwrap(
  Effect.map(CacheConfig.environment, (environment) => {
    const backend = backends[environment.backend](environment)
    return Layer.provide(
      backend,
      CacheConfig.layer({
        defaultTtl: environment.defaultTtl,
        lockTtl: environment.lockTtl,
        localMaxEntries: environment.memoryMaxEntries,
        sweepInterval: environment.sweepInterval
      })
    )
  })
)
