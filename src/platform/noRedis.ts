/**
 * What `#redis` is where there are no sockets (see `imports` in package.json): a browser, an edge runtime, or a bundle
 * for one. `CacheLive` finds `CacheRedis` undefined there and says so.
 */
export const CacheRedis = undefined
