/** A short run of the model; `npm run verify:model` is the long one. */
import { assert, describe, it } from "@effect/vitest"
import { hunts } from "./ablations.ts"
import { exhaust } from "./explore.ts"
import { outcomeOf } from "./job.ts"
import { large, small } from "./programs.ts"
import { hunt } from "./spawn.ts"
import { programOf, replay } from "./story.ts"

describe("no schedule breaks the promise", () => {
  for (const [how, programs, schedules] of [
    ["exhaust", small, 500],
    ["sample", large, 150]
  ] as const) {
    for (const { name } of programs) {
      it(name, () => {
        const { schedules: done, violation } = outcomeOf(how, schedules, name)
        assert.isUndefined(violation, violation?.story.join("\n"))
        assert.isAbove(done, 50)
      })
    }
  }
})

describe("without a rule, some schedule does", () => {
  for (const found of hunts) {
    it(found.rule, async () => {
      for (const { program, violation } of await hunt(found, 100_000)) {
        assert.match(violation?.problem ?? "nothing goes wrong", /^(STALE|R2)/, program)
      }
    }, 60_000)
  }
})

describe("the search", () => {
  it("loses no state by not going on from one that was seen before", () => {
    for (const name of ["get", "tag-key", "write-timeout", "memory-write"]) {
      const pruned = exhaust(programOf(name), 50_000)
      const whole = exhaust(programOf(name), 50_000, false)
      assert.deepStrictEqual([name, pruned.complete, pruned.states], [name, whole.complete, whole.states])
      assert.isAtLeast(whole.schedules, pruned.schedules)
    }
  })

  it("tells one story for one token", () => {
    const token = "key:0.0.0.0.2.1.0.0.1.0"
    assert.isNotEmpty(replay(token))
    assert.deepStrictEqual(replay(token), replay(token))
  })
})
