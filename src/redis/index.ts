/**
 * `effect-cache/redis`: the cache on Redis. For Node.
 */
export { CacheRedis } from "../layers/CacheRedis.ts"
export type { Durability, RedisOptions } from "../stores/redis/options/options.ts"
