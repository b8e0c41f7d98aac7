/**
 * `effect-cache/http`: cached responses for `HttpRouter` routes and `HttpApi` endpoints.
 */
export { type CachedHandler, cachedResponse, type CachedResponse, type Handler } from "./cachedResponse.ts"
export { cachedEndpoint, type CachedEndpoint, HttpCache } from "./HttpCache.ts"
export type { Exchange, Lifetime, ResponseOptions } from "./options.ts"
export type { CacheStatus } from "./cacheStatus.ts"
export { CachePolicy, type CachePolicyOptions, type EndpointExchange, type ExchangeOf } from "./policies.ts"
