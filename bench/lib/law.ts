/**
 * How a cost grows with a size: the slope on logarithmic scales, and the law it stands for.
 */
export interface Point {
  readonly x: number
  readonly y: number
}

export type LawName = "constant" | "logarithmic" | "sublinear" | "linear" | "superlinear" | "falling"

export interface Law {
  readonly name: LawName
  /** `y` grows as `x` to this power. */
  readonly exponent: number
}

interface Fit {
  readonly slope: number
  /** The mean square of how far the line is off, relative to the cost. */
  readonly off: number
}

/** Least squares of relative errors: a small cost counts as much as a large one. */
const regression = (points: ReadonlyArray<Point>, of: (x: number) => number): Fit => {
  let weights = 0
  let sumX = 0
  let sumY = 0
  for (const { x, y } of points) {
    const weight = 1 / y ** 2
    weights += weight
    sumX += weight * of(x)
    sumY += weight * y
  }
  const meanX = sumX / weights
  const meanY = sumY / weights
  let products = 0
  let squares = 0
  for (const { x, y } of points) {
    const weight = 1 / y ** 2
    products += weight * (of(x) - meanX) * (y - meanY)
    squares += weight * (of(x) - meanX) ** 2
  }
  const slope = squares === 0 ? 0 : products / squares
  const errors = points.map(({ x, y }) => (y - meanY - slope * (of(x) - meanX)) / y)
  return { slope, off: errors.reduce((sum, error) => sum + error ** 2, 0) / points.length }
}

/** The slope on logarithmic scales, and how far that line is off. */
const power = (points: ReadonlyArray<Point>): Fit => {
  const logs = points.map(({ x, y }) => ({ x: Math.log(x), y: Math.log(y) }))
  const meanX = logs.reduce((sum, { x }) => sum + x, 0) / logs.length
  const meanY = logs.reduce((sum, { y }) => sum + y, 0) / logs.length
  const squares = logs.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0)
  const slope = squares === 0 ? 0 : logs.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0) / squares
  const errors = points.map(({ x, y }) => Math.exp(meanY + slope * (Math.log(x) - meanX)) / y - 1)
  return { slope, off: errors.reduce((sum, error) => sum + error ** 2, 0) / points.length }
}

/**
 * Points at 0 have no logarithm: they stand half as far as the first that has one. A cost that hardly moves over the
 * whole range is constant, whatever its slope; between constant and linear, the closest of three fits decides. A fixed
 * cost beside one that grows with the size looks like a low power, but is a straight line all the same.
 */
export const lawOf = (points: ReadonlyArray<Point>): Law => {
  if (points.length < 3) throw new Error("a law needs three points")
  const smallest = Math.min(...points.filter(({ x }) => x > 0).map(({ x }) => x))
  const moved = points.map(({ x, y }) => ({ x: x > 0 ? x : smallest / 2, y }))
  const powers = power(moved)
  const exponent = powers.slope
  const ys = points.map(({ y }) => y)
  if (Math.max(...ys) / Math.min(...ys) < 1.5 || Math.abs(exponent) < 0.05) return { name: "constant", exponent }
  if (exponent < 0) return { name: "falling", exponent }
  if (exponent > 1.15) return { name: "superlinear", exponent }
  if (exponent > 0.85) return { name: "linear", exponent }
  const candidates = [
    { name: "linear", off: regression(points, (x) => x).off },
    { name: "logarithmic", off: regression(moved, Math.log).off },
    { name: "sublinear", off: powers.off }
  ] as const
  return { name: candidates.reduce((best, one) => (one.off < best.off ? one : best)).name, exponent }
}
