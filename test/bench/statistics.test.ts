import { assert, describe, it } from "@effect/vitest"
import { caseResult } from "../../bench/lib/measure.ts"
import { median, quantile, ratios, round, summarize } from "../../bench/lib/statistics.ts"

describe("statistics of the benchmarks", () => {
  it("quantiles lie on a line between neighbours", () => {
    assert.strictEqual(quantile([4, 1, 3, 2], 0), 1)
    assert.strictEqual(quantile([4, 1, 3, 2], 1), 4)
    assert.strictEqual(quantile([4, 1, 3, 2], 0.5), 2.5)
    assert.strictEqual(quantile([1, 2, 3, 4, 5], 0.25), 2)
    assert.strictEqual(quantile([7], 0.75), 7)
    assert.isNaN(quantile([], 0.5))
  })

  it("leaves the samples as they were", () => {
    const samples = [3, 1, 2]
    assert.strictEqual(median(samples), 2)
    assert.deepStrictEqual(samples, [3, 1, 2])
  })

  it("summarizes", () => {
    assert.deepStrictEqual(summarize([5, 1, 2, 4, 3]), { median: 3, p25: 2, p75: 4, min: 1, max: 5 })
  })

  it("takes ratios within a round, so that a slow round does not count", () => {
    // The second round was ten times slower for both.
    assert.deepStrictEqual(ratios([20, 200, 22], [10, 100, 11]), [2, 2, 2])
  })

  it("keeps five digits", () => {
    assert.strictEqual(round(1234.5678), 1234.6)
    assert.strictEqual(round(0.000123456), 0.00012346)
    assert.isNaN(round(Number.NaN))
  })

  it("makes a result of samples: facts are medians over the rounds", () => {
    const floor = [{ value: 1 }, { value: 2 }, { value: 1 }]
    const samples = [
      { value: 3, facts: { commands: 1 } },
      { value: 4, facts: { commands: 9 } },
      { value: 5, facts: { commands: 2 } }
    ]
    const result = caseResult("one", samples, floor)
    assert.deepStrictEqual(result.samples, [3, 4, 5])
    assert.strictEqual(result.summary.median, 4)
    assert.strictEqual(result.ratio?.median, 3)
    assert.deepStrictEqual(result.facts, { commands: 2 })
    assert.isNull(caseResult("one", samples, undefined).ratio)
  })
})
