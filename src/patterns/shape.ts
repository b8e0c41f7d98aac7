/**
 * The types of what patterns return. Each has one parameter, an object that says by name what it is made of, because that is what
 * editors and the compiler print; what there is nothing to say of is not in it.
 */
import type { Effect, Option } from "effect"
import type { CacheError } from "../CacheError.ts"
import type { AnyKey, ArgsOf, KindOf } from "../CacheKey.ts"
import type { OnCacheError } from "../CacheRegion.ts"
import type { Anything } from "../internal/erased.ts"
import type { Is, Measured, Said, Some } from "../internal/said.ts"
import type { CacheClient } from "../services/CacheClient.ts"
import type { Fault, Giving, OfSchema } from "./fault.ts"

/** What `onCacheError` adds to the errors of a cached function. */
export type FailureOf<F extends OnCacheError> = F extends "fail" ? CacheError : never

export type ErrorIn<S> = S extends { readonly error: infer E } ? E : never
export type ServicesIn<S> = S extends { readonly services: infer R } ? R : never
type SchemaServicesIn<S> = S extends { readonly schemaServices: infer R } ? R : never

/**
 * A cached function: `Cached<{ args: [id: string]; value: User; error: DbError; services: Db }>`. `error` and `services` are the
 * loader's, `schemaServices` those that its schema needs; what there is none of is left out.
 *
 * Callers who share a load share the services of one of them, so what the loader takes from `R` and the value depends on must be
 * in the key: a current user, a tenant, a locale. If the `Scope` of that caller's context closes while others wait, the load begins
 * again in the context of another. Scopes that are not in the context, such as that of `Effect.provide(layer)` around a call, are
 * not seen: `docs/consistency.md`, "Whose context a load runs in".
 */
export interface Cached<S extends Cached.Shape> {
  /** The value: from the cache, or loaded and stored. The `this` of the call is the loader's; no key is made of it. */
  (...args: S["args"]): Effect.Effect<S["value"], ErrorIn<S>, ServicesIn<S> | SchemaServicesIn<S> | CacheClient>
  /** Removes the entry of these arguments, and stops loads in flight from storing it. */
  readonly invalidate: (...args: S["args"]) => Effect.Effect<void, CacheError, CacheClient>
  /**
   * Loads now, stores, and returns the new value, also when there is a valid entry. A loader with a `this` needs it here too:
   * `repo.find.refresh.call(repo, id)`.
   */
  readonly refresh: (
    ...args: S["args"]
  ) => Effect.Effect<S["value"], ErrorIn<S>, ServicesIn<S> | SchemaServicesIn<S> | CacheClient>
  /** The value when there is a valid entry; never loads. */
  readonly peek: (
    ...args: S["args"]
  ) => Effect.Effect<Option.Option<S["value"]>, CacheError, SchemaServicesIn<S> | CacheClient>
  /** The key of these arguments. Throws `CacheError` (`InvalidKey`). */
  readonly key: (...args: S["args"]) => string
  /** Removes every value of this function. It is an invalidation by pattern: its cost grows with the store. */
  readonly clear: Effect.Effect<void, CacheError, CacheClient>
}

export declare namespace Cached {
  /** What a cached function is made of, by name: `<S extends Cached.Shape>(cached: Cached<S>) => ...`. */
  interface Shape extends CachedEffect.Shape {
    readonly args: ReadonlyArray<Anything>
  }
  /** Any cached function, for what needs no more than its controls: `(cached: Cached.Any) => cached.clear`. */
  type Any = Cached<{ args: never; value: unknown; error: unknown; services: unknown; schemaServices: unknown }>
}

/** A cached effect: an effect that also carries its controls. `CachedEffect<{ value: number; error: DbError; services: Db }>`. */
export interface CachedEffect<S extends CachedEffect.Shape>
  extends Effect.Effect<S["value"], ErrorIn<Measured<S>>, ServicesIn<S> | SchemaServicesIn<S> | CacheClient> {
  /** Removes the entry, and stops a load in flight from storing it. */
  readonly invalidate: Effect.Effect<void, CacheError, CacheClient>
  /** Loads now, stores, and returns the new value, also when there is a valid entry. */
  readonly refresh: Effect.Effect<S["value"], ErrorIn<Measured<S>>, ServicesIn<S> | SchemaServicesIn<S> | CacheClient>
  /** The value when there is a valid entry; never loads. */
  readonly peek: Effect.Effect<Option.Option<S["value"]>, CacheError, SchemaServicesIn<S> | CacheClient>
  readonly key: string
  /** The same as `invalidate`: this effect has one value. */
  readonly clear: Effect.Effect<void, CacheError, CacheClient>
}

