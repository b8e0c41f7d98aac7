import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { inSteps } from "../../src/internal/inSteps.ts"
import { ticking } from "../support/ticking.ts"

describe("a list in steps", () => {
  it.effect("gives each item once, in order, and the outcomes of the steps", () =>
    Effect.gen(function*() {
      for (const count of [0, 1, 3, 4, 7, 9]) {
        const items = Array.from({ length: count }, (_, i) => i)
        const steps = yield* inSteps(items, 3, (step) => Effect.succeed(step))
        assert.deepStrictEqual(steps.flat(), items)
        assert.strictEqual(steps.length, Math.max(1, Math.ceil(count / 3)))
      }
    })
  )

  it.effect("lets others run between two", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      yield* ticking((ticks) => inSteps([1, 2, 3, 4], 1, () => Effect.sync(() => seen.push(ticks()))))
      assert.strictEqual(new Set(seen).size, 4)
    })
  )

  it.effect("begins before it suspends, and ends with the first that fails", () =>
    Effect.gen(function*() {
      const begun: Array<number> = []
      const exit = yield* Effect.exit(
        inSteps([1, 2, 3], 1, ([item]) => {
          begun.push(item!)
          return item === 2 ? Effect.fail("no") : Effect.void
        })
      )
      assert.deepStrictEqual([exit, begun], [Exit.fail("no"), [1, 2]])
      begun.length = 0
      Effect.runFork(inSteps([1, 2, 3], 1, ([item]) => Effect.sync(() => begun.push(item!))))
      assert.deepStrictEqual(begun, [1])
    })
  )
})
