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
import type {
  AnyKey,
  AtLeast,
  CacheKey,
  KeyPart,
  KindOf,
  Names,
  OpenBrace,
  OptionalNames,
  PlaceholderNames,
  Positions
} from "../CacheKey.ts"
import type { Anything } from "../internal/erased.ts"
import type { IsAny, IsNever, Iterating, KeysOf, OrElse, PartFault, PlacesOf, Text, ValueAt } from "../key/part.ts"

/** In place of the names to ignore: all that is no part of the key. Who writes may take what he wants. */
export type Free = "*"
/** The same of a write that may have a `keyOf` instead of arguments that make its key. */
export type FreeOrKeyOf = Free | "*keyOf"

/** A key that cannot be made, in the words of `S`, unless what is wrong is the template. True of a `keyOf` that is wrong, too. */
type Unmade<T extends AnyKey, Ig, S extends string> = [OpenBrace<T>] extends [never]
  ? Exclude<FreeOrKeyOf, Free> extends Ig
    ? `${S}; if only what was written has it, keyOf must return it`
    : S
  : `a { of the key is not closed: {${OpenBrace<T>}`

type NamedFault<T extends AnyKey, P, Ig> =
  IsAny<P> extends true
    ? never
    : [P] extends [KeyPart]
      ? Unmade<T, Ig, `the key has names: take one object with ${Names<T>}, or use {0} in the key`>
      : string extends KeysOf<P>
        ? "the parameter may have any property: write down which"
        : IsNever<Exclude<Names<T>, Text<KeysOf<P>>>> extends false
          ? Unmade<T, Ig, `the parameter has no property for {${Exclude<Names<T>, Text<KeysOf<P>>>}} of the key`>
          : { [K in Names<T>]: PartFault<K, ValueAt<P, K>, OptionalNames<T>> }[Names<T>]

type PositionalFault<T extends AnyKey, Args extends ReadonlyArray<unknown>, Ig> =
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

type CoverNamed<T extends AnyKey, P, More, Ig> =
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
  : [Out] extends [Iterating]
    ? "the function is a generator: wrap it, as in Effect.fn(function*() { ... })"
    : "the function returns no Effect: use Effect.sync around what it does, or Effect.succeed"
type RestFault = "the function takes any number of arguments: take one list, or a fixed number"

type ArgsFault<T extends AnyKey, Args extends ReadonlyArray<unknown>, Ig> =
  KindOf<T> extends "wide" | "mixed" | "keyed"
    ? OtherFault<T, Args, Ig>
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

/** Of a template that is not known, of one that fits nothing, and of a key that is made by a function. */
type OtherFault<T extends AnyKey, Args extends ReadonlyArray<unknown>, Ig> =
  KindOf<T> extends "mixed"
    ? Unmade<T, never, `a key has either names or numbers: ${T & string}`>
    : T extends CacheKey<Anything, infer Taken>
      ? OrElse<
          IsNever<Exclude<Ig, FreeOrKeyOf>> extends true
            ? never
            : "a function makes the key, and says what is in it: leave ignore out",
          true extends (Free extends Ig ? false : { [K in keyof Args]: IsAny<Args[K]> }[number])
            ? "the parameter is any: give it a type"
            : Args extends AtLeast<Taken>
              ? never
              : TakenFault<T, Taken, Args, Ig>
        >
      : never

/** What the function of a key takes, and the one that is cached does not. */
type TakenFault<
  T extends AnyKey,
  Taken extends ReadonlyArray<unknown>,
  Args extends ReadonlyArray<unknown>,
  Ig
> = OrElse<
  {
    [K in PlacesOf<Taken>]: K extends keyof Args
      ? PlaceFault<T, K, Taken[K & keyof Taken], Args[K], Ig>
      : undefined extends Taken[K & keyof Taken]
        ? never
        : Unmade<T, Ig, `the key is made of argument ${K}, which the function does not take`>
  }[PlacesOf<Taken>],
  Unmade<T, Ig, "the key is made of other arguments than the function takes">
