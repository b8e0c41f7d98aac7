import { assert, describe, it } from "@effect/vitest"
import { lawOf } from "../../bench/lib/law.ts"

const points = (xs: ReadonlyArray<number>, cost: (x: number) => number) => xs.map((x) => ({ x, y: cost(x) }))
const sizes = [1_000, 10_000, 100_000, 1_000_000]

describe("the law of a curve", () => {
  it("tells the laws apart", () => {
    assert.strictEqual(lawOf(points(sizes, () => 7)).name, "constant")
    assert.strictEqual(lawOf(points(sizes, (x) => 10 + 5 * Math.log(x))).name, "logarithmic")
    assert.strictEqual(lawOf(points(sizes, (x) => 3 * x)).name, "linear")
    assert.strictEqual(lawOf(points(sizes, (x) => x ** 2)).name, "superlinear")
    assert.strictEqual(lawOf(points(sizes, (x) => 1e6 / x)).name, "falling")
    assert.strictEqual(lawOf(points(sizes, (x) => x ** 0.6)).name, "sublinear")
  })

  it("gives the exponent", () => {
    assert.closeTo(lawOf(points(sizes, (x) => 3 * x)).exponent, 1, 1e-9)
    assert.closeTo(lawOf(points(sizes, (x) => 2 * x ** 0.6)).exponent, 0.6, 1e-9)
  })

  it("noise makes no law", () => {
    const noisy = [1, 1.2, 0.95, 1.1]
    assert.strictEqual(lawOf(sizes.map((x, i) => ({ x, y: 100 * noisy[i]! }))).name, "constant")
  })

  it("knows a fixed cost beside one that grows with the size", () => {
    assert.strictEqual(lawOf(points([0, 1, 2, 4, 8, 16, 32], (x) => 40 + 4 * x)).name, "linear")
  })

  it("asks for three points", () => {
    assert.throws(() => lawOf(points([1, 2], (x) => x)))
  })
})
