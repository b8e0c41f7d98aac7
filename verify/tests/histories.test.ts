/**
 * The whole harness, for a few seconds: it finds the control out, and nothing in the cache.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeRun, objections } from "../histories/report.ts"
import { run, type RunOptions } from "../histories/run.ts"

const options: RunOptions = {
  subject: "effect-cache",
  topology: "standalone",
  seconds: 4,
  seed: 7,
  faults: ["evict", "script-flush", "cut-half", "cut-reply", "hang", "full", "select"],
  processes: 2,
  durability: undefined
}

describe("the history checker", () => {
  it.live(
    "finds naive cache-aside out",
    () =>
      Effect.gen(function*() {
        const result = yield* run({ ...options, subject: "naive", seconds: 2, faults: ["select"] })
        const { figures, verdict } = result
        const found = (what: string) => verdict.violations.filter(({ problem }) => problem === what).length
        assert.isAbove(found("stale"), 0)
        // Its client goes on in another database where it is refused its own, and reads and writes there.
        assert.isAbove(found("a value of another database"), 0)
        assert.isAbove(figures.touched.length, 0)
        assert.deepStrictEqual(objections(result), [])
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
          [verdict.violations.length, figures.failedCallers, figures.hungCallers, figures.touched, problems],
          [0, [], [], [], []],
          describeRun(result)
        )
        assert.isAbove(figures.allReads, 100)
        assert.isAbove(figures.hits, 0)
        assert.isAbove(figures.acknowledged["tag"] ?? 0, 0)
        for (const kind of ["evict", "full", "select"]) assert.isAbove(figures.faults[kind] ?? 0, 0, kind)
        assert.isAbove(figures.acknowledged["set"] ?? 0, 0)
        assert.isAbove(figures.readsOfSets, 0)
        assert.isAbove(figures.left["aside"] ?? 0, 0)
      }),
    60_000
  )
})
