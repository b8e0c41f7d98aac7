/**
 * Regions: what is cached. A region is defined once (key, schema, lifetime, tags) and shared by readers and writers, so
 * that they cannot drift apart.
 */
import { resolveUnsafe } from "./region/region.ts"
import type { OnCacheError, RegionOptions } from "./region/settings.ts"

export type { OnCacheError, RegionOptions, RegionParams, RegionSettings, Tags, Ttl } from "./region/settings.ts"

/** A region: the options it was made of, checked. Can be given wherever options can. */
export interface CacheRegion<T extends string, A, I, RD = never, RE = never, F extends OnCacheError = "bypass">
  extends RegionOptions<T, A, I, RD, RE, F> {
  readonly _tag: "CacheRegion"
}

/**
 * Defines a region.
 *
 * Throws `CacheError` at definition time when an option is out of range, when the template is malformed, or when the
 * schema has no JSON form.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { cacheAside, CacheMemory, CacheRegion } from "effect-cache"
 *
 * const User = Schema.Struct({ id: Schema.String, tenantId: Schema.String })
 * const Users = CacheRegion.make({
 *   key: "user:{userId}",
 *   schema: User,
 *   ttl: "5 minutes",
 *   tags: (user) => ["user", `tenant:${user.tenantId}`]
 * })
 * const getUser = cacheAside(Users)(({ userId }: { readonly userId: string }) =>
 *   Effect.succeed({ id: userId, tenantId: "7" })
 * )
 * const user = await Effect.runPromise(getUser({ userId: "1" }).pipe(Effect.provide(CacheMemory.layer())))
 * assert.equal(user.tenantId, "7")
 * ```
 */
const make = <const T extends string, A, I, RD, RE, F extends OnCacheError = "bypass">(
  options: RegionOptions<T, A, I, RD, RE, F>
): CacheRegion<T, A, I, RD, RE, F> => {
  const region = { _tag: "CacheRegion", ...options } as const
  resolveUnsafe(region)
  return region
}

export const CacheRegion = { make } as const
