/**
 * The cache of a program, for manual work: read, store, tag, invalidate, measure. Where entries live is the business of
 * `CacheBackend` and `TagIndex`.
 *
 * Functions such as `invalidateKey`, `invalidateTags` and `tagCacheKey` call these methods. Cached functions do not: they go to
 * the engine behind the client. So the `invalidateKeys` of a decorated client is not asked by `.invalidate`, `.clear` or
 * `writeThrough`. `docs/testing.md` shows how to mock and to decorate a client.
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
import type { CacheCounters, CacheStats } from "./CacheStats.ts"

/** What `set` stores a value with. */
export interface SetOptions<A, I, RD, RE> {
  /** Any codec; read it back with the same one. */
  readonly schema: Schema.Codec<A, I, RD, RE>
  /** Time to live, positive. Default: `CacheConfig.defaultTtl`. */
  readonly ttl?: Duration.Input | undefined
  readonly tags?: ReadonlyArray<string> | undefined
}

/** The cache of a program, for manual work: read, store, tag, invalidate, measure. */
export class CacheClient extends Context.Service<
  CacheClient,
  {
    /**
     * The value of a key, when there is a valid entry written with this schema. A cached `undefined` or `null` is a hit. An
     * entry of another schema, or bytes that are none, are a miss.
     */
    readonly get: <A, I, RD, RE>(
      key: string,
      schema: Schema.Codec<A, I, RD, RE>
    ) => Effect.Effect<Option.Option<A>, CacheError, RD>

    /**
     * The values of many keys, in their order, as `get` gives each of them: in one trip for each thousand; one more when
     * tags of theirs are not known here yet. Never loads. For keys whose values share a schema.
     */
    readonly getMany: <A, I, RD, RE>(
      keys: Iterable<string>,
      schema: Schema.Codec<A, I, RD, RE>
    ) => Effect.Effect<ReadonlyArray<Option.Option<A>>, CacheError, RD>

    /**
     * Stores a value. Older loads of the key in flight do not overwrite it; if an invalidation or a newer write overtakes it,
     * it stores nothing. Beside a `writeThrough` of the key that is under way neither stores its value. A store that is full keeps nothing either, nor what was there before: the next read loads.
     *
     * What the caller had read before calling is the caller's to answer for: between that read and this call an invalidation
     * may have come. Where that matters, use a pattern, which begins before the read.
     */
    readonly set: <A, I, RD, RE>(
      key: string,
      value: NoInfer<A>,
      options: SetOptions<A, I, RD, RE>
    ) => Effect.Effect<void, CacheError, RE>

    /** Removes the keys, and stops loads of them in flight from storing what they are about to compute. */
    readonly invalidateKeys: (keys: Iterable<string>) => Effect.Effect<void, CacheError>

    /** The same for all keys that match; `*` stands for any characters, also none. Its cost grows with the store. */
    readonly invalidatePattern: (pattern: string) => Effect.Effect<void, CacheError>

    /** Makes every entry that bears one of the tags invalid. Its cost does not depend on how many there are. */
    readonly invalidateTags: (tags: Iterable<string>) => Effect.Effect<void, CacheError>

    /** Adds tags to a valid entry, which keeps its value and remaining TTL. `false`: there is none. */
    readonly tag: (key: string, tags: Iterable<string>) => Effect.Effect<boolean, CacheError>

    /** Removes everything in the namespace. */
    readonly clear: Effect.Effect<void, CacheError>

    /** The figures of `getCacheStats`: the counters, and the size of the store, which costs a trip. */
    readonly stats: Effect.Effect<CacheStats, CacheError>

    /** The counters alone, of this process; cannot fail. */
    readonly counters: Effect.Effect<CacheCounters>
  }
>()("effect-cache/CacheClient") {}
