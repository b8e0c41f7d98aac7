import type { Effect } from "effect"
import type { CacheError } from "../CacheError.ts"
import { CacheClient } from "../services/CacheClient.ts"
import type { CacheStats } from "../services/CacheStats.ts"

/**
 * The figures of the cache: counters of this process since its client was built, in all and per region; and the size of
 * the store, of this process or of the server as `scope` says.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CacheMemory, getCacheStats } from "effect-cache"
 *
 * const stats = await Effect.runPromise(getCacheStats.pipe(Effect.provide(CacheMemory.layer())))
 * assert.equal(`${(stats.hitRate * 100).toFixed(2)} % of ${stats.size} keys`, "0.00 % of 0 keys")
 * ```
 */
export const getCacheStats: Effect.Effect<CacheStats, CacheError, CacheClient> = CacheClient.use(
  (client) => client.stats
)
