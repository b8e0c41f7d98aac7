/**
 * Keys as they are asked for in life: a few very often, most of them seldom. Seeded, so that every run asks the same.
 */

/** mulberry32: a small generator, good enough to shuffle keys. Numbers from 0 to 1. */
export const random = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export interface ZipfOptions {
  readonly keys: number
  /** How steep: the key of rank r is asked for in proportion to 1 / r^exponent. */
  readonly exponent: number
  readonly draws: number
  readonly seed: number
}

/** Indices of keys. Ranks are shuffled over the indices, so that neighbours in memory are not neighbours in rank. */
export const zipf = ({ draws, exponent, keys, seed }: ZipfOptions): Uint32Array => {
  const next = random(seed)
  const cumulative = new Float64Array(keys)
  let sum = 0
  for (let rank = 0; rank < keys; rank++) {
    sum += (rank + 1) ** -exponent
    cumulative[rank] = sum
  }
  const indexOf = Uint32Array.from({ length: keys }, (_, i) => i)
  for (let i = keys - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1))
    const kept = indexOf[i]!
    indexOf[i] = indexOf[j]!
    indexOf[j] = kept
  }
  const drawn = new Uint32Array(draws)
  for (let i = 0; i < draws; i++) {
    const target = next() * sum
    let low = 0
    let high = keys - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (cumulative[middle]! < target) low = middle + 1
      else high = middle
    }
    drawn[i] = indexOf[low]!
  }
  return drawn
}
