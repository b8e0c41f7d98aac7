/**
 * The types inside the runtime, where those of a pattern have been checked and forgotten. Everything typed goes through
 * here once, in and out.
 */
import type { Effect, Schema } from "effect"

// biome-ignore lint/suspicious/noExplicitAny: any effect whatever, to run and hand on
export type AnyEffect = Effect.Effect<any, any, any>

// biome-ignore lint/suspicious/noExplicitAny: the arguments of any function
export type AnyFunction = (...args: ReadonlyArray<any>) => AnyEffect

// biome-ignore lint/suspicious/noExplicitAny: any codec whatever
export type AnyCodec = Schema.Codec<any, any, any, any>

// biome-ignore lint/suspicious/noExplicitAny: arguments that no key is made of; a function that takes a Date does not take `unknown`
export type Anything = any
