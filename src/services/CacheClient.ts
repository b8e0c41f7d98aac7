/**
 * The cache of a program, for manual work: read, store, tag, invalidate, measure. Where entries live is the business of
 * `CacheBackend` and `TagIndex`.
 *
 * Functions such as `invalidateKey`, `invalidateTags` and `tagCacheKey`, and `.invalidate` and `.clear` of a region, call these
 * methods. Cached functions do not: they go to
 * the engine behind the client. So the `invalidateKeys` of a decorated client is not asked by their `.invalidate` and
 * `.clear`, nor by `writeThrough`. `docs/testing.md` shows how to mock and to decorate a client.
 *
 * **What it promises**
 *
 * - A read that starts after an invalidation was acknowledged never returns a value whose load started before it.
 * - One load of a key at a time in this process, and with `stampedeProtect` among all processes that share the store.
 * - A cache failure is counted and logged, and the load runs; operations asked for by name fail with `CacheError`.
 *
 * The rules behind it are described in `docs/protocol.md`.
 */
import { Context, type Duration, type Effect, type Option, type Schema } from "effect"
import type { CacheError } from "../CacheError.ts"
import type { AnyKey, KeyParams, KindOf } from "../CacheKey.ts"
import type { AnyCodec } from "../internal/erased.ts"
import type { ADuration, AList, Strings } from "../internal/strings.ts"
import type { CacheCounters, CacheStats } from "./CacheStats.ts"

/** What `set` stores a value with. */
export interface SetOptions<A, I, RD, RE> {
  /** Any codec; read it back with the same one. */
  readonly schema: Schema.Codec<A, I, RD, RE>
  /** Time to live, positive. Default: `CacheConfig.defaultTtl`. */
  readonly ttl?: Duration.Input | ADuration | undefined
  readonly tags?: ReadonlyArray<string> | AList | undefined
}

/** A region, as `CacheRegion.make` makes it: what `get`, `getMany` and `set` take in place of a key and a schema. */
export interface AnyRegion {
  readonly _tag: "CacheRegion"
  readonly key: AnyKey
  readonly schema: AnyCodec
}
/** One of two, by whether `Of` is a region or a key, or keys. One signature, because of two the compiler says only that none fits. */
type If<Of, OfRegion, OfKey> = [Of] extends [Iterable<string>] ? OfKey : OfRegion
/** Without placeholders it is `{}`, spelled so that a value is no parameters: `{}` as a type is anything. */
type KeyOf<Of> = Of extends AnyRegion
  ? KindOf<Of["key"]> extends "static"
    ? Readonly<Record<string, never>>
    : KeyParams<Of["key"]>
  : never
type SchemaOf<Of> = Of extends AnyRegion ? Of["schema"] : never
type ValueOf<Of, A> = If<Of, SchemaOf<Of>["Type"], A>

/**
 * The cache of a program, for manual work: read, store, tag, invalidate, measure.
 *
 * @example
 * ```ts
 * import { Effect, Option, Schema } from "effect"
 * import { CacheClient, CacheMemory, CacheRegion } from "effect-cache"
 *
 * const Names = CacheRegion.make({ key: "name:{id}", schema: Schema.String, ttl: "5 minutes" })
 * const program = Effect.gen(function*() {
 *   const cache = yield* CacheClient
 *   yield* cache.set(Names, { id: "1" }, "Ada")
 *   yield* cache.set("name:2", "Grace", { schema: Schema.String, ttl: "1 minute" })
 *   yield* cache.set(Names, { id: "3" }, "Edsger")
 *   yield* Names.invalidate({ id: "3" })
 *   return yield* cache.getMany(Names, [{ id: "1" }, { id: "2" }, { id: "3" }])
 * })
 * const found = await Effect.runPromise(program.pipe(Effect.provide(CacheMemory.layer())))
 * assert.deepEqual(found, [Option.some("Ada"), Option.some("Grace"), Option.none()])
 * ```
 */
