import type { Effect, Schema } from "effect"
import { type ArgsOf, buildCacheKey, type CompiledKey, normalizeKey, type PlaceholderNames } from "../CacheKey.ts"
import type { RegionSettings } from "../CacheRegion.ts"
import type { Plan } from "../engine/contract.ts"
import { canonicalArguments } from "../key/canonicalArguments.ts"
import { makeUnsafe, type Options } from "../region/region.ts"
import {
  type Cached,
  type CachedEffect,
  type CachedLoader,
  isLoad,
  type Load,
  type Loader,
  wrap,
  type Wrap
} from "./cached.ts"

type Settings<A, T extends string> = Omit<RegionSettings<NoInfer<A>, NoInfer<T>, "bypass">, "onCacheError">

/** Memoizes under a name: the key is made of the name and the arguments. */
export interface NamedOptions<A, I, RD, RE> extends Settings<A, string> {
  /** Unique among all that shares the store. */
  readonly name: string
  readonly key?: undefined
  /** Values are stored in the cache, through this codec. */
  readonly schema: Schema.Codec<A, I, RD, RE>
}

/** Memoizes under a key template. */
export interface KeyedOptions<T extends string, A, I, RD, RE> extends Settings<A, T> {
  readonly key: T
  readonly name?: undefined
  readonly schema: Schema.Codec<A, I, RD, RE>
}

/** Memoizes under a name, values of any type, which never leave the process. */
export interface LocalNamedOptions extends Settings<unknown, string> {
  readonly name: string
  readonly key?: undefined
  readonly schema?: undefined
}

/** Memoizes under a key template, values of any type, which never leave the process. */
export interface LocalKeyedOptions<T extends string> extends Settings<unknown, T> {
  readonly key: T
  readonly name?: undefined
  readonly schema?: undefined
}

type AnyLoader = Loader<unknown, never>

/** The type of value a loader gives. */
type ValueOf<L> =
  L extends Effect.Effect<infer A, unknown, unknown>
    ? A
    : L extends (...args: never) => Effect.Effect<infer A, unknown, unknown>
      ? A
      : never

/** The signature of `memoize`: curried or data-first; by name or by key; with a schema or within the process. */
export interface Memoize {
  <A, I, RD, RE>(
    options: NamedOptions<A, I, RD, RE>
  ): <L extends Loader<A, never>>(load: L) => CachedLoader<L, A, RD | RE, never>
  <const T extends string, A, I, RD, RE>(options: KeyedOptions<T, A, I, RD, RE>): Wrap<T, A, RD | RE, never>
  (options: LocalNamedOptions): <L extends AnyLoader>(load: L) => CachedLoader<L, ValueOf<L>, never, never>
  <const T extends string>(
    options: LocalKeyedOptions<T>
  ): [PlaceholderNames<T>] extends [never]
    ? <L extends Loader<unknown, []>>(load: L) => CachedLoader<L, ValueOf<L>, never, never>
    : <Args extends ArgsOf<T>, A, E, R>(load: (...args: Args) => Effect.Effect<A, E, R>) => Cached<Args, A, E, R>
  <A, I, RD, RE, E, R>(
    load: Effect.Effect<NoInfer<A>, E, R>,
    options: NamedOptions<A, I, RD, RE>
  ): CachedEffect<A, E, R, RD | RE>
  <A, I, RD, RE, Args extends ReadonlyArray<unknown>, E, R>(
    load: (...args: Args) => Effect.Effect<NoInfer<A>, E, R>,
    options: NamedOptions<A, I, RD, RE>
  ): Cached<Args, A, E, R, RD | RE>
  <const T extends string, A, I, RD, RE, Args extends ArgsOf<T>, E, R>(
    load: (...args: Args) => Effect.Effect<NoInfer<A>, E, R>,
    options: KeyedOptions<T, A, I, RD, RE>
  ): Cached<Args, A, E, R, RD | RE>
  <A, E, R>(load: Effect.Effect<A, E, R>, options: LocalNamedOptions): CachedEffect<A, E, R>
  <Args extends ReadonlyArray<unknown>, A, E, R>(
    load: (...args: Args) => Effect.Effect<A, E, R>,
    options: LocalNamedOptions
  ): Cached<Args, A, E, R>
  <const T extends string, Args extends ArgsOf<T>, A, E, R>(
    load: (...args: Args) => Effect.Effect<A, E, R>,
    options: LocalKeyedOptions<T>
  ): Cached<Args, A, E, R>
}

/** The key of a name and an argument list: canonical, so structurally equal arguments share, and nothing else does. */
const namedKey = (name: string, prefix: string | undefined): CompiledKey => {
  const head = buildCacheKey("memo:{name}:", { params: { name }, prefix })
  return {
    template: `memo:${name}`,
    prefix: prefix ?? "",
    placeholders: [],
    positional: true,
    pattern: `${head}*`,
    buildUnsafe: (args) => normalizeKey(head + canonicalArguments(args as ReadonlyArray<unknown>))
  }
}

const plan = (options: Options & { readonly name?: string | undefined }): ((load: Plan["load"]) => Plan) => {
  const region = makeUnsafe(
    options.name === undefined ? options : { ...options, key: namedKey(options.name, options.prefix) }
  )
  return (load) => ({ region, load, leaseMillis: undefined, wait: undefined, memory: true })
}

/**
 * Memoize: keep what a function returned for its arguments. For pure functions, short-lived.
 *
 * By `name`, the key is made of all arguments: structurally equal ones share, in any order of properties; `1` and `"1"`,
 * `0` and `-0`, Dates, bigints, Maps, Sets and `undefined` are told apart; functions, symbols and cycles are `InvalidKey`,
 * and the call goes uncached. By `key`, it is made of the named parameters, as in every pattern.
 *
 * With a schema, values go through the store; when that fails, they are kept in memory for up to ten seconds. Without
 * one, they never leave the process. On a layer with `isolation: "clone"`, values without a schema are cached only if a
 * structured clone gives them back as they were: see `CacheMemory.layer`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CacheMemory, memoize } from "effect-cache"
 *
 * let runs = 0
 * const area = memoize({ name: "area", ttl: "1 minute" })((box: { readonly w: number; readonly h: number }) =>
 *   Effect.sync(() => {
 *     runs++
 *     return box.w * box.h
 *   })
 * )
 * const program = Effect.all([area({ w: 2, h: 3 }), area({ h: 3, w: 2 })])
 * assert.deepEqual(await Effect.runPromise(program.pipe(Effect.provide(CacheMemory.layer()))), [6, 6])
 * assert.equal(runs, 1)
 * ```
 */
export const memoize: Memoize = ((first: unknown, second: Options) => {
  if (isLoad(first)) return wrap(first, plan(second))
  const make = plan(first as Options)
  return (load: Load) => wrap(load, make)
}) as never
