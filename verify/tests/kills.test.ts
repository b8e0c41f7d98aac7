/**
 * A little of the kills: writers that die at each step leave nothing old for longer than a lease and a sweep, and without intents
 * they do.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type KillsOptions, run } from "../kills/kills.ts"
import { describeRun, objections } from "../kills/report.ts"

// A machine that is busy with other tests takes its time to sweep: what is looked for is what nobody carries out.
const options: KillsOptions = {
  ...{ kills: 12, leaseMillis: 1_500, sweepMillis: 3_000 },
  ...{ starting: 2, seed: 7, intent: true }
}

describe("the kills", () => {
  it.live(
    "find nothing that stays old",
    () =>
      Effect.gen(function*() {
        const result = yield* run(options)
        assert.deepStrictEqual(objections(result), [], describeRun(result))
        assert.isAbove(result.reads, 100)
      }),
    90_000
  )

  it.live(
    "find it out where nothing is put down",
    () =>
      Effect.gen(function*() {
        const result = yield* run({ ...options, intent: false })
        assert.deepStrictEqual(objections(result), [], describeRun(result))
      }),
    90_000
  )
})
