import { assert, describe, it } from "@effect/vitest"
import { random, zipf } from "../../bench/lib/zipf.ts"

describe("the Zipf generator of the benchmarks", () => {
  const options = { keys: 1_000, exponent: 0.99, draws: 65_536, seed: 1 }

  it("draws the same for the same seed, and other keys for another", () => {
    assert.deepStrictEqual(zipf(options), zipf(options))
    assert.notDeepEqual(zipf(options), zipf({ ...options, seed: 2 }))
  })

  it("is what it was, so that runs of different versions ask the same", () => {
    const first = random(42)
    assert.deepStrictEqual(
      Array.from({ length: 3 }, () => Math.floor(first() * 1e6)),
      [601103, 448290, 852465]
    )
  })

  it("draws keys that there are, each rank as often as the law has it", () => {
    const counts = new Map<number, number>()
    const drawn = zipf(options)
    assert.isBelow(Math.max(...drawn.slice(0, 10_000)), options.keys)
    for (const key of drawn) {
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    const byRank = [...counts.values()].sort((a, b) => b - a)
    let sum = 0
    for (let rank = 1; rank <= options.keys; rank++) sum += rank ** -options.exponent
    for (const rank of [1, 2, 5, 10]) {
      const expected = (options.draws * rank ** -options.exponent) / sum
      assert.closeTo(byRank[rank - 1]! / expected, 1, 0.1)
    }
  })

  it("spreads the ranks over the keys", () => {
    const counts = new Uint32Array(options.keys)
    for (const key of zipf(options)) counts[key]!++
    // The most asked for is not simply the first.
    assert.notStrictEqual(counts.indexOf(Math.max(...counts)), 0)
  })
})
