/**
 * What every pattern returns, and how a pattern turns arguments into a key.
 */
import { Context, Effect, Effectable, type Fiber, type Option } from "effect"
import { CacheError } from "../CacheError.ts"
import type { ArgsOf, PlaceholderNames } from "../CacheKey.ts"
import type { OnCacheError, RegionOptions } from "../CacheRegion.ts"
import { type Engine, engineOf, type Plan, type Request } from "../engine/contract.ts"
import type { AnyEffect, AnyFunction } from "../internal/erased.ts"
import { checked } from "../region/checks.ts"
import type { Options } from "../region/region.ts"
import { CacheClient } from "../services/CacheClient.ts"
import { Read, type Reader } from "./call.ts"

/** What `onCacheError` adds to the errors of a cached function. */
export type FailureOf<F extends OnCacheError> = F extends "fail" ? CacheError : never

/**
 * A cached function. `A`, `E`, `R` are the loader's; `S` are the services its schema needs.
 *
 * Callers who share a load share the services of one of them, so what the loader takes from `R` and the value depends on must be
 * in the key: a current user, a tenant, a locale. If the `Scope` of that caller's context closes while others wait, the load begins
 * again in the context of another. Scopes that are not in the context, such as that of `Effect.provide(layer)` around a call, are
 * not seen: `docs/consistency.md`, "Whose context a load runs in".
 */
export interface Cached<Args extends ReadonlyArray<unknown>, A, E = never, R = never, S = never> {
  /** The value: from the cache, or loaded and stored. The `this` of the call is the loader's; no key is made of it. */
  (...args: Args): Effect.Effect<A, E, R | S | CacheClient>
  /** Removes the entry of these arguments, and stops loads in flight from storing it. */
  readonly invalidate: (...args: Args) => Effect.Effect<void, CacheError, CacheClient>
  /**
   * Loads now, stores, and returns the new value, also when there is a valid entry. A loader with a `this` needs it here too:
   * `repo.find.refresh.call(repo, id)`.
   */
  readonly refresh: (...args: Args) => Effect.Effect<A, E, R | S | CacheClient>
  /** The value when there is a valid entry; never loads. */
  readonly peek: (...args: Args) => Effect.Effect<Option.Option<A>, CacheError, S | CacheClient>
  /** The key of these arguments. Throws `CacheError` (`InvalidKey`). */
  readonly key: (...args: Args) => string
  /** Removes every value of this function. It is an invalidation by pattern: its cost grows with the store. */
  readonly clear: Effect.Effect<void, CacheError, CacheClient>
}

/** A cached effect: an effect that also carries its controls. */
export interface CachedEffect<A, E = never, R = never, S = never> extends Effect.Effect<A, E, R | S | CacheClient> {
  /** Removes the entry, and stops a load in flight from storing it. */
  readonly invalidate: Effect.Effect<void, CacheError, CacheClient>
  /** Loads now, stores, and returns the new value, also when there is a valid entry. */
  readonly refresh: Effect.Effect<A, E, R | S | CacheClient>
  /** The value when there is a valid entry; never loads. */
  readonly peek: Effect.Effect<Option.Option<A>, CacheError, S | CacheClient>
  readonly key: string
  /** The same as `invalidate`: this effect has one value. */
  readonly clear: Effect.Effect<void, CacheError, CacheClient>
}

/** What wraps a loader for a key: a function when the key has placeholders, an effect (or a thunk) when it has none. */
export type Wrap<T extends string, A, S, X> = [PlaceholderNames<T>] extends [never]
  ? <L extends Loader<A, []>>(load: L) => CachedLoader<L, A, S, X>
  : <Args extends ArgsOf<T>, E, R, L>(
      load: L & Takes<L, T> & ((...args: Args) => Effect.Effect<NoInfer<A>, E, R>)
    ) => Cached<Args, A, E | X, R, S>

/**
 * A function may take fewer arguments than a type says, so one that takes none would pass for any; but then there is nothing
 * to make the key of.
 */
export type Takes<L, T extends string> = L extends (...args: infer Args) => unknown
  ? Args["length"] extends 0
    ? { readonly "it takes no argument for the placeholders of its key": PlaceholderNames<T> }
    : unknown
  : unknown

/** An effect, or a function that returns one. */
export type Loader<A, Args extends ReadonlyArray<unknown>> =
  | Effect.Effect<A, unknown, unknown>
  | ((...args: Args) => Effect.Effect<A, unknown, unknown>)

