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
  /** What the functions of a region see as `params` of the call. `undefined` where the function of the key gives no parts. */
  readonly paramsOf: (args: ReadonlyArray<unknown>) => unknown
}

const first = (args: ReadonlyArray<unknown>): Parts => (args[0] ?? {}) as Parts

/** Of a template alone: the arguments by their places, or the properties of the first. */
export const fromArguments = (positional: boolean, build: Build): FromArguments =>
  positional
    ? { ofArguments: build, paramsOf: (args) => args }
    : { ofArguments: (args) => build(first(args)), paramsOf: first }

export type PartsFunction = (...args: ReadonlyArray<never>) => unknown

const expected = "a function that gives the parts of the key"

const late = new Map([
  ["[object AsyncFunction]", "an async function"],
  ["[object GeneratorFunction]", "a generator function"],
  ["[object AsyncGeneratorFunction]", "an async generator function"]
])

/** Refuses what is no function, and what says by itself that it will not answer at once. */
export const checkFunction = (parts: unknown): void => {
  if (typeof parts !== "function") throw invalidOption("parts", parts, expected)
  const kind = late.get(Object.prototype.toString.call(parts))
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

/** The parts of some arguments. Throws `CacheError` (`InvalidKey`), whatever the function does. */
const askUnsafe = (template: string, parts: PartsFunction, args: ReadonlyArray<unknown>): Parts => {
  let given: unknown
  try {
    given = parts(...(args as ReadonlyArray<never>))
  } catch (cause) {
    throw new CacheError({
      reason: new InvalidKey({ key: template.slice(0, 200), problem: "the function of the key threw", cause })
    })
  }
  const other = instead(given)
  if (other === undefined) return given as Parts
  throw invalidKey(template, `the function of the key gives ${other}, expected an object with its parts, at once`)
}

/** Of a function that gives the parts of a template. */
export const fromFunction = (template: string, parts: PartsFunction, build: Build): FromArguments => ({
  ofArguments: (args) => build(askUnsafe(template, parts, args)),
  paramsOf: (args) => {
    try {
      return askUnsafe(template, parts, args)
    } catch {
      return undefined
    }
  }
})
