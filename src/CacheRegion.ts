/**
 * Regions: what is cached. A region is defined once (key, schema, lifetime, tags) and shared by readers and writers, so
 * that they cannot drift apart.
 */
import type { Effect, Schema } from "effect"
import type { CacheError } from "./CacheError.ts"
import type { AnyKey } from "./CacheKey.ts"
import { invalidOption } from "./internal/invalidOption.ts"
import type { Is, Measured, Said, Some } from "./internal/said.ts"
import { controlsOf, type PatternParams, type RegionArgs } from "./region/controls.ts"
import { checkOptions, resolveUnsafe } from "./region/region.ts"
import type { OnCacheError, RegionOptions } from "./region/settings.ts"
import type { CacheClient } from "./services/CacheClient.ts"

export type { OnCacheError, RegionOptions, RegionParams, RegionSettings, Tags, Ttl } from "./region/settings.ts"

/**
 * What a region can do. A class to the compiler alone: of a class it knows that `{ ...Users }` has none of its methods, which
 * would be those of the key and the prefix that `Users` has, whatever the copy says.
 */
export declare abstract class RegionControls<T extends AnyKey> {
  /** The key of these parameters; `.key` is the template. Throws `CacheError` (`InvalidKey`). */
  keyFor(this: void, ...params: RegionArgs<T>): string
  /**
   * The pattern of all keys that have these parameters; what is left out or `undefined` may be anything. For
   * `invalidatePattern`, and for the lists of writes. Throws `CacheError` (`InvalidKey`).
   */
  pattern(this: void, some?: PatternParams<T>): string
  /** Removes the entry of these parameters, as `invalidateKey` does. Fails with `InvalidKey` when they make no key. */
  invalidate(this: void, ...params: RegionArgs<T>): Effect.Effect<void, CacheError, CacheClient>
  /** Removes all entries of the region, as `invalidatePattern` does: its cost grows with the store. */
  get clear(): Effect.Effect<void, CacheError, CacheClient>
}

/**
 * A region: the options it was made of, checked, with what it can do. It can be given wherever options can, and to `get`,
 * `getMany` and `set` of `CacheClient`. `CacheRegion<{ key: "user:{userId}"; value: User }>`; services of its schema and
 * `onCacheError` are named where there are any.
 *
 * `{ ...Users, ttl: "1 minute" }` has its options and none of its methods; `CacheRegion.make` makes a region of it again.
 */
export interface CacheRegion<S extends CacheRegion.Shape>
  extends RegionOptions<S["key"], S["value"], unknown, DecodingIn<Measured<S>>, EncodingIn<S>, OnErrorIn<S>>,
    RegionControls<S["key"]> {
  readonly _tag: "CacheRegion"
  readonly key: S["key"]
}

export declare namespace CacheRegion {
  /** What a region is made of, by name: `<S extends CacheRegion.Shape>(region: CacheRegion<S>) => ...`. */
  interface Shape {
    readonly key: AnyKey
    readonly value: unknown
    /** Services that the schema needs, to decode and to encode. */
    readonly services?: unknown
    /** The same, where it needs others for the one than for the other. */
    readonly decodingServices?: unknown
    readonly encodingServices?: unknown
    readonly onCacheError?: OnCacheError
  }
  /** Any region, for what needs no more than all have: `(region: CacheRegion.Any) => region.clear`. */
  interface Any {
    readonly _tag: "CacheRegion"
    readonly key: AnyKey
    readonly prefix?: string | undefined
    readonly schema: Schema.Codec<unknown, unknown, unknown, unknown>
    keyFor(this: void, ...params: never): string
    pattern(this: void, some?: never): string
    invalidate(this: void, ...params: never): Effect.Effect<void, CacheError, CacheClient>
    readonly clear: Effect.Effect<void, CacheError, CacheClient>
  }
}

type ServicesIn<S> = S extends { readonly services: infer R } ? R : never
export type DecodingIn<S> = S extends { readonly decodingServices: infer R } ? R : ServicesIn<S>
export type EncodingIn<S> = S extends { readonly encodingServices: infer R } ? R : ServicesIn<S>
export type OnErrorIn<S> = S extends { readonly onCacheError: infer F extends OnCacheError } ? F : "bypass"

type Failing<F> = F extends "fail" ? F : never
type ShapeOf<T extends AnyKey, A, RD, RE, F> =
  Some<T> extends Is<RD | RE | Failing<F>>
    ? Some<T> extends Is<Exclude<RD, RE> | Exclude<RE, RD>>
      ? Said<{ key: T; value: A; decodingServices: RD; encodingServices: RE; onCacheError: Failing<F> }>
      : Said<{ key: T; value: A; services: RD; onCacheError: Failing<F> }>
    : { key: T; value: A }

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
 * const program = Effect.gen(function*() {
 *   yield* getUser({ userId: "1" })
 *   yield* Users.invalidate({ userId: "1" })
 *   return yield* getUser({ userId: "1" })
 * })
 * const user = await Effect.runPromise(program.pipe(Effect.provide(CacheMemory.layer())))
 * assert.equal(user.tenantId, "7")
 * assert.equal(Users.keyFor({ userId: "a:b" }), "user:a%3Ab")
 * assert.equal(Users.pattern(), "user:*")
 * ```
 */
const make = <const T extends AnyKey, A, I, RD, RE, F extends OnCacheError = "bypass">(
  options: RegionOptions<T, A, I, RD, RE, F>
): CacheRegion<ShapeOf<T, A, RD, RE, F>> => {
  const ignore = (options as { readonly ignore?: unknown } | undefined)?.ignore
  if (ignore !== undefined) {
    throw invalidOption(
      "ignore",
      ignore,
      "none in a region: give it to what reads, as in cacheAside(region, { ignore })"
    )
  }
  checkOptions(options as never)
  const region = { ...options, _tag: "CacheRegion" } as const
  return Object.defineProperties(region, controlsOf(resolveUnsafe(region as never))) as never
}

export const CacheRegion = { make } as const
