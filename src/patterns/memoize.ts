import type { Effect, Schema } from "effect"
import { type AnyKey, type ArgsOf, buildCacheKey, type CompiledKey, normalizeKey } from "../CacheKey.ts"
import type { RegionSettings } from "../CacheRegion.ts"
import type { Plan } from "../engine/contract.ts"
import type { Anything } from "../internal/erased.ts"
import { invalidOption, invalidOptionAs } from "../internal/invalidOption.ts"
import { knownOptions, type Names } from "../internal/knownOptions.ts"
import type { Is, Said, Some } from "../internal/said.ts"
import type { AKey } from "../internal/strings.ts"
import { fromArguments } from "../key/arguments.ts"
import { canonicalArguments } from "../key/canonicalArguments.ts"
import { wholeNumber } from "../region/checks.ts"
import { checkKey, makeUnsafe, type Options, regionNames } from "../region/region.ts"
import { checkIgnore, isLoad, type Load, type ReadOptions, wrap } from "./cached.ts"
import type { CachedLoader, IgnoreIn, ServicesIn } from "./shape.ts"
import type { ArityFault, Fault, Giving, OfSchema } from "./fault.ts"
import type { ValueOf } from "./writing.ts"

declare const loaded: unique symbol
/** In place of a value type: there is no schema, and the type is what the loader gives. */
type Loaded = typeof loaded

type Value<A> = [A] extends [Loaded] ? unknown : A
type Settings<T extends AnyKey, A> = Omit<
  RegionSettings<Value<NoInfer<A>>, [T] extends [never] ? string : NoInfer<T>, "bypass">,
  "onCacheError"
>

/** Memoizes under a name. */
export interface MemoizeByName<N extends number> {
  /** Unique among all that shares the store. */
  readonly name: string
  /**
   * How many arguments are in the key. Default: as many as the function declares, its `length`. What else it is called with, as by
   * `map`, is not. Optional and rest arguments do not count in `length`, nor what stands behind one with a default, so who has them says it;
   * nobody is told to without types, nor of a rest of fixed length, `(a, ...[b, c]: [B, C])`, which types show as two arguments.
   */
  readonly arity?: N | undefined
  readonly key?: undefined
  readonly ignore?: undefined
  /** Every function has a `name`, and is no options for that. */
  readonly [Symbol.hasInstance]?: undefined
}

/** Memoizes under a key template. */
export interface MemoizeByKey<T extends AnyKey, Ig extends string | number> extends ReadOptions<Ig> {
  readonly key: T | AKey
  readonly name?: undefined
  readonly arity?: undefined
}

/** What the compiler prints of what is none of its options. */
type Wanted = "memoize needs { name }: write memoize({ name })(loader), or memoize(loader, { name })"

/** What `memoize` takes: a name or a key, and a schema where values are to be stored in the cache. */
export type MemoizeOptions<
  _Wanted extends string,
  T extends AnyKey,
  A,
  I,
  RD,
  RE,
  Ig extends string | number,
  N extends number
> = Settings<T, A> & {
  /** Values are stored in the cache, through this codec. Without one they never leave the process. */
  readonly schema?: Schema.Codec<A, I, RD, RE> | undefined
} & (MemoizeByName<N> | MemoizeByKey<T, Ig>)

/** What the arguments are without types of their own: by name anything, but not `any`. */
type Taken<T extends AnyKey> = [T] extends [never] ? ReadonlyArray<unknown> : ArgsOf<T>

/** `T` is never where there is a name. */
type MemoFault<L, T extends AnyKey, Ig, N> = [T] extends [never] ? ArityFault<L, N> : Fault<L, T, Ig>

/**
 * The function itself, or what is wrong with it. By name and without a schema nothing is known of its arguments nor of its value, so
 * that it is read as if it stood alone: what has no type there is told so, and a default gives one.
 */
type Memo<L, T extends AnyKey, A, Args extends ReadonlyArray<Anything>, Ig, N> = [MemoFault<L, T, Ig, N>] extends [
  never
]
  ? [T, A] extends [never, Loaded]
    ? L
    : L &
        (
          | Effect.Effect<NoInfer<Value<A>>, Anything, Anything>
          | Giving<OfSchema, Args, NoInfer<Value<A>>, Anything, Anything>
        )
  : NoInfer<MemoFault<L, T, Ig, N>>

type Memoized<L, A, S> = CachedLoader<L, Some<L> extends Is<Exclude<A, Loaded>> ? A : ValueOf<L>, S, never>

/** What `memoize` knows while it awaits its function: the key or that it has a name, and what else there is. */
interface Awaiting {
  readonly name?: string
  readonly key?: AnyKey
  readonly value?: unknown
  readonly ignore?: unknown
  readonly arity?: unknown
  readonly services?: unknown
}
type KeyIn<W> = W extends { readonly key: infer T extends AnyKey } ? T : never
type ValueIn<W> = W extends { readonly value: infer A } ? A : Loaded
type ArityIn<W> = W extends { readonly arity: infer N } ? N : never