/** What becomes of a loader, by what it is. One signature instead of two, because `pipe` infers through no overloads. */
export type CachedLoader<L, A, S, X> =
  L extends Effect.Effect<unknown, infer E, infer R>
    ? CachedEffect<A, E | X, R, S>
    : L extends (...args: infer Args) => Effect.Effect<unknown, infer E, infer R>
      ? Cached<Args, A, E | X, R, S>
      : never

/** A pattern whose options are `Extra` on top of those of a region; curried or data-first. */
export interface Pattern<Extra> {
  <const T extends string, A, I, RD, RE, F extends OnCacheError = "bypass">(
    options: RegionOptions<T, A, I, RD, RE, F> & Extra
  ): Wrap<T, A, RD | RE, FailureOf<F>>
  <const T extends string, A, I, RD, RE, E, R, F extends OnCacheError = "bypass">(
    load: Effect.Effect<NoInfer<A>, E, R>,
    options: RegionOptions<T, A, I, RD, RE, F> & Extra
  ): [PlaceholderNames<T>] extends [never] ? CachedEffect<A, E | FailureOf<F>, R, RD | RE> : never
  <const T extends string, A, I, RD, RE, Args extends ArgsOf<T>, E, R, F extends OnCacheError = "bypass">(
    load: (...args: Args) => Effect.Effect<NoInfer<A>, E, R>,
    options: RegionOptions<T, A, I, RD, RE, F> & Extra
  ): Cached<Args, A, E | FailureOf<F>, R, RD | RE>
}

export type Load = AnyFunction | AnyEffect

/** How a pattern calls the client, with the key of the call or what is wrong with it. */
export type Call = (
  engine: Engine,
  call: Omit<Request, "key"> & { readonly key: string | CacheError },
  fiber: Fiber.Fiber<unknown, unknown>
) => AnyEffect

const read: Call = (engine, { args, key, plan, receiver }, fiber) =>
  typeof key === "string"
    ? engine.getOrLoad({ plan, key, args, receiver }, fiber)
    : engine.bypass({ plan, args, receiver }, key)
const refresh: Call = (engine, { args, key, plan, receiver }) =>
  typeof key === "string" ? engine.refresh({ plan, key, args, receiver }) : engine.bypass({ plan, args, receiver }, key)

/** True for a loader, false for options. A service key is a class and an effect, so effects are asked for first. */
export const isLoad = (u: unknown): u is Load => Effect.isEffect(u) || typeof u === "function"

/** A pattern, curried and data-first, from what its options make. Options are checked when they are given. */
export const makePattern = <Extra>(
  planOf: (options: Options & Extra) => (load: Plan["load"]) => Plan,
  call: Call = read
): Pattern<Extra> =>
  ((first: unknown, second: unknown) => {
    if (isLoad(first)) return wrap(first, planOf(second as Options & Extra), call)
    const plan = planOf(first as Options & Extra)
    return (load: Load) => wrap(load, plan, call)
  }) as never

type AnyCached = Cached<ReadonlyArray<unknown>, unknown, unknown, unknown, unknown>

/** Wraps a loader, a function or an effect. */
export const wrap = (load: Load, makePlan: (load: Plan["load"]) => Plan, call: Call = read): unknown =>
  Effect.isEffect(load)
    ? new CachedEffectImpl(
        wrapFunction(
          makePlan(() => load),
          call
        )
      )
    : wrapFunction(makePlan(load as Plan["load"]), call)

const wrapFunction = (plan: Plan, call: Call): AnyCached => {
  const { key: compiled } = plan.region
  const build = compiled.positional
    ? (args: ReadonlyArray<unknown>) => compiled.buildUnsafe(args)
    : (args: ReadonlyArray<unknown>) => compiled.buildUnsafe((args[0] ?? {}) as Readonly<Record<string, unknown>>)
  // A template without placeholders has one key, and that is no pattern.
  const all = compiled.pattern.includes("*") ? { pattern: compiled.pattern } : { key: compiled.pattern }
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
        { plan, key, args, receiver },
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
  constructor(cached: AnyCached) {
    this.self = cached()
    this.invalidate = cached.invalidate()
    this.refresh = cached.refresh()
    this.peek = cached.peek()
    this.key = cached.key()
    this.clear = cached.invalidate()
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
