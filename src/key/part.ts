/**
 * What can stand for a placeholder, and what is wrong with what cannot, in words, as types.
 */
import type { Effect } from "effect"
import type { Anything } from "../internal/erased.ts"

/** What can stand for a placeholder. A part is its text: `1`, `1n` and `"1"` name one thing. */
export type KeyPart = string | number | bigint | boolean

export type IsAny<T> = 0 extends 1 & T ? true : false
export type IsNever<T> = [T] extends [never] ? true : false
export type OrElse<X, Y> = [X] extends [never] ? Y : X

/** The properties of all members of a union. Symbols are no data. */
export type KeysOf<P> = P extends unknown ? Exclude<keyof P, symbol> : never
export type Text<K> = K extends string ? K : K extends number ? `${K}` : never
export type ValueAt<P, K> = P extends unknown ? (K extends keyof P ? P[K] : undefined) : never
/** `"0" | "1"`: optional arguments, too. An intersection: `Exclude` would be asked of each method of an array. */
export type PlacesOf<Args extends ReadonlyArray<unknown>> = keyof Args & `${number}`

/** What is wrong with `V` in the place of `N`; `Optional` may be absent. */
export type PartFault<N extends string, V, Optional> =
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

type Later<What extends string> = `the function of the key ${What}: a key is made at once`

/** What is wrong with a function `F` that is to give the parts of a key. */
export type PartsFault<Names extends string, Optional, F> = F extends (
  ...args: infer Args extends ReadonlyArray<Anything>
) => infer P
  ? F extends (this: void, ...args: Args) => unknown
    ? OrElse<AnyFault<Args>, IsNever<P> extends true ? never : ObjectFault<Names, Optional, P>>
    : "the function of the key is called without a this"
  : never

/** What a generator function returns, an async one too. */
export interface Iterating {
  readonly next: unknown
  readonly throw: unknown
}

type AnyFault<Args extends ReadonlyArray<unknown>> =
  IsNever<Args> extends true
    ? "give a function whose parameters have types: (p: Params) => ({ ... })"
    : number extends Args["length"]
      ? never
      : true extends { [K in keyof Args]: IsAny<Args[K]> }[number]
        ? "a parameter is any: give it a type"
        : never

type ObjectFault<Names extends string, Optional, P> =
  IsAny<P> extends true
    ? "the parts are any: give them a type"
    : [P] extends [PromiseLike<unknown>]
      ? Later<"returns a Promise">
      : [P] extends [Effect.Effect<Anything, Anything, Anything>]
        ? Later<"returns an Effect">
        : [P] extends [Iterating]
          ? Later<"is a generator">
          : [P] extends [object]
            ? [P] extends [ReadonlyArray<unknown>]
              ? `the function of the key gives a list: return an object with ${Names}`
              : string extends Names
                ? never
                : OrElse<
                    MissingFault<Exclude<Names, Text<KeysOf<P>>>>,
                    OrElse<
                      MoreFault<Exclude<Text<KeysOf<P>>, Names>>,
                      { [K in Names]: PartFault<K, ValueAt<P, K>, Optional> }[Names]
                    >
                  >
            : `the function of the key gives no object: return one with ${Names}`

/** Also of one that may be absent: to have none is said, with `undefined`, or else it was forgotten. */
type MissingFault<Missing extends string> = Missing extends string
  ? `the parts have no property for {${Missing}} of the key`
  : never
type MoreFault<More> = More extends string
  ? `the key has no {${More}} for this part: add it, or leave the part out`
  : never
