/**
 * Medians, quartiles, and ratios within a round.
 */
export interface Summary {
  readonly median: number
  readonly p25: number
  readonly p75: number
  readonly min: number
  readonly max: number
}

/** The value below which `q` of the samples lie, with a straight line between neighbours. */
export const quantile = (samples: ReadonlyArray<number>, q: number): number => {
  if (samples.length === 0) return Number.NaN
  const sorted = [...samples].sort((a, b) => a - b)
  const place = (sorted.length - 1) * q
  const below = Math.floor(place)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below]! + (sorted[above]! - sorted[below]!) * (place - below)
}

export const median = (samples: ReadonlyArray<number>): number => quantile(samples, 0.5)

export const summarize = (samples: ReadonlyArray<number>): Summary => ({
  median: median(samples),
  p25: quantile(samples, 0.25),
  p75: quantile(samples, 0.75),
  min: quantile(samples, 0),
  max: quantile(samples, 1)
})

/** Each round's figure over the floor's of the same round: what slows a whole round slows both. */
export const ratios = (samples: ReadonlyArray<number>, floor: ReadonlyArray<number>): ReadonlyArray<number> =>
  samples.slice(0, floor.length).map((sample, round) => sample / floor[round]!)

export interface Interval {
  readonly low: number
  readonly high: number
  /** How sure it is that the median of what the samples are drawn from lies in it. */
  readonly level: number
}

/**
 * The narrowest interval between two of the samples, as far from below as from above, that holds the median at this
 * level; all of the samples where they are too few for that. It asks of them only that they do not depend on each other.
 */
export const medianInterval = (samples: ReadonlyArray<number>, level = 0.95): Interval => {
  const n = samples.length
  const sorted = [...samples].sort((a, b) => a - b)
  // The median is below the k-th sample when fewer than k of n throws of a coin are heads.
  let outside = 2 * 0.5 ** n
  let sum = outside
  let k = 0
  for (let next = 1; next < n / 2; next++) {
    outside *= (n - next + 1) / next
    if (sum + outside > 1 - level) break
    sum += outside
    k = next
  }
  return {
    low: sorted[k] ?? Number.NaN,
    high: sorted[n - 1 - k] ?? Number.NaN,
    level: n === 0 ? 0 : Math.max(0, 1 - sum)
  }
}

/** Five digits tell all there is to tell, and keep the files small. */
export const round = (value: number): number => (Number.isFinite(value) ? Number(value.toPrecision(5)) : value)
