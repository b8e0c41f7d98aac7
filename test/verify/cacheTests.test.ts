/**
 * How results of the suite of HTTP caches are counted; the suite itself is not here.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeReport, reportOf } from "../../verify/cacheTests/report.ts"
import { loadSuite, type Suite } from "../../verify/cacheTests/suite.ts"

const suite: Suite = {
  folder: "",
  groups: [
    {
      id: "age",
      name: "Age",
      tests: [
        { id: "right", name: "is right", kind: "required" },
        { id: "wrong", name: "is wrong", kind: "required" },
        { id: "known", name: "is known to be wrong", kind: "required" },
        { id: "fast", name: "is fast", kind: "optimal" }
      ]
    }
  ],
  // What it depends on has failed.
  holds: (id, results) => results[id] === true && id !== "right"
}
const results = {
  right: true,
  wrong: ["Assertion", "Response 2 comes from cache"],
  known: ["Setup", "no 304"],
  fast: true
} as const

it("an unexpected failure is told, one that is expected has its reason", () => {
  const expected = { known: "nobody asks" }
  const report = reportOf(suite, results, expected)
  assert.deepStrictEqual(
    report.unexpected.map(({ id }) => id),
    ["wrong"]
  )
  assert.deepStrictEqual(report.passing, [])
  const text = describeReport(report, expected, false)
  assert.match(text, /^all +1\/3 +1\/1 *$/m)
  assert.match(text, /^all whose dependencies passed +0\/3 +1\/1 *$/m)
  assert.match(text, /FAILS {2}wrong: is wrong\n +Response 2 comes from cache/)
  assert.match(text, /known: is known to be wrong\n +Setup: no 304\n +because nobody asks/)
  assert.match(text, /^1 required tests fail unexpectedly$/m)
})

it("an expected failure that passes, or that nobody knows, is told", () => {
  const expected = { right: "?", wrong: "?", known: "?", gone: "?" }
  const report = reportOf(suite, results, expected)
  assert.deepStrictEqual([report.unexpected, report.passing], [[], ["right", "gone"]])
  assert.match(describeReport(report, expected, false), /take it off expected\.ts: right, gone/)
})

it.effect("a suite that is not there is asked for", () =>
  Effect.gen(function*() {
    const { message } = yield* Effect.flip(loadSuite("/nowhere"))
    assert.match(message, /not at \/nowhere.*git clone.*http-tests\/cache-tests.*CACHE_TESTS/s)
  })
)
