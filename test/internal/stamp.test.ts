import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Stamps } from "../../src/internal/stamp.ts"
import { collect } from "../support/collect.ts"

describe("stamps", () => {
  it("one fingerprint has one stamp while somebody holds it, and no two have one number", () => {
    const stamps = new Stamps()
    const held = Array.from({ length: 30_000 }, (_, i) => stamps.of(`f${i}`))
    assert.strictEqual(new Set(held.map(({ number }) => number)).size, 30_000)
    assert.isAbove(Math.min(...held.map(({ number }) => number)), 0)
    for (const stamp of held) assert.strictEqual(stamps.of(stamp.fingerprint), stamp)
    assert.strictEqual(stamps.size, 30_000)
  })

  it.live("those that nobody holds are forgotten, and their numbers are not given again", () =>
    Effect.gen(function*() {
      const stamps = new Stamps()
      const held = stamps.of("held")
      const first = stamps.of("again").number
      const numbers = new Set<number>()
      for (let chunk = 0; chunk < 20; chunk++) {
        for (let i = 0; i < 5_000; i++) numbers.add(stamps.of(`${chunk} ${i}`).number)
        yield* collect
        assert.isAtMost(stamps.size, 20_000)
      }
      assert.strictEqual(numbers.size, 100_000)
      assert.strictEqual(stamps.of("held"), held)
      assert.isAbove(stamps.of("again").number, first)
      assert.isFalse(numbers.has(stamps.of("again").number))
    })
  )
})