/** What wraps a loader for a name or a key. */
export interface WrapMemo<W extends Awaiting> {
  // biome-ignore lint/style/useShorthandFunctionType: editors print an interface by its name, and a function in full
  <L, Args extends Taken<KeyIn<W>>>(
    load: Memo<L, KeyIn<W>, ValueIn<W>, Args, IgnoreIn<W>, ArityIn<W>>
  ): Memoized<L, ValueIn<W>, ServicesIn<W>>
}

// Never `never`, which a name makes of `T`: see `Some`.
type AwaitingOf<T extends AnyKey, A, S, Ig, N> =
  Some<T | ""> extends Is<Exclude<A, Loaded>>
    ? [T] extends [never]
      ? Said<{ name: string; arity: N; value: A; services: S }>
      : Said<{ key: T; value: A; ignore: Ig; services: S }>
    : [T] extends [never]
      ? Said<{ name: string; arity: N }>
      : Said<{ key: T; ignore: Ig }>

/** The signature of `memoize`: curried or data-first. */
export interface Memoize {
  <
    const T extends AnyKey = never,
    A = Loaded,
    I = unknown,
    RD = never,
    RE = never,
    const Ig extends string | number = never,
    const N extends number = never
  >(
    options: MemoizeOptions<Wanted, T, A, I, RD, RE, Ig, N>
  ): WrapMemo<AwaitingOf<T, A, RD | RE, Ig, N>>
  <
    L,
    Args extends Taken<T>,
    const T extends AnyKey = never,
    A = Loaded,
    I = unknown,
    RD = never,
    RE = never,
    const Ig extends string | number = never,
    const N extends number = never
  >(
    load: Memo<L, T, A, Args, Ig, N>,
    options: MemoizeOptions<Wanted, T, A, I, RD, RE, Ig, N>
  ): Memoized<L, A, RD | RE>
}

/** The key of a name and an argument list: canonical, so structurally equal arguments share, and nothing else does. */
const namedKey = (name: string, prefix: string | undefined, arity: number | undefined): CompiledKey => {
  const head = buildCacheKey("memo:{name}:", { params: { name }, prefix })
  const build: CompiledKey["buildUnsafe"] = (args) => {
    const all = args as ReadonlyArray<unknown>
    return normalizeKey(
      head + canonicalArguments(arity === undefined || all.length <= arity ? all : all.slice(0, arity))
    )
  }
  return {
    template: `memo:${name}`,
    prefix: prefix ?? "",
    placeholders: [],
    positional: true,
    pattern: `${head}*`,
    buildUnsafe: build,
    ...fromArguments(true, build)
  }
}

type AnyOptions = Options &
  ReadOptions<string | number> &
  Partial<Pick<MemoizeByName<number>, "arity">> & { readonly name?: string | undefined }

const known: Names<AnyOptions> = { name: 0, arity: 0, ...regionNames, ignore: 0 }

const plan = (options: AnyOptions): ((load: Plan["load"]) => Plan) => {
  knownOptions(options, known)
  const { arity, ignore, key, name } = options
  checkIgnore(ignore, key)
  if (name === undefined) {
    if (key === undefined) throw invalidOptionAs("options", "without a name", "a name, or a key with its placeholders")
    checkKey(key)
  } else {
    if (typeof name !== "string") throw invalidOption("name", name, "a text")
    if (key !== undefined) throw invalidOption("key", key, "none beside a name: one of the two")
  }
  if (name === undefined && arity !== undefined) {
    throw invalidOption("arity", arity, "none beside a key, which says what it is made of")
  }
  if (name !== undefined && ignore !== undefined) {
    throw invalidOption("ignore", ignore, "none beside a name: arity says how many arguments are in the key")
  }
  if (arity !== undefined) wholeNumber("arity", arity, 0)
  const region = makeUnsafe(name === undefined ? options : { ...options, key: namedKey(name, options.prefix, arity) })
  const planOf = (region: Plan["region"], load: Plan["load"]): Plan => ({
    region,
    load,
    leaseMillis: undefined,
    wait: undefined,
    memory: true
  })
  if (name === undefined || arity !== undefined) return (load) => planOf(region, load)
  // One that declares none may take any number: all of them count then, so that without types nothing is shared by mistake.
  return (load) =>
    planOf(load.length === 0 ? region : { ...region, key: namedKey(name, options.prefix, load.length) }, load)
}

/**
 * Memoize: keep what a function returned for its arguments. For pure functions, short-lived.
 *
 * By `name`, the key is made of the arguments that the function declares, so that `map` and `forEach`, which add an index, change
 * nothing; one with optional or rest arguments says how many count, with `arity`. Structurally equal ones share, in any order of properties;
 * `1` and `"1"`, `0` and `-0`, Dates, bigints, Maps, Sets and `undefined` are told apart; functions, symbols and cycles are `InvalidKey`,
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
export const memoize: Memoize = ((first: unknown, second: AnyOptions) => {
  if (isLoad(first)) {
    if (second === undefined) {
      throw invalidOptionAs("memoize", "given a loader alone", "options too: memoize needs { name }, or { key }")
    }
    return wrap(first, plan(second))
  }
  if (second !== undefined)
    throw invalidOptionAs("memoize", "given two options", "all in the first: { ...options, ttl }")
  const make = plan(first as AnyOptions)
  return (load: Load) => wrap(load, make)
}) as never
