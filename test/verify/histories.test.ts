/**
 * The whole harness, for a few seconds: it finds the control out, and nothing in the cache.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeRun } from "../../verify/histories/report.ts"
import { run, type RunOptions } from "../../verify/histories/run.ts"

const options: RunOptions = {
  subject: "effect-cache",
  topology: "standalone",
  seconds: 4,
  seed: 7,
  faults: ["evict", "script-flush", "cut-half", "cut-reply"],
  processes: 2,
  durability: undefined
}

describe("the history checker", () => {
  it.live(
    "finds naive cache-aside out",
    () =>
      Effect.gen(function*() {
        const { verdict } = yield* run({ ...options, subject: "naive", seconds: 2, faults: [] })
        assert.isAbove(verdict.violations.filter(({ problem }) => problem === "stale").length, 0)
      }),
    60_000
  )

  it.live(
    "finds nothing in the cache, under faults",
    () =>
      Effect.gen(function*() {
        const result = yield* run(options)
        const { figures, problems, verdict } = result
        assert.deepStrictEqual(
          [verdict.violations.length, figures.failedCallers, figures.hungCallers, problems],
          [0, [], [], []],
          describeRun(result)
        )
        assert.isAbove(figures.allReads, 100)
        assert.isAbove(figures.hits, 0)
        assert.isAbove(figures.acknowledged["tag"] ?? 0, 0)
        assert.isAbove(figures.faults["evict"] ?? 0, 0)
      }),
    60_000
  )
})
