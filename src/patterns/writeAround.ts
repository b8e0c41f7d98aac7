import type { Effect } from "effect"
import { CacheError } from "../CacheError.ts"
import { type AnyKey, type ArgsOf, normalizeKey } from "../CacheKey.ts"
import type { OnCacheError, RegionOptions, RegionParams } from "../CacheRegion.ts"
import type { Plan } from "../engine/contract.ts"
import type { Anything } from "../internal/erased.ts"
import { invalidOptionAs } from "../internal/invalidOption.ts"
import { knownOptions, type Names } from "../internal/knownOptions.ts"
import type { Is, Said, Some } from "../internal/said.ts"
import type { AList, AnOnCacheError, BesideRegion } from "../internal/strings.ts"
import { strings } from "../region/checks.ts"
import {
  checkMore,
  checkOptions,
  makeUnsafe,
  type Options,
  type Region,
  regionNames,
  resolveUnsafe
} from "../region/region.ts"
import { type Given, isLoad, type Load, type Second, type SettingsOf } from "./cached.ts"
import type { ErrorIn, FailureOf, ServicesIn, ShapeOf } from "./shape.ts"
import type { Fault, Free } from "./fault.ts"
import {
  type AnyLists,
  asksPrevious,
  checkLists,
  type IsPlain,
  type Lists,
  type RequestOf,
  type ValueOf,
  wrapWrite,
  type WrapAny,
  type WriteCall,
  type WriteOf,
  writeNames,
  type Written
} from "./writing.ts"

/** What a write around the cache makes invalid besides its entry. `V` is what it returns, `A` what is cached. */
export interface AroundOptions<V, T extends AnyKey, A> extends Lists<Written<V, RegionParams<T>, A>> {}

/** The keys of a write around the cache, and what it makes invalid besides. `P` is its first argument. */
export interface KeysOptions<V, P, F extends OnCacheError> extends Lists<Written<V, P>> {
  /**
   * The keys that the write makes old, as readers build them (`getUser.key({ userId })`), of whatever region, or a function of the
   * first argument that lists them. Thousands are well; for all that a pattern or a tag covers, list that.
   */
  readonly keys: ReadonlyArray<string> | AList | ((params: P) => ReadonlyArray<string>)
  /** As that of a region. With `"fail"` a text that is no key fails the call before the write. */
  readonly onCacheError?: F | AnOnCacheError | undefined
  readonly key?: undefined
  readonly schema?: undefined
}

/** A region, or its options, and what a write of it makes old. */
export interface RegionAround<T extends AnyKey, A, I, RD, RE, F extends OnCacheError, V>
  extends RegionOptions<T, A, I, RD, RE, F>,
    AroundOptions<V, NoInfer<T>, NoInfer<A>> {
  readonly keys?: undefined
}

/** What the compiler prints of what is neither. */
type Wanted = "give a region or { keys }, and the write: writeAround(region)(write), or writeAround(write, region)"

/** By `keys` there is no template, and `T` is never. */
type RegionOrKeys<_Wanted extends string, T extends AnyKey, A, I, RD, RE, F extends OnCacheError, V, P> =
  | RegionAround<T, A, I, RD, RE, F, V>
  | KeysOptions<V, P, F>

/** What is added to a region. */
type More<L, V> =
  SettingsOf<L> extends { key: infer T extends AnyKey; value: infer A } ? AroundOptions<V, T, A> & BesideRegion : never

/** The first of two arguments: a region, or the write that the options behind it are of. */
type First<L, T extends AnyKey, Args extends ReadonlyArray<unknown>> = L extends Given
  ? [SettingsOf<L>] extends [never]
    ? "no options of a region: they have a wrong type"
    : L
  : L extends { readonly keys: unknown }
    ? "keys are given in one with all options: { keys, ...options }"
    : Some<L> extends Sound<Fault<L, TemplateOf<T>, Free>>
      ? [T] extends [never]
        ? L
        : L extends Effect.Effect<Anything, Anything, Anything>
          ? L
          : L & ((...args: Args) => Effect.Effect<unknown, unknown, unknown>)
      : NoInfer<Fault<L, TemplateOf<T>, Free>>
/**
 * Nothing is wrong; or it is not known yet, of a parameter that is a type parameter. Then it is enough that it has what the key needs,
 * because a write may take anything besides.
 */
type Sound<X> = Is<[X] extends [never] ? 1 : never>
type TemplateOf<T extends AnyKey> = [T] extends [never] ? string : T

/** The first argument of a write. An effect has none. */
type FirstOf<L> = L extends (...args: infer Args extends ReadonlyArray<Anything>) => unknown ? Args[0] : never

