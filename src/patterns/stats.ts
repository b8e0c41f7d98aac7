import type { Effect } from "effect"
import { CacheClient } from "../services/CacheClient.ts"
import type { CacheStats } from "../services/CacheStats.ts"

/**
 * The figures of the cache: counters of this process since its client was built, in all and per region; the state of the breaker
 * around a store outside it; and the size of the store, of this process or of the server as `scope` says.
 *
 * It costs a trip to that store, and cannot fail: where the store does not answer, `unavailable` says why, and `scope`, `size`,
 * `memoryMb` and `evictions` are `undefined`. The rest is of this process, and there all the same.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CacheMemory, getCacheStats } from "effect-cache"
 *
 * const stats = await Effect.runPromise(getCacheStats.pipe(Effect.provide(CacheMemory.layer())))
 * assert.equal(`${(stats.hitRate * 100).toFixed(2)} % of ${stats.size ?? "unknown"} keys`, "0.00 % of 0 keys")
 * ```
 */
export const getCacheStats: Effect.Effect<CacheStats, never, CacheClient> = CacheClient.use((client) => client.stats)
