/**
 * What every pattern returns, and how a pattern turns arguments into a key.
 */
import { Context, Effect, Effectable, type Fiber, type Option } from "effect"
import { CacheError } from "../CacheError.ts"
import { type AnyKey, isMade } from "../CacheKey.ts"
import type { CacheRegion, OnCacheError, RegionOptions, DecodingIn, EncodingIn, OnErrorIn } from "../CacheRegion.ts"
import { type Engine, engineOf, type Plan, type Request } from "../engine/contract.ts"
import type { AnyEffect, AnyFunction, Anything } from "../internal/erased.ts"
import { invalidOption, invalidOptionAs } from "../internal/invalidOption.ts"
import { lateKind } from "../key/arguments.ts"
import type { Names } from "../internal/knownOptions.ts"
import type { AnIgnore, ARegion, BesideRegion } from "../internal/strings.ts"
import { checked } from "../region/checks.ts"
import { checkMore, checkOptions, type Options } from "../region/region.ts"
import { CacheClient } from "../services/CacheClient.ts"
import { Read, type Reader } from "./call.ts"
import type { Fault, Giving, OfSchema } from "./fault.ts"
import type { Cached, CachedLoader, FailureOf, Wrap } from "./shape.ts"

/** What a pattern that reads takes besides the options of a region. */
export interface ReadOptions<Ig extends string | number> {
  /**
   * Parameters that are no part of the key, because they cannot change what is loaded: a request id, a logger, a signal. Of a
   * parameter object the names of its properties, of arguments their numbers. Each other parameter must be in the key: calls that
   * differ in it would share one value.
   */
  readonly ignore?: ReadonlyArray<Ig> | AnIgnore | undefined
}

/** A region or its options, as against a loader. */
export type Given = { readonly key: unknown; readonly schema: unknown }

/** The first of two arguments: a region or options, or the loader of the options behind it. */
export type First<F, T extends AnyKey, A, Ig> = F extends Given
  ? [SettingsOf<F>] extends [never]
    ? "no options of a region: they have a wrong type"
    : F
  : [Fault<F, T, Ig>] extends [never]
    ? F & LoaderLike<F, NoInfer<A>>
    : NoInfer<Fault<F, T, Ig>>
/** Not a union: of a union the compiler does not say which member fails, and why. */
type LoaderLike<L, A> =
  L extends Effect.Effect<Anything, Anything, Anything>
    ? Effect.Effect<A, Anything, Anything>
    : Giving<OfSchema, Anything, A, Anything, Anything>

/** The second: what is added to a region, or the options of the loader. */
export type Second<F, More, Inline> = F extends Given ? More : Inline

/** What a region or its options say: key, value, the services and the errors that they add. */
export type SettingsOf<F> =
  F extends CacheRegion<infer S>
    ? { key: S["key"]; value: S["value"]; services: DecodingIn<S> | EncodingIn<S>; failure: FailureOf<OnErrorIn<S>> }
    : F extends RegionOptions<infer K, infer A, infer _I, infer RD, infer RE, OnCacheError>
      ? {
          key: K
          value: A
          services: RD | RE
          failure: F extends { readonly onCacheError: "fail" } ? CacheError : never
        }
      : never

/** What becomes of both. */
export type Patterned<F, A, S, X, W, Ig> = F extends Given
  ? SettingsOf<F> extends { key: infer K extends AnyKey; value: infer B; services: infer D; failure: infer Y }
    ? Wrap<K, B, D, Y | W, Ig>
    : never
  : CachedLoader<F, A, S, X | W>

/**
 * A pattern that reads: curried, with a region and more, or data-first. One signature for each number of arguments: of one the
 * compiler says what is wrong, of several that none matches.
 */
export interface Pattern {
  <
    const T extends AnyKey,
    A,
    I,
    RD = never,
    RE = never,
    F extends OnCacheError = "bypass",
    const Ig extends string | number = never
  >(
    options: (RegionOptions<T, A, I, RD, RE, F> & ReadOptions<Ig>) | ARegion
  ): Wrap<T, A, RD | RE, FailureOf<F>, Ig>
  <
    const L,
    const T extends AnyKey,
    A,
    I,
    RD = never,
    RE = never,
    F extends OnCacheError = "bypass",
    const Ig extends string | number = never
  >(
    first: First<L, T, A, Ig>,
    second: Second<L, ReadOptions<Ig> & BesideRegion, RegionOptions<T, A, I, RD, RE, F> & ReadOptions<Ig>>
  ): Patterned<L, A, RD | RE, FailureOf<F>, never, Ig>
}