/** What `previous` is read with. */
type Decoding<L> = L extends { readonly schema: { readonly DecodingServices: infer RD } } ? RD : never

/** What becomes of a region and more. */
type Wrapped<L, V> =
  SettingsOf<L> extends { key: infer T extends AnyKey; failure: infer X } ? WrapAround<T, V, X, Decoding<L>> : never

/** The signature of `writeAround`: of a region or of keys; curried, with a region and more, or data-first. */
export interface WriteAround {
  <
    const T extends AnyKey = never,
    A = unknown,
    I = unknown,
    RD = never,
    RE = never,
    F extends OnCacheError = "bypass",
    V = unknown,
    P = unknown
  >(
    options: RegionOrKeys<Wanted, T, A, I, RD, RE, F, V, P>
  ): [T] extends [never] ? WrapFrom<P, V, FailureOf<F>> : WrapAround<T, V, FailureOf<F>, RD>
  <
    const L,
    Args extends [T] extends [never] ? ReadonlyArray<unknown> : ArgsOf<T>,
    const T extends AnyKey = never,
    A = unknown,
    I = unknown,
    RD = never,
    RE = never,
    F extends OnCacheError = "bypass",
    V = unknown
  >(
    first: First<L, T, Args>,
    second: Second<L, More<L, V>, RegionOrKeys<Wanted, T, A, I, RD, RE, F, ValueOf<L>, FirstOf<L>>>
  ): L extends Given ? Wrapped<L, V> : WriteOf<L, FailureOf<F>, RD>
}

/** What wraps a write of a key: a function when the key has placeholders, an effect (or any function) when it has none. */
export type WrapAround<T extends AnyKey, V, X, S> =
  IsPlain<T> extends true
    ? WrapAny<Said<{ value: V; error: X; services: S }>>
    : WrapRegion<Said<{ key: T; value: V; error: X; services: S }>>

/** What wraps a write of keys: any when they are fixed, a function of what they are made of when they are not. */
type WrapFrom<P, V, X> =
  Some<V> extends Is<unknown extends P ? never : 1>
    ? WrapKeys<Said<{ params: P; value: V; error: X }>>
    : WrapAny<Said<{ value: V; error: X }>>

interface Awaiting {
  readonly value: unknown
  readonly error?: unknown
  readonly services?: unknown
}

/** What wraps a write of a key with placeholders: a function whose parameters have them. */
export interface WrapRegion<W extends Awaiting & { readonly key: AnyKey }> {
  // biome-ignore lint/style/useShorthandFunctionType: editors print an interface by its name, and a function in full
  <L, Args extends ArgsOf<W["key"]>, A extends W["value"], E, R>(
    write: Some<L> extends Sound<Fault<L, W["key"], Free>>
      ? L & ((...args: Args) => Effect.Effect<A, E, R>)
      : NoInfer<Fault<L, W["key"], Free>>
  ): WriteCall<ShapeOf<L, Args, A, E | ErrorIn<W>, R | ServicesIn<W>, never>>
}

/** What wraps a write whose keys are made of its first argument. */
export interface WrapKeys<W extends Awaiting & { readonly params: unknown }> {
  // biome-ignore lint/style/useShorthandFunctionType: editors print an interface by its name, and a function in full
  <L, Args extends readonly [W["params"], ...ReadonlyArray<unknown>], A extends W["value"], E, R>(
    write: [Fault<L, string, Free>] extends [never]
      ? L & ((...args: Args) => Effect.Effect<A, E, R>)
      : NoInfer<Fault<L, string, Free>>
  ): WriteCall<ShapeOf<L, Args, A, E | ErrorIn<W>, R, never>>
}

type AroundSpec = AnyLists &
  (Options | { readonly key?: undefined; readonly keys?: KeysOptions<unknown, unknown, OnCacheError>["keys"] })

