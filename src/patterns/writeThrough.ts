import type { AnyKey, KeyParams } from "../CacheKey.ts"
import type { OnCacheError, RegionOptions, RegionParams } from "../CacheRegion.ts"
import type { Plan } from "../engine/contract.ts"
import { invalidOption } from "../internal/invalidOption.ts"
import type { Said } from "../internal/said.ts"
import type { AKeyOf, ARegion, BesideRegion } from "../internal/strings.ts"
import { checkMore, checkOptions, type Options, resolveUnsafe } from "../region/region.ts"
import { type Call, type First, type Given, isLoad, type Load, type Second, type SettingsOf, wrap } from "./cached.ts"
import type { FreeOrKeyOf } from "./fault.ts"
import type { CachedLoader, FailureOf, Wrap } from "./shape.ts"
import {
  type AnyLists,
  asksPrevious,
  checkLists,
  intentOf,
  listed,
  type Lists,
  type ValueOf,
  wrapWrite,
  type WrapAny,
  writeNames,
  type WriteOf,
  type Written
} from "./writing.ts"

/** What a completed write makes invalid besides its own entry: lists, or functions of what was written. */
export interface WriteOptions<A, T extends AnyKey, V = A> extends Lists<Written<V, RegionParams<T>, A>> {}

/** Nobody has one; that it could be one lets the compiler see a list as one of places. */
type Places = readonly [never]

/** How a write tells the key of a row that is known only after it. `K` is the type of `keyOf`, `unknown` where there is none. */
export interface CreateOptions<A, T extends AnyKey, K> {
  /**
   * The parameters of the key, from what the write returned: an object by name, or a list by position. The wrapped function's
   * arguments need not have them. The slot of that key is emptied after the write and not filled: what is returned may be old by
   * then. The function is no cached one: it has no `.key`, `.peek`, `.invalidate`, `.refresh` and `.clear`.
   */
  readonly keyOf?: (K & ((value: A) => KeyParams<T> | Places)) | AKeyOf | undefined
}

type Inline<T extends AnyKey, A, I, RD, RE, F extends OnCacheError, K, V> = RegionOptions<T, A, I, RD, RE, F> &
  WriteOptions<NoInfer<A>, NoInfer<T>, V> &
  CreateOptions<V, NoInfer<T>, K>

/**
 * Nothing: of this the compiler takes for `O` the names of the options, before it looks at functions among them. So that there is a
 * `keyOf` is known when the write is looked at, and its parameter may have the type of what the write returns.
 */
type Named<O> = [1] extends [O] ? { readonly [K in keyof O]: unknown } : unknown

/** What is added to a region. */
type More<L, K> =
  SettingsOf<L> extends { key: infer T extends AnyKey; value: infer A }
    ? WriteOptions<A, T> & CreateOptions<A, T, K> & BesideRegion
    : never

/** What wraps a write: one whose arguments make the key, or any. */
type WrapWrite<T extends AnyKey, A, S, X, K> = unknown extends K
  ? Wrap<T, A, S, X, FreeOrKeyOf>
  : WrapAny<Said<{ value: A; error: X }>>

type Wrote<L, A, S, X, K> = L extends Given
  ? SettingsOf<L> extends { key: infer T extends AnyKey; value: infer B; services: infer D; failure: infer Y }
    ? WrapWrite<T, B, D, Y, K>
    : never
  : unknown extends K
    ? CachedLoader<L, A, S, X>
    : WriteOf<L, X, never>

/** The signature of `writeThrough`: curried, with a region and more, or data-first. */
export interface WriteThrough {
  <const T extends AnyKey, A, I, RD = never, RE = never, F extends OnCacheError = "bypass", K = unknown>(
    options: Inline<T, A, I, RD, RE, F, K, NoInfer<A>> | ARegion
  ): WrapWrite<T, A, RD | RE, FailureOf<F>, K>
  <
    const L,
    const T extends AnyKey,
    A,
    I,
    RD = never,
    RE = never,
    F extends OnCacheError = "bypass",
    K = unknown,
    O = never
  >(
    first: First<L, "keyOf" extends keyof O ? string : T, A, FreeOrKeyOf>,
    second: Second<L, More<L, K>, Inline<T, A, I, RD, RE, F, K, ValueOf<L>>> & Named<O>
  ): Wrote<L, A, RD | RE, FailureOf<F>, K>
}

const known = { ...writeNames, keyOf: 0 }

type WriteSpec = Options & AnyLists & { readonly keyOf?: ((value: unknown) => unknown) | undefined }