export type Load = AnyFunction | AnyEffect

/** How a pattern calls the client, with the key of the call or what is wrong with it. */
export type Call = (
  engine: Engine,
  call: Omit<Request, "key"> & { readonly key: string | CacheError },
  fiber: Fiber.Fiber<unknown, unknown>
) => AnyEffect

const read: Call = (engine, { args, key, params, plan, receiver }, fiber) =>
  typeof key === "string"
    ? engine.getOrLoad({ plan, key, args, receiver, params }, fiber)
    : engine.bypass({ plan, args, receiver }, key)
const refresh: Call = (engine, { args, key, params, plan, receiver }) =>
  typeof key === "string"
    ? engine.refresh({ plan, key, args, receiver, params })
    : engine.bypass({ plan, args, receiver }, key)

/** True for a loader, false for options. A service key is a class and an effect, so effects are asked for first. */
export const isLoad = (u: unknown): u is Load => Effect.isEffect(u) || typeof u === "function"

/** What a pattern wraps. */
export const checkLoad = (load: unknown): void => {
  const expected = "a function that returns an effect, or an effect"
  if (!isLoad(load)) throw invalidOption("loader", load, expected)
  const kind = lateKind(load)
  if (kind !== undefined)
    throw invalidOptionAs("loader", kind, `${expected}: wrap it with Effect.fn or Effect.tryPromise`)
}

/** What is ignored is for the compiler to look at. Here it is checked only. */
export const checkIgnore = (ignore: unknown, key: Options["key"] | undefined): void => {
  if (ignore === undefined) return
  if (isMade(key)) throw invalidOption("ignore", ignore, "none beside a key of CacheKey.make, which says what is in it")
  if (!Array.isArray(ignore) || !ignore.every((one) => typeof one === "string" || typeof one === "number")) {
    throw invalidOption("ignore", ignore, "an array of names and numbers of parameters")
  }
}

type AnyReadOptions = ReadOptions<string | number>

/**
 * A pattern that reads, from what its options make. Options are checked when they are given. `planOf` gets those of the region
 * apart from its own, so that a region is resolved once, however many patterns it stands in.
 */
export const makePattern = <Extra>(
  names: Names<Extra>,
  planOf: (region: Options, extra: Extra) => (load: Plan["load"]) => Plan,
  call: Call = read
): unknown => {
  const known = { ...names, ignore: 0 }
  const make = (region: Options, extra: Extra & AnyReadOptions) => {
    checkIgnore(extra.ignore, region.key)
    return planOf(region, extra)
  }
  return (first: unknown, second: unknown) => {
    checkOptions((isLoad(first) ? second : first) as Options, known)
    if (isLoad(first)) return wrap(first, make(second as Options, second as Extra & AnyReadOptions), call)
    checkMore(second, known)
    const extra = second === undefined ? first : { ...(first as object), ...(second as object) }
    const plan = make(first as Options, extra as Extra & AnyReadOptions)
    return (load: Load) => wrap(load, plan, call)
  }
}

type AnyCached = Cached<{
  args: ReadonlyArray<unknown>
  value: unknown
  error: unknown
  services: unknown
  schemaServices: unknown
}>

/** Where cached functions and effects keep the name of their region: a property that no type shows. */
const regionKey = Symbol("effect-cache/region")

/** The name of the region of what a pattern has returned, or of what was given all that it has; `undefined` of anything else. */
export const regionNameOf = (cached: object): string | undefined =>
  (cached as { readonly [regionKey]?: string })[regionKey]

/** Wraps a loader, a function or an effect. */
export const wrap = (load: Load, makePlan: (load: Plan["load"]) => Plan, call: Call = read): unknown => {
  checkLoad(load)
  return Effect.isEffect(load)
    ? new CachedEffectImpl(
        wrapFunction(
          makePlan(() => load),
          call
        )
      )
    : wrapFunction(makePlan(load as Plan["load"]), call)
}

