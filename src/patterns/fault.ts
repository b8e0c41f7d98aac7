/**
 * What is wrong with a function that is to be cached, in words, as types. The parameter of a pattern is the function itself where
 * nothing is wrong, and the sentence where something is; so that sentence is what the compiler prints, in place of five lines
 * about assignability.
 *
 * How it is written matters. `infer` in the type of a parameter ends contextual typing, so a fault is named twice instead, and the
 * compiler remembers it. A union of an effect and a function hides the reason, so which of them it is, is decided first. An alias
 * would be printed by its name; what comes out of a condition is printed as it is.
 */
import type { Effect } from "effect"
import type { KeyPart, KindOf, Names, OpenBrace, OptionalNames, PlaceholderNames, Positions } from "../CacheKey.ts"
import type { Anything } from "../internal/erased.ts"

/** In place of the names to ignore: all that is no part of the key. Who writes may take what he wants. */
export type Free = "*"
/** The same of a write that may have a `keyOf` instead of arguments that make its key. */
export type FreeOrKeyOf = Free | "*keyOf"

type IsAny<T> = 0 extends 1 & T ? true : false
type IsNever<T> = [T] extends [never] ? true : false
type OrElse<X, Y> = [X] extends [never] ? Y : X

/** The properties of all members of a union. Symbols are no data. */
type KeysOf<P> = P extends unknown ? Exclude<keyof P, symbol> : never
type Text<K> = K extends string ? K : K extends number ? `${K}` : never
type ValueAt<P, K> = P extends unknown ? (K extends keyof P ? P[K] : undefined) : never
/** `"0" | "1"`: optional arguments, too. An intersection: `Exclude` would be asked of each method of an array. */
type PlacesOf<Args extends ReadonlyArray<unknown>> = keyof Args & `${number}`

type PartFault<N extends string, V, Optional> =
  IsAny<V> extends true
    ? never
    : [V] extends [KeyPart]
      ? never
      : [V] extends [KeyPart | undefined]
        ? N extends Optional
          ? never
          : `{${N}} may be undefined: write {${N}?} in the key, or give it a default`
        : [V] extends [KeyPart | null | undefined]
          ? `{${N}} may be null: a part of a key is a string, number, bigint or boolean`
          : [Exclude<V, KeyPart | null | undefined>] extends [Date]
            ? `{${N}} is a Date: pass its text, for example date.toISOString()`
            : `{${N}} is no string, number, bigint or boolean: pass its id`

/** A key that cannot be made, in the words of `S`, unless what is wrong is the template. True of a `keyOf` that is wrong, too. */
type Unmade<T extends string, Ig, S extends string> = [OpenBrace<T>] extends [never]
  ? Exclude<FreeOrKeyOf, Free> extends Ig
    ? `${S}; if only what was written has it, keyOf must return it`
    : S
  : `a { of the key is not closed: {${OpenBrace<T>}`

type NamedFault<T extends string, P, Ig> =
  IsAny<P> extends true
    ? never
    : [P] extends [KeyPart]
      ? Unmade<T, Ig, `the key has names: take one object with ${Names<T>}, or use {0} in the key`>
      : string extends KeysOf<P>
        ? "the parameter may have any property: write down which"
        : IsNever<Exclude<Names<T>, Text<KeysOf<P>>>> extends false
          ? Unmade<T, Ig, `the parameter has no property for {${Exclude<Names<T>, Text<KeysOf<P>>>}} of the key`>
          : { [K in Names<T>]: PartFault<K, ValueAt<P, K>, OptionalNames<T>> }[Names<T>]

type PositionalFault<T extends string, Args extends ReadonlyArray<unknown>, Ig> =
  IsNever<Exclude<Positions<T>, PlacesOf<Args>>> extends false
    ? Unmade<T, Ig, `the function has no argument for {${Exclude<Positions<T>, PlacesOf<Args>>}} of the key`>
    : { [K in Positions<T>]: PartFault<K, K extends keyof Args ? Args[K] : undefined, OptionalNames<T>> }[Positions<T>]

type NameLeft<Left> = Left extends string ? `the key does not contain: ${Left}; add it to the key or to ignore` : never
type PlaceLeft<Left> = Left extends string
  ? `the key does not contain: argument ${Left}; add {${Left}} to the key, or ${Left} to ignore`
  : never
type StaticLeft<Left> = Left extends string
  ? `the key has no placeholder, but the function takes argument ${Left}: write {${Left}} or a property's {name} in the key, or ${Left} in ignore`
  : never
type IgnoreFault<Left> = Left extends string ? `ignore names what the function does not take: ${Left}` : never