/**
 * Write-through: run the write, store what it returns, and invalidate what it made stale. For writes whose readers must
 * see them at once.
 *
 * The entry is removed before the write and stored after it under a fence: of two writers at once neither leaves its value
 * behind, a reader that loaded the old row cannot store it, and a writer that dies leaves an empty slot. A write that fails
 * leaves the slot empty too. When the write has completed, reads that start later see it or something newer.
 *
 * What it lists is invalidated also when the write failed, apart from what follows from the value. A list that covers the
 * entry itself removes it again, because the entry is stored first. The tags of the entry are no list: a feed tagged `docs` stays as it
 * is when a doc tagged `docs` is written, unless `invalidateOwnTags` says otherwise or the tag is listed.
 *
 * With `keyOf` it creates a row whose key is known only then, such as one that gets its id from the database: the slot of that key is
 * emptied after the write, before the lists. It is not filled, because others may have written the row by then.
 *
 * With `onCacheError: "bypass"` the write runs also when the cache cannot be told of it; that is logged, and made up for before the
 * cache is trusted again. With `"fail"` the call fails before the write has begun,
 * or after it when only the end could not be told; with `keyOf` always after it.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { cacheAside, CacheMemory, CacheRegion, writeThrough } from "effect-cache"
 *
 * const names = new Map([["1", "Ada"]])
 * const Names = CacheRegion.make({ key: "name:{id}", schema: Schema.String, ttl: "5 minutes" })
 * const getName = cacheAside(Names)(({ id }: { readonly id: string }) => Effect.sync(() => names.get(id) ?? "?"))
 * const setName = writeThrough(Names, { invalidatePatterns: ["names:list:*"] })(
 *   ({ id, name }: { readonly id: string; readonly name: string }) => Effect.sync(() => (names.set(id, name), name))
 * )
 * const program = Effect.gen(function*() {
 *   yield* getName({ id: "1" })
 *   yield* setName({ id: "1", name: "Grace" })
 *   return yield* getName({ id: "1" })
 * })
 * assert.equal(await Effect.runPromise(program.pipe(Effect.provide(CacheMemory.layer()))), "Grace")
 * ```
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { cacheAside, CacheMemory, CacheRegion, writeThrough } from "effect-cache"
 *
 * const User = Schema.Struct({ id: Schema.Number, name: Schema.String })
 * const rows: Array<typeof User.Type> = []
 * const Users = CacheRegion.make({ key: "user:{id}", schema: User, ttl: "5 minutes" })
 * const countUsers = cacheAside({ key: "users:count", schema: Schema.Number, ttl: "1 minute" })(
 *   Effect.sync(() => rows.length)
 * )
 * const createUser = writeThrough(Users, { keyOf: (user) => ({ id: user.id }), invalidateKeys: ["users:count"] })(
 *   (name: string) => Effect.sync(() => rows[rows.push({ id: rows.length, name }) - 1]!)
 * )
 * const program = Effect.gen(function*() {
 *   yield* countUsers
 *   yield* createUser("Ada")
 *   return yield* countUsers
 * })
 * assert.equal(await Effect.runPromise(program.pipe(Effect.provide(CacheMemory.layer()))), 1)
 * ```
 */
export const writeThrough: WriteThrough = ((first: Load | WriteSpec, second?: Partial<WriteSpec>) => {
  const make = (options: WriteSpec, more?: Partial<WriteSpec>) => {
    checkOptions(options, known)
    checkMore(more, known)
    const region = resolveUnsafe(options)
    const spec = { ...options, ...more }
    const { keyOf } = spec
    const lists = checkLists(spec)
    const planOf = (load: Plan["load"]): Plan => ({
      region,
      load,
      leaseMillis: undefined,
      wait: undefined,
      memory: false
    })
    if (keyOf === undefined) return (load: Load) => wrap(load, planOf, through(lists, region))
    if (typeof keyOf !== "function") throw invalidOption("keyOf", keyOf, "a function of what was written")
    return (load: Load) => wrapWrite(load, planOf, lists, () => ({ keys: [], params: undefined, fills: false, keyOf }))
  }
  return isLoad(first) ? make(second as WriteSpec)(first) : make(first, second)
}) as WriteThrough

const through = (lists: AnyLists, region: Plan["region"]): Call => {
  const listsOf = listed(lists)
  const intent = intentOf(lists, region)
  const fixed = { fills: true, intent, ownTags: lists.invalidateOwnTags, asksPrevious: asksPrevious(lists) }
  return (engine, { args, key, params, plan, receiver }) =>
    engine.write({ plan, args, receiver, params, keys: typeof key === "string" ? [key] : key, ...fixed }, listsOf)
}
