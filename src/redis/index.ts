/**
 * `effect-cache/redis`: the cache on Redis. For Node.
 */
export { CacheRedis } from "../layers/CacheRedis/CacheRedis.ts"
export type { Durability, RedisOptions } from "../layers/CacheRedis/options.ts"
