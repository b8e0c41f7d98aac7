/**
 * Types that say by name what they are made of, and leave out what there is nothing to say of: of `{ value: User; error: never }` is
 * left `{ value: User }`, because that is what editors and the compiler print.
 */

interface Part<X> {
  readonly part: X
}
type One<X> = X extends unknown ? 1 : 1

/**
 * `Some<K> extends Is<X>`, unless `X` is `never`. Of an `X` that is a type parameter the compiler takes it for true, as soon as `K` is
 * known. Of `[X] extends [never]` it would know nothing, and in a function that is generic in `X` what is made by it could not be called.
 * `K` is anything that is known there, and is no parameter where the condition is written down.
 */
export type Some<K> = K extends unknown ? Part<1> : never
export type Is<X> = Part<One<X>>

type Kept = "args" | "key" | "name" | "params" | "value"

/** `P` without what is `never`. The outer condition is there because of a mapped type the compiler prints the name. */
export type Said<P> = P extends unknown
  ? { [K in keyof P as K extends Kept ? K : Some<K> extends Is<P[K]> ? K : never]: P[K] }
  : never

/**
 * `S`. Because it is here, the compiler compares what two types are made into, and not their `S`: of conditions on it, it would take one with
 * fewer errors for no subtype of one with more.
 */
export type Measured<S> = { [K in keyof S]-?: S[K] }
