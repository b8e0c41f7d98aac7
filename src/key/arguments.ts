/**
 * How the arguments of a call fill a key: by name, by position, or through a function of the program.
 *
 * The keys of such a function are those of its template, so they are as far apart as its parts are. That each call has the parts
 * it should is for the function to see to: of what it leaves out, nothing is in the key.
 */
import { Effect } from "effect"
import { CacheError, InvalidKey } from "../CacheError.ts"
import { describe, invalidOption, invalidOptionAs } from "../internal/invalidOption.ts"
import { invalidKey } from "./encoding.ts"
import type { Build, Parts } from "./template.ts"

export interface FromArguments {
  /** The key of a call with these arguments. Throws `CacheError` (`InvalidKey`). */
  readonly ofArguments: (args: ReadonlyArray<unknown>) => string
  /**
   * That key, or what is wrong with it, and what the functions of a region see as `params` of the call: both of one asking, so that they belong
   * together, also where a function does not answer twice the same. `params` is `undefined` where that gives no parts.
   */
  readonly callOf: (args: ReadonlyArray<unknown>, key: string | CacheError) => KeyOfCall
}

export interface KeyOfCall {
  readonly key: string | CacheError
  readonly params: unknown
}

const first = (args: ReadonlyArray<unknown>): Parts => (args[0] ?? {}) as Parts

/** Of a template alone: the arguments by their places, or the properties of the first. */
export const fromArguments = (positional: boolean, build: Build): FromArguments =>
  positional
    ? { ofArguments: build, callOf: (args, key) => ({ key, params: args }) }
    : { ofArguments: (args) => build(first(args)), callOf: (args, key) => ({ key, params: first(args) }) }

export type PartsFunction = (...args: ReadonlyArray<never>) => unknown

const expected = "a function that gives the parts of the key"

const late = new Map([
  ["[object AsyncFunction]", "an async function"],
  ["[object GeneratorFunction]", "a generator function"],
  ["[object AsyncGeneratorFunction]", "an async generator function"]
])

/** What a function is that says by itself that it will not answer at once. */
export const lateKind = (f: unknown): string | undefined => late.get(Object.prototype.toString.call(f))

/** Refuses what is no function, and what will not answer at once. */
export const checkFunction = (parts: unknown): void => {
  if (typeof parts !== "function") throw invalidOption("parts", parts, expected)
  const kind = lateKind(parts)
  if (kind !== undefined) throw invalidOptionAs("parts", kind, `${expected} at once`)
}

const isThenable = (value: object): value is PromiseLike<unknown> => "then" in value && typeof value.then === "function"

/** What is in the place of an object of parts. */
const instead = (given: unknown): string | undefined => {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return describe(given)
  if (isThenable(given)) {
    // Nobody waits for it, and one that is rejected would end the process.
    given.then(undefined, () => {})
    return "a Promise"
  }
  return Effect.isEffect(given) ? "an effect" : undefined
}

const threw = (template: string, cause: unknown): CacheError =>
  new CacheError({
    reason: new InvalidKey({ key: template.slice(0, 200), problem: "the function of the key threw", cause })
  })

/** Of a function that gives the parts of a template. */
export const fromFunction = (template: string, parts: PartsFunction, build: Build): FromArguments => {
  const given = (args: ReadonlyArray<unknown>): Parts => {
    let what: string | undefined
    try {
      const found = parts(...(args as ReadonlyArray<never>))
      what = instead(found)
      if (what === undefined) return found as Parts
    } catch (cause) {
      throw threw(template, cause)
    }
    throw invalidKey(template, `the function of the key gives ${what}, expected an object with its parts, at once`)
  }
  const keyOf = (parts: Parts): string => {
    try {
      return build(parts)
    } catch (error) {
      // A getter of it may throw, too.
      throw error instanceof CacheError ? error : threw(template, error)
    }
  }
  return {
    ofArguments: (args) => keyOf(given(args)),
    callOf: (args, key) => {
      let params: Parts | undefined
      try {
        params = given(args)
        return { key: typeof key === "string" ? keyOf(params) : key, params }
      } catch (error) {
        return { key: typeof key === "string" ? (error as CacheError) : key, params }
      }
    }
  }
}
