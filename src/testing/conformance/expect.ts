/**
 * The assertions of the kit. They throw, so that they can stand anywhere in an effect; a case turns what they throw
 * into its failure.
 */
import { isDeepStrictEqual } from "node:util"
import { show } from "./story.ts"

/** An expectation that was not met. */
export class Unmet extends Error {
  readonly about: string
  readonly expected: string
  readonly actual: string

  constructor(about: string, expected: string, actual: string) {
    super(`${about}: expected ${expected}, came ${actual}`)
    this.about = about
    this.expected = expected
    this.actual = actual
  }
}

export interface Expectation {
  /** Deeply equal. */
  readonly is: (expected: unknown) => void
  readonly isAbove: (bound: number) => void
  readonly isAtLeast: (bound: number) => void
  readonly isAtMost: (bound: number) => void
  /** For what no other one says: `expected` is how the story puts it. */
  readonly fits: (expected: string, holds: boolean) => void
}

/** What is looked at, in words, and what came. */
export const expect = (about: string, actual: unknown): Expectation => {
  const unmet = (expected: string) => new Unmet(about, expected, show(actual))
  const number = typeof actual === "number" ? actual : Number.NaN
  const fits: Expectation["fits"] = (expected, holds) => {
    if (!holds) throw unmet(expected)
  }
  return {
    fits,
    is: (expected) => {
      // In words only when it failed: there are thousands of expectations, and some values are long.
      if (!isDeepStrictEqual(actual, expected)) throw unmet(show(expected))
    },
    isAbove: (bound) => fits(`more than ${bound}`, number > bound),
    isAtLeast: (bound) => fits(`${bound} or more`, number >= bound),
    isAtMost: (bound) => fits(`${bound} or less`, number <= bound)
  }
}