const wrapFunction = (plan: Plan, call: Call): AnyCached => {
  const { callOf, ofArguments: build, pattern } = plan.region.key
  // A template without placeholders has one key, and that is no pattern.
  const all = pattern.includes("*") ? { pattern } : { key: pattern }
  const through =
    (call: Call) =>
    (
      key: string | CacheError,
      args: ReadonlyArray<unknown>,
      receiver: unknown,
      fiber: Fiber.Fiber<unknown, unknown>
    ): AnyEffect =>
      call(
        engineOf(Context.getUnsafe(fiber.context as Context.Context<CacheClient>, CacheClient)),
        { plan, args, receiver, ...callOf(args, key) },
        fiber
      )
  const orRefused =
    (run: ReturnType<typeof through>): Reader["refused"] =>
    (error, args, receiver, fiber) =>
      error instanceof CacheError ? run(error, args, receiver, fiber) : Effect.die(error)
  const lazily = (call: Call) => {
    const run = through(call)
    const refused = orRefused(run)
    return function (this: unknown, ...args: ReadonlyArray<unknown>): AnyEffect {
      // As `get.refresh(id)` it is a method of the wrapped function, which is nobody's `this`.
      const receiver = this === main ? undefined : this
      return Effect.withFiber((fiber) => {
        let key: string
        try {
          key = build(args)
        } catch (error) {
          return refused(error, args, receiver, fiber)
        }
        return run(key, args, receiver, fiber)
      })
    }
  }
  const reader = (call: Call): Reader => {
    const run = through(call)
    return { region: plan.region, build, run, refused: orRefused(run) }
  }
  const reading = reader(call)
  const main: (...args: ReadonlyArray<unknown>) => AnyEffect =
    call === read
      ? function (this: unknown, ...args) {
          return new Read(reading, args, this) as never
        }
      : lazily(call)
  /** The same for what a person asks for by name, where a bad key is the caller's to see. */
  const byName =
    <A, R>(use: (engine: Engine, key: string) => Effect.Effect<A, CacheError, R>) =>
    (...args: ReadonlyArray<unknown>): Effect.Effect<A, CacheError, R | CacheClient> =>
      Effect.flatMap(CacheClient, (client) =>
        Effect.flatMap(
          checked(() => build(args)),
          (key) => use(engineOf(client), key)
        )
      )
  return Object.assign(main, {
    [regionKey]: plan.region.name,
    invalidate: byName((engine, key) => engine.invalidate(plan.region, { key })),
    refresh: lazily(call === read ? refresh : call),
    peek: byName((engine, key) => engine.peek(plan.region, key)),
    key: (...args: ReadonlyArray<unknown>) => build(args),
    clear: Effect.flatMap(CacheClient, (client) => engineOf(client).invalidate(plan.region, all))
  })
}

/** An effect that carries controls: the run loop evaluates it as it would the call. */
class CachedEffectImpl {
  readonly self: Effect.Effect<unknown, unknown, unknown>
  readonly invalidate: Effect.Effect<void, CacheError, CacheClient>
  readonly refresh: Effect.Effect<unknown, unknown, unknown>
  readonly peek: Effect.Effect<Option.Option<unknown>, CacheError, unknown>
  readonly key: string
  readonly clear: Effect.Effect<void, CacheError, CacheClient>
  readonly [regionKey]: string | undefined
  constructor(cached: AnyCached) {
    this.self = cached()
    this.invalidate = cached.invalidate()
    this.refresh = cached.refresh()
    this.peek = cached.peek()
    this.key = cached.key()
    this.clear = cached.invalidate()
    this[regionKey] = regionNameOf(cached)
  }
}
Object.setPrototypeOf(
  CachedEffectImpl.prototype,
  Object.create(
    Effectable.Prototype<Effect.Effect<unknown, unknown, unknown> & CachedEffectImpl>({
      label: "CachedEffect",
      evaluate() {
        return this.self
      }
    }),
    {
      [Symbol.iterator]: {
        value(this: CachedEffectImpl) {
          return this.self[Symbol.iterator]()
        }
      }
    }
  )
)