>
type PlaceFault<T extends AnyKey, K extends string, Taken, Given, Ig> = [Given] extends [Taken]
  ? never
  : [Exclude<Given, undefined>] extends [Taken]
    ? `argument ${K} may be undefined, of which no key is made`
    : [Taken, Given] extends [object, object]
      ? OrElse<
          MissingFrom<T, K, Exclude<Text<RequiredOf<Taken>>, Text<KeysOf<Given>>>, Ig>,
          OrElse<
            OtherAt<K, { [N in keyof Taken]: [ValueAt<Given, N>] extends [Taken[N]] ? never : N }[keyof Taken]>,
            OtherPlace<T, K, Ig>
          >
        >
      : OtherPlace<T, K, Ig>
type RequiredOf<P> = { [K in keyof P]-?: {} extends Pick<P, K> ? never : K }[keyof P]
type MissingFrom<T extends AnyKey, K extends string, Missing, Ig> = Missing extends string
  ? Unmade<T, Ig, `the key is made of ${Missing} of argument ${K}, which the function does not take`>
  : never
type OtherAt<K extends string, Name> = Name extends string
  ? `the key is made of ${Name} of argument ${K}, and takes another type of it`
  : never
type OtherPlace<T extends AnyKey, K extends string, Ig> = Unmade<
  T,
  Ig,
  `the key is made of argument ${K}, and takes another type of it`
>

/**
 * What is wrong with `L` under the key `T`, where `Ig` is ignored; `never`: nothing. An overloaded function counts by its last
 * signature. What a cast or a narrower declaration hides, nothing can see.
 */
export type Fault<L, T extends AnyKey, Ig> = [L] extends [Effect.Effect<Anything, Anything, Anything>]
  ? KindOf<T> extends "static" | "wide"
    ? IgnoreFault<Exclude<Text<Ig>, FreeOrKeyOf>>
    : KindOf<T> extends "keyed"
      ? Unmade<T, Ig, "the key is made of arguments: give a function that takes them, not an effect">
      : Unmade<T, Ig, `the key has a placeholder: give a function that takes ${PlaceholderNames<T>}, not an effect`>
  : [L] extends [(...args: infer Args extends ReadonlyArray<Anything>) => infer Out]
    ? [Out] extends [Effect.Effect<Anything, Anything, Anything>]
      ? ArgsFault<T, Args, Ig>
      : OutFault<Out>
    : [L] extends [(...args: never) => unknown]
      ? RestFault
      : never

/** A function that gives values of `A`. The compiler prints the sentence of one that does not, and in what its value differs. */
export interface Giving<Sentence extends string, Args extends ReadonlyArray<Anything>, A, E, R> {
  (...args: Args): Effect.Effect<A, E, R>
  readonly [sentence]?: Sentence
}
declare const sentence: unique symbol
export type OfSchema = "its value must be one of the schema"

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
    ? TooMany<N, Args>
    : number extends Args["length"]
      ? "the function takes any number of arguments: say with arity how many are in the key"
      : [Args["length"]] extends [{ [K in keyof Args]-?: Args[K] }["length"]]
        ? MayDefault<Args> extends true
          ? "an argument before the last may have a default, where counting ends: say with arity how many are in the key"
          : never
        : "the function has optional arguments: say with arity how many are in the key"
/** More than there are. Of a rest of any length nobody knows, nor of a number that is known only when the program runs. */
type TooMany<N, Args extends ReadonlyArray<unknown>> = number extends N | Args["length"]
  ? never
  : [N] extends [Args["length"]]
    ? never
    : [Text<N>] extends [PlacesOf<Args>]
      ? never
      : `arity is ${Text<N>}, and the function does not take so many arguments`
/** Of `(a: string, b: string | undefined = "", c: string)` the type shows no default, and `length` is 1. */
type MayDefault<Args extends ReadonlyArray<unknown>> = Args extends readonly [infer One, infer Next, ...infer Rest]
  ? unknown extends One
    ? MayDefault<[Next, ...Rest]>
    : undefined extends One
      ? true
      : MayDefault<[Next, ...Rest]>
  : false
