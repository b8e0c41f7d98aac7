/**
 * Random choices that a seed names.
 */
import { generator } from "./random.ts"

export interface Dice {
  /** A whole number below `n`. */
  readonly below: (n: number) => number
  readonly chance: (p: number) => boolean
  readonly pick: <A>(from: ReadonlyArray<A>) => A
}

export const diceOf = (seed: number): Dice => {
  const below = generator(seed)
  return {
    below,
    chance: (p) => below(1_000_000) < p * 1_000_000,
    pick: (from) => from[below(from.length)]!
  }
}