export class CacheClient extends Context.Service<
  CacheClient,
  {
    /**
     * The value of a key, when there is a valid entry written with this schema: `get(key, schema)`, or
     * `get(Users, { userId: "1" })`, where an entry that lacks a fixed tag of the region is none. A cached `undefined` or `null` is
     * a hit. An entry of another schema, or bytes that are none, are a miss. Never loads. Fails with `InvalidKey` when the
     * parameters make no key.
     */
    readonly get: <Of extends string | AnyRegion, A, I, RD, RE>(
      of: Of,
      by: If<Of, KeyOf<Of>, Schema.Codec<A, I, RD, RE>>
    ) => Effect.Effect<Option.Option<ValueOf<Of, A>>, CacheError, If<Of, SchemaOf<Of>["DecodingServices"], RD>>

    /**
     * The values of many keys, in their order, as `get` gives each of them: in one trip for each thousand; one more when
     * tags of theirs are not known here yet. Never loads. `getMany(keys, schema)`, for keys whose values share a schema, or
     * `getMany(Users, [{ userId: "1" }, { userId: "2" }])`; one list of parameters that makes no key fails all (`InvalidKey`).
     */
    readonly getMany: <Of extends Strings | AList | AnyRegion, A, I, RD, RE>(
      of: Of,
      by: If<Of, Iterable<KeyOf<Of>>, Schema.Codec<A, I, RD, RE>>
    ) => Effect.Effect<
      ReadonlyArray<Option.Option<ValueOf<Of, A>>>,
      CacheError,
      If<Of, SchemaOf<Of>["DecodingServices"], RD>
    >

    /**
     * Stores a value: `set(key, value, { schema, ttl, tags })`, or `set(Users, { userId: "1" }, user)` with the lifetime, tags and
     * prefix of the region. What cannot be stored (it does not encode, its `ttl` is none) fails with `CacheError`.
     *
     * Older loads of the key in flight do not overwrite it; if an invalidation or a newer write overtakes it,
     * it stores nothing. Beside a `writeThrough` of the key that is under way neither stores its value. A store that is full keeps nothing either, nor what was there before: the next read loads.
     *
     * What the caller had read before calling is the caller's to answer for: between that read and this call an invalidation
     * may have come. Where that matters, use a pattern, which begins before the read.
     */
    readonly set: <Of extends string | AnyRegion, A, I, RD, RE>(
      of: Of,
      valueOrParams: If<Of, KeyOf<Of>, NoInfer<A>>,
      optionsOrValue: If<Of, SchemaOf<Of>["Type"], SetOptions<A, I, RD, RE>>
    ) => Effect.Effect<void, CacheError, If<Of, SchemaOf<Of>["EncodingServices"], RE>>

    /** Removes the keys, and stops loads of them in flight from storing what they are about to compute. */
    readonly invalidateKeys: (keys: Strings | AList) => Effect.Effect<void, CacheError>

    /** The same for all keys that match; `*` stands for any characters, also none. Its cost grows with the store. */
    readonly invalidatePattern: (pattern: string) => Effect.Effect<void, CacheError>

    /** Makes every entry that bears one of the tags invalid. Its cost does not depend on how many there are. */
    readonly invalidateTags: (tags: Strings | AList) => Effect.Effect<void, CacheError>

    /** Adds tags to a valid entry, which keeps its value and remaining TTL. `false`: there is none. */
    readonly tag: (key: string, tags: Strings | AList) => Effect.Effect<boolean, CacheError>

    /** Removes everything in the namespace. */
    readonly clear: Effect.Effect<void, CacheError>

    /** The figures of `getCacheStats`: the counters, and the size of the store, which costs a trip; cannot fail. */
    readonly stats: Effect.Effect<CacheStats>

    /** The counters alone, of this process, without a trip; cannot fail. */
    readonly counters: Effect.Effect<CacheCounters>
  }
>()("effect-cache/CacheClient") {}
