/**
 * Regions: what is cached. A region is defined once (key, schema, lifetime, tags) and shared by readers and writers, so
 * that they cannot drift apart.
 */
import type { Duration, Schema } from "effect"
import type { KeyPart, PlaceholderNames } from "./CacheKey.ts"
import { resolveUnsafe } from "./internal/region.ts"

/** The parameters of a key as `ttl` and `tags` see them, by placeholder name; positional ones by number. */
export type RegionParams<T extends string> = [PlaceholderNames<T>] extends [never]
  ? Readonly<Record<never, never>>
  : { readonly [K in PlaceholderNames<T>]: KeyPart }

/** What a pattern does when the cache itself fails: carry on without it, or fail with `CacheError`. */
export type OnCacheError = "bypass" | "fail"

/**
 * How long entries live, a duration or a function of the value. It must be positive; `"infinity"`-like durations mean no
 * expiry.
 */
export type Ttl<A, T extends string> = Duration.Input | ((value: A, params: RegionParams<T>) => Duration.Input)

/** The tags of an entry, fixed or a function of the value. */
export type Tags<A, T extends string> =
  | ReadonlyArray<string>
  | ((value: A, params: RegionParams<T>) => ReadonlyArray<string>)

/** The options of a region, apart from key and schema. */
export interface RegionSettings<A, T extends string, F extends OnCacheError> {
  /** Put in front of the key, for example `"v2:"`. */
  readonly prefix?: string | undefined
  /** Time to live. Default: `CacheConfig.defaultTtl`. Zero and negative durations are rejected (`InvalidOption`). */
  readonly ttl?: Ttl<A, T> | undefined
  /** Tags for `invalidateTags`. An entry that lacks a fixed tag of its region is a miss, so adding one takes effect at once. */
  readonly tags?: Tags<A, T> | undefined
  /**
   * Shortens each TTL by a random share of up to this fraction, from 0 (default) to 1, so that entries stored together do
   * not expire together.
   */
  readonly jitter?: number | undefined
  /**
   * `"bypass"` (default): a cache failure is recorded and the loader runs. `"fail"`: it fails the call, and the type of
   * the cached function gains `CacheError`.
   */
  readonly onCacheError?: F | undefined
  /** Payloads of at least this many bytes are compressed. Default: the layer's setting. `Infinity`: never. */
  readonly compressAbove?: number | undefined
}

/** The options of `CacheRegion.make`, and of a pattern with inline options. */
export interface RegionOptions<T extends string, A, I, RD, RE, F extends OnCacheError = "bypass">
  extends RegionSettings<NoInfer<A>, NoInfer<T>, F> {
  /** The key template: `"user:{userId}"`, `"items:{0}:{1}"`, or plain text. */
  readonly key: T
  /** Any codec: values are stored as its JSON form and come back decoded. */
  readonly schema: Schema.Codec<A, I, RD, RE>
}

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
