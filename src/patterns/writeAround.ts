import type { Effect } from "effect"
import { CacheError } from "../CacheError.ts"
import { type ArgsOf, normalizeKey } from "../CacheKey.ts"
import type { OnCacheError, RegionOptions, RegionParams } from "../CacheRegion.ts"
import type { Plan } from "../engine/contract.ts"
import type { Anything } from "../internal/erased.ts"
import type { AList } from "../internal/strings.ts"
import { strings } from "../region/checks.ts"
import { makeUnsafe, type Options, type Region, resolveUnsafe } from "../region/region.ts"
import type { CacheClient } from "../services/CacheClient.ts"
import { type FailureOf, isLoad, type Load } from "./cached.ts"
import type { Fault, Free } from "./fault.ts"
import {
  type AnyLists,
  asksPrevious,
  checkLists,
  type IsPlain,
  type Lists,
  type RequestOf,
  wrapWrite,
  type WrapAny,
  type WriteCall,
  type Written
} from "./writing.ts"

/** What a write around the cache makes invalid besides its entry. `V` is what it returns, `A` what is cached. */
export interface AroundOptions<V, T extends string, A> extends Lists<Written<V, RegionParams<T>, A>> {}

/** The keys of a write around the cache, and what it makes invalid besides. `P` is its first argument. */
export interface KeysOptions<V, P, F extends OnCacheError> extends Lists<Written<V, P>> {
  /**
   * The keys that the write makes old, as readers build them (`getUser.key({ userId })`), of whatever region, or a function of the
   * first argument that lists them. Thousands are well; for all that a pattern or a tag covers, list that.
   */
  readonly keys: ReadonlyArray<string> | AList | ((params: P) => ReadonlyArray<string>)
  /** As that of a region. With `"fail"` a text that is no key fails the call before the write. */
  readonly onCacheError?: F | undefined
}

/** The first argument. */
type First<Args extends ReadonlyArray<unknown>> = Args extends readonly [infer P, ...ReadonlyArray<unknown>]
  ? P
  : unknown

/** The arguments of a write whose keys are made of the first of them. */
type Taking<P> = [unknown] extends [P] ? ReadonlyArray<Anything> : readonly [P, ...ReadonlyArray<Anything>]

/** The signature of `writeAround`: of a region or of keys; curried or data-first. */
export interface WriteAround {
  <const T extends string, A, I, RD, RE, V = unknown, F extends OnCacheError = "bypass">(
    options: RegionOptions<T, A, I, RD, RE, F> & AroundOptions<V, NoInfer<T>, NoInfer<A>>,
    more?: AroundOptions<V, NoInfer<T>, NoInfer<A>>
  ): WrapAround<T, V, FailureOf<F>, RD>
  <V = unknown, F extends OnCacheError = "bypass">(
    options: KeysOptions<V, unknown, F> & { readonly keys: ReadonlyArray<string> }
  ): WrapAny<V, FailureOf<F>, never>
  <P, V = unknown, F extends OnCacheError = "bypass">(
    options: KeysOptions<V, P, F>
  ): <Args extends Taking<P>, A extends V, E, R>(
    write: (...args: Args) => Effect.Effect<A, E, R>
  ) => WriteCall<Args, A, E | FailureOf<F>, R>
  <const T extends string, A, I, RD, RE, V, E, R, F extends OnCacheError = "bypass">(
    write: Effect.Effect<V, E, R>,
    options: RegionOptions<T, A, I, RD, RE, F> & AroundOptions<NoInfer<V>, NoInfer<T>, NoInfer<A>>
  ): IsPlain<T> extends true ? Effect.Effect<V, E | FailureOf<F>, R | RD | CacheClient> : never
  <const T extends string, A, I, RD, RE, Args extends ArgsOf<T>, V, E, R, F extends OnCacheError = "bypass">(
    write: (...args: Args) => Effect.Effect<V, E, R>,
    options: RegionOptions<T, A, I, RD, RE, F> & AroundOptions<NoInfer<V>, NoInfer<T>, NoInfer<A>>
  ): WriteCall<Args, V, E | FailureOf<F>, R | RD>
  <V, E, R, F extends OnCacheError = "bypass">(
    write: Effect.Effect<V, E, R>,
    options: KeysOptions<NoInfer<V>, unknown, F> & { readonly keys: ReadonlyArray<string> }
  ): Effect.Effect<V, E | FailureOf<F>, R | CacheClient>
  <Args extends ReadonlyArray<Anything>, V, E, R, F extends OnCacheError = "bypass">(
    write: (...args: Args) => Effect.Effect<V, E, R>,
    options: KeysOptions<NoInfer<V>, First<NoInfer<Args>>, F>
  ): WriteCall<Args, V, E | FailureOf<F>, R>
}

/** What wraps a write of a key: a function when the key has placeholders, an effect (or any function) when it has none. */
export type WrapAround<T extends string, V, X, S> =
  IsPlain<T> extends true
    ? WrapAny<V, X, S>
    : <L, Args extends ArgsOf<T>, A extends V, E, R>(
        write: [Fault<L, T, Free>] extends [never]
          ? L & ((...args: Args) => Effect.Effect<A, E, R>)
          : NoInfer<Fault<L, T, Free>>
      ) => WriteCall<Args, A, E | X, R | S>

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
    requestOf: (args) => ({
      keys: orError(() => [key.buildUnsafe(key.positional ? args : ((args[0] ?? {}) as Record<string, unknown>))]),
      fills: false,
      asksPrevious
    })
  }
}

/** The label in statistics of what belongs to no region. */
const manual = "(writeAround)"

const manyOf = ({ keys, onCacheError }: KeysOptions<unknown, unknown, OnCacheError>): About => {
  const region = { ...makeUnsafe({ key: "writeAround", schema: undefined, onCacheError }), name: manual }
  if (typeof keys === "function") {
    return {
      region,
      requestOf: (args) => ({ keys: orError(() => strings("keys", keys(args[0] ?? {}))), fills: false })
    }
  }
  // What is fixed is checked now, not at the first write.
  const fixed = strings("keys", keys)
  fixed.forEach(normalizeKey)
  return { region, requestOf: () => ({ keys: fixed, fills: false }) }
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
