/**
 * Options that nobody reads, refused where they are given. Types see them in a literal only: to who has no types, or hands options on
 * in a variable, a name that is misspelt would say nothing at all.
 */
import { Effect } from "effect"
import { describe, invalidOptionAs } from "./invalidOption.ts"

/** The names of options, in the order in which they are told. Of `O` the compiler sees that none is missing. */
export type Names<O> = { readonly [K in keyof O]-?: 0 }

/**
 * Refuses what is no object, and each option that is not `known`: throws `CacheError` (`InvalidOption`), which shows no value, for what
 * is misspelt may be a password. An option that is `undefined` is not given, and `_tag` is what a spread region has of it.
 */
export const knownOptions = (given: unknown, known: object, within?: string): void => {
  if (typeof given !== "object" || given === null || Array.isArray(given) || Effect.isEffect(given)) {
    throw invalidOptionAs(
      within ?? "options",
      Effect.isEffect(given) ? "an effect" : describe(given),
      "an object of options"
    )
  }
  const names = Object.keys(known)
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || names.includes(name) || name === "_tag") continue
    const slips = slipsOf(name)
    const near = names.find((one) => slipsOf(one).some((slip) => slips.includes(slip)))
    throw invalidOptionAs(
      (within === undefined ? "" : `${within}.`) + name.slice(0, 80),
      "no option",
      `one of ${names.join(", ")}${near === undefined ? "" : `: did you mean \`${near}\`?`}`
    )
  }
}

/**
 * A name, and with each one of its characters left out. Two that have one of these in common are a slip apart: a character more, less
 * or another, or two that changed places.
 */
const slipsOf = (name: string): ReadonlyArray<string> => {
  const text = name.slice(0, 40).toLowerCase()
  return [text, ...Array.from(text, (_, i) => text.slice(0, i) + text.slice(i + 1))]
}
