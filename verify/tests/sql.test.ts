/**
 * The whole proof beside a database, for a few seconds: it finds the control out, and nothing in the cache.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { callKinds } from "../sql/records.ts"
import { describeRun, objections } from "../sql/report.ts"
import { run, type RunOptions } from "../sql/run.ts"

const options: RunOptions = {
  subject: "effect-cache",
  kinds: callKinds,
  faults: true,
  seconds: 4,
  seed: 7,
  processes: 2,
  leaseMillis: 400,
  boundMillis: 15_000
}

const findsNothing = (options: RunOptions) =>
  Effect.gen(function*() {
    const result = yield* run(options)
    const { figures, problems, verdict } = result
    assert.deepStrictEqual(
      [verdict.violations.length, figures.failedCallers, figures.hungCallers, verdict.lost, problems],
      [0, [], [], [], []],
      describeRun(result)
    )
    assert.isAbove(figures.reads, 100)
    assert.isAbove(figures.commits, 0)
  })

describe("the proof beside a database", () => {
  it.live(
    "finds a cache out that knows of no transaction",
    () =>
      Effect.gen(function*() {
        const result = yield* run({ ...options, subject: "naive", faults: false, seconds: 3 })
        const found = (what: string) => result.verdict.violations.filter(({ problem }) => problem === what).length
        for (const what of ["never committed", "stale"]) assert.isAbove(found(what), 0, what)
        assert.deepStrictEqual(objections(result), [])
      }),
    90_000
  )

  it.live(
    "accuses nobody who reads past the cache in transactions, and announces after the commit",
    () => findsNothing({ ...options, subject: "by hand" }),
    90_000
  )

  it.live("finds nothing where transactions hold reads and writes", () => findsNothing(options), 90_000)
})