/**
 * Write-around: run a write that leaves nothing to store, such as a delete or one of many rows, and invalidate what it made stale.
 *
 * The entries are removed before the write, and no reader stores what he loaded until it has ended; so a writer that dies leaves
 * empty slots, as with `writeThrough`. After the write they are empty, too. What it returns is handed on as it is, without a schema.
 * That a row is gone is no `CacheError`.
 *
 * Of a region, the key is made of the arguments. With `keys`, it is about many, of whatever regions: each is held once, and lists get
 * the first argument as `params`. Lists and `onCacheError` are as with `writeThrough`. Many keys are taken over one step after the
 * other, so it is not atomic over them.
 *
 * It is no cached function: `.key`, `.peek`, `.invalidate`, `.refresh` and `.clear` are those of the function that reads.
 *
 * @example
 * ```ts
 * import { Effect, Option, Schema } from "effect"
 * import { cacheAside, CacheMemory, CacheRegion, writeAround } from "effect-cache"
 *
 * const names = new Map([["1", "Ada"], ["2", "Grace"]])
 * const Names = CacheRegion.make({ key: "name:{id}", schema: Schema.Option(Schema.String), ttl: "5 minutes" })
 * const getName = cacheAside(Names)(({ id }: { readonly id: string }) =>
 *   Effect.sync(() => Option.fromUndefinedOr(names.get(id)))
 * )
 * const deleteName = writeAround(Names, { invalidatePatterns: ["names:list:*"] })(({ id }: { readonly id: string }) =>
 *   Effect.sync(() => void names.delete(id))
 * )
 * const deleteNames = writeAround({
 *   keys: ({ ids }: { readonly ids: ReadonlyArray<string> }) => ids.map((id) => getName.key({ id })),
 *   invalidatePatterns: ["names:list:*"]
 * })(({ ids }: { readonly ids: ReadonlyArray<string> }) => Effect.sync(() => ids.filter((id) => names.delete(id)).length))
 * const program = Effect.gen(function*() {
 *   yield* Effect.all([getName({ id: "1" }), getName({ id: "2" })])
 *   yield* deleteName({ id: "1" })
 *   assert.equal(yield* deleteNames({ ids: ["1", "2"] }), 1)
 *   return yield* Effect.all([getName({ id: "1" }), getName({ id: "2" })])
 * })
 * const found = await Effect.runPromise(program.pipe(Effect.provide(CacheMemory.layer())))
 * assert.ok(found.every(Option.isNone))
 * ```
 */
export const writeAround: WriteAround = ((first: Load | AroundSpec, second?: AroundSpec) => {
  const make = (options: AroundSpec, more?: AnyLists) => {
    const { key, keys } = Object(options) as Record<string, unknown>
    if (key !== undefined) checkOptions(options as Options, writeNames)
    else knownOptions(options, { ...keysNames, ...(keys === undefined ? regionNames : undefined) })
    if (keys !== undefined && more !== undefined) {
      throw invalidOptionAs("options", "given beside { keys }", "all in one: { keys, ...options }")
    }
    checkMore(more, writeNames)
    const lists = checkLists({ ...options, ...more })
    const { region, requestOf } =
      options.key === undefined ? manyOf(options as never) : oneOf(options, asksPrevious(lists))
    const planOf = (load: Plan["load"]): Plan => ({
      region,
      load,
      leaseMillis: undefined,
      wait: undefined,
      memory: false
    })
    return (load: Load) => wrapWrite(load, planOf, lists, requestOf)
  }
  return isLoad(first) ? make(second!)(first) : make(first, second)
}) as WriteAround

interface About {
  readonly region: Region
  readonly requestOf: RequestOf
}

const oneOf = (options: Options, asksPrevious: boolean): About => {
  const region = resolveUnsafe(options)
  const { key } = region
  return {
    region,
    requestOf: (args) => {
      const call = key.callOf(
        args,
        orError(() => key.ofArguments(args))
      )
      return {
        keys: typeof call.key === "string" ? [call.key] : call.key,
        params: call.params,
        fills: false,
        asksPrevious
      }
    }
  }
}

const keysNames: Names<Omit<KeysOptions<unknown, unknown, OnCacheError>, "key" | "schema">> = {
  keys: 0,
  onCacheError: 0,
  ...writeNames
}

/** The label in statistics of what belongs to no region. */
const manual = "(writeAround)"

const manyOf = ({ keys, onCacheError }: KeysOptions<unknown, unknown, OnCacheError>): About => {
  const region = {
    ...makeUnsafe({ key: "writeAround", schema: undefined, onCacheError: onCacheError as never }),
    name: manual
  }
  const paramsOf = (args: ReadonlyArray<unknown>) => region.key.callOf(args, manual).params
  if (typeof keys === "function") {
    return {
      region,
      requestOf: (args) => {
        const params = paramsOf(args)
        return { keys: orError(() => strings("keys", keys(params))), params, fills: false }
      }
    }
  }
  // What is fixed is checked now, not at the first write.
  const fixed = strings("keys", keys)
  fixed.forEach(normalizeKey)
  return { region, requestOf: (args) => ({ keys: fixed, params: paramsOf(args), fills: false }) }
}

/** What else is thrown is a defect. */
const orError = <A>(make: () => A): A | CacheError => {
  try {
    return make()
  } catch (error) {
    if (error instanceof CacheError) return error
    throw error
  }
}