export declare namespace CachedEffect {
  /** What a cached effect is made of, by name. */
  interface Shape {
    readonly value: unknown
    readonly error?: unknown
    readonly services?: unknown
    readonly schemaServices?: unknown
  }
  /** Any cached effect, for what needs no more than its controls. */
  type Any = CachedEffect<{ value: unknown; error: unknown; services: unknown; schemaServices: unknown }>
}

// What is usual is spelled out: `Said` costs the compiler more.
export type ShapeOf<L, Args extends ReadonlyArray<Anything>, A, E, R, S> =
  Some<L> extends Is<S>
    ? Said<{ args: Args; value: A; error: E; services: R; schemaServices: S }>
    : Some<L> extends Is<E>
      ? Some<L> extends Is<R>
        ? { args: Args; value: A; error: E; services: R }
        : { args: Args; value: A; error: E }
      : Some<L> extends Is<R>
        ? { args: Args; value: A; services: R }
        : { args: Args; value: A }

/** What becomes of a loader, by what it is. One signature instead of two, because `pipe` infers through no overloads. */
export type CachedLoader<L, A, S, X> =
  L extends Effect.Effect<unknown, infer E, infer R>
    ? CachedEffect<Said<{ value: A; error: E | X; services: R; schemaServices: S }>>
    : L extends (...args: infer Args extends ReadonlyArray<Anything>) => Effect.Effect<unknown, infer E, infer R>
      ? Cached<ShapeOf<L, Args, A, E | X, R, S>>
      : never

/** What a pattern knows while it awaits its function: of `ignore`, `error` and `services` what there is. */
interface Awaiting {
  readonly key: AnyKey
  readonly value: unknown
  /** What is ignored (`ReadOptions`), or `"*"`. */
  readonly ignore?: unknown
  readonly error?: unknown
  readonly services?: unknown
}
export type IgnoreIn<W> = W extends { readonly ignore: infer Ig } ? Ig : never

/** What wraps a loader for a key without placeholders: an effect, a function that returns one, or one whose arguments are ignored. */
export interface WrapEffect<W extends Awaiting> {
  // biome-ignore lint/style/useShorthandFunctionType: editors print an interface by its name, and a function in full
  <L, Args extends ReadonlyArray<unknown>, E, R>(
    load: [Fault<L, W["key"], IgnoreIn<W>>] extends [never]
      ? L & (Effect.Effect<W["value"], E, R> | Giving<OfSchema, Args, W["value"], E, R>)
      : NoInfer<Fault<L, W["key"], IgnoreIn<W>>>
  ): CachedLoader<L, W["value"], ServicesIn<W>, ErrorIn<W>>
}

/** What wraps a loader for a key with placeholders: a function whose parameters are all in the key, or ignored. */
export interface WrapFunction<W extends Awaiting> {
  // biome-ignore lint/style/useShorthandFunctionType: editors print an interface by its name, and a function in full
  <L, Args extends ArgsOf<W["key"]>, E, R>(
    load: [Fault<L, W["key"], IgnoreIn<W>>] extends [never]
      ? L & Giving<OfSchema, Args, W["value"], E, R>
      : NoInfer<Fault<L, W["key"], IgnoreIn<W>>>
  ): Cached<ShapeOf<L, Args, W["value"], E | ErrorIn<W>, R, ServicesIn<W>>>
}

type AwaitingOf<T extends AnyKey, A, S, X, Ig> =
  Some<T> extends Is<S | X>
    ? Said<{ key: T; value: A; ignore: Ig; error: X; services: S }>
    : Some<T> extends Is<Ig>
      ? { key: T; value: A; ignore: Ig }
      : { key: T; value: A }

/** What wraps a loader for a key: a function when the key has placeholders, an effect (or a thunk) when it has none. */
export type Wrap<T extends AnyKey, A, S, X, Ig = never> =
  KindOf<T> extends "static" | "wide"
    ? WrapEffect<AwaitingOf<T, A, S, X, Ig>>
    : WrapFunction<AwaitingOf<T, A, S, X, Ig>>