type CoverNamed<T extends string, P, More, Ig> =
  IsAny<P> extends true
    ? "the parameter is any: give it a type"
    : OrElse<
        IgnoreFault<Exclude<Text<Ig>, Text<KeysOf<P>> | More>>,
        OrElse<NameLeft<Exclude<Text<KeysOf<P>>, Names<T> | Text<Ig>>>, PlaceLeft<Exclude<More, Text<Ig>>>>
      >
type CoverPlaces<In, All, Ig> = OrElse<IgnoreFault<Exclude<Text<Ig>, All>>, PlaceLeft<Exclude<All, In | Text<Ig>>>>
type CoverStatic<All, Ig> = OrElse<IgnoreFault<Exclude<Text<Ig>, All>>, StaticLeft<Exclude<All, Text<Ig>>>>

/** Of what is no effect. One that only throws returns one as far as can be told. */
type OutFault<Out> = [Out] extends [PromiseLike<unknown>]
  ? "the function returns a Promise: use Effect.tryPromise"
  : "the function returns no Effect: use Effect.sync around what it does, or Effect.succeed"
type RestFault = "the function takes any number of arguments: take one list, or a fixed number"

type ArgsFault<T extends string, Args extends ReadonlyArray<unknown>, Ig> =
  KindOf<T> extends "wide"
    ? never
    : KindOf<T> extends "mixed"
      ? Unmade<T, never, `a key has either names or numbers: ${T}`>
      : string extends Ig
        ? 'ignore must be a list of literals: add "as const"'
        : number extends Ig
          ? 'ignore must be a list of literals: add "as const"'
          : number extends Args["length"]
            ? IsAny<Args[number]> extends true
              ? never
              : Free extends Ig
                ? never
                : RestFault
            : Args["length"] extends 0
              ? KindOf<T> extends "static"
                ? IgnoreFault<Exclude<Text<Ig>, FreeOrKeyOf>>
                : Unmade<T, Ig, `the key has a placeholder, but the function takes no argument: ${PlaceholderNames<T>}`>
              : OrElse<
                  KindOf<T> extends "named"
                    ? NamedFault<T, Args[0], Ig>
                    : KindOf<T> extends "positional"
                      ? PositionalFault<T, Args, Ig>
                      : never,
                  Free extends Ig
                    ? never
                    : KindOf<T> extends "named"
                      ? CoverNamed<T, Args[0], Exclude<PlacesOf<Args>, "0">, Ig>
                      : KindOf<T> extends "static"
                        ? CoverStatic<PlacesOf<Args>, Ig>
                        : CoverPlaces<Positions<T>, PlacesOf<Args>, Ig>
                >

/**
 * What is wrong with `L` under the key `T`, where `Ig` is ignored; `never`: nothing. An overloaded function counts by its last
 * signature. What a cast or a narrower declaration hides, nothing can see.
 */
export type Fault<L, T extends string, Ig> = [L] extends [Effect.Effect<Anything, Anything, Anything>]
  ? KindOf<T> extends "static" | "wide"
    ? IgnoreFault<Exclude<Text<Ig>, FreeOrKeyOf>>
    : Unmade<T, Ig, `the key has a placeholder: give a function that takes ${PlaceholderNames<T>}, not an effect`>
  : [L] extends [(...args: infer Args extends ReadonlyArray<Anything>) => infer Out]
    ? [Out] extends [Effect.Effect<Anything, Anything, Anything>]
      ? ArgsFault<T, Args, Ig>
      : OutFault<Out>
    : [L] extends [(...args: never) => unknown]
      ? RestFault
      : never

/**
 * The same under a name, whose key is made of the arguments that the function declares, or of `N`. `length` counts neither those
 * with a default nor a rest.
 */
export type ArityFault<L, N> = [L] extends [Effect.Effect<Anything, Anything, Anything>]
  ? never
  : [L] extends [(...args: infer Args extends ReadonlyArray<Anything>) => infer Out]
    ? [Out] extends [Effect.Effect<Anything, Anything, Anything>]
      ? Declared<Args, N>
      : OutFault<Out>
    : never
type Declared<Args extends ReadonlyArray<unknown>, N> =
  IsNever<N> extends false
    ? never
    : number extends Args["length"]
      ? "the function takes any number of arguments: say with arity how many are in the key"
      : [Args["length"]] extends [{ [K in keyof Args]-?: Args[K] }["length"]]
        ? MayDefault<Args> extends true
          ? "an argument before the last may have a default, where counting ends: say with arity how many are in the key"
          : never
        : "the function has optional arguments: say with arity how many are in the key"
/** Of `(a: string, b: string | undefined = "", c: string)` the type shows no default, and `length` is 1. */
type MayDefault<Args extends ReadonlyArray<unknown>> = Args extends readonly [infer One, infer Next, ...infer Rest]
  ? unknown extends One
    ? MayDefault<[Next, ...Rest]>
    : undefined extends One
      ? true
      : MayDefault<[Next, ...Rest]>
  : false
