/** A short run of the model; `npm run verify:model` is the long one. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { hunts, isFound } from "../model/ablations.ts"
import { outcomeOf } from "../model/job.ts"
import { large, small } from "../model/programs.ts"
import { openHunter } from "../model/spawn.ts"

describe("no schedule breaks the promise", () => {
  for (const [how, programs, schedules] of [
    ["exhaust", small, 300],
    ["sample", large, 100]
  ] as const) {
    for (const { name } of programs) {
      it(name, () => {
        const { complete, schedules: done, violation } = outcomeOf(how, schedules, name)
        assert.isUndefined(violation, violation?.story.join("\n"))
        assert.isTrue(complete || done >= schedules, `${done} schedules`)
      })
    }
  }
})

describe("without a rule, some schedule does", () => {
  const hunter = openHunter()
  afterAll(() => hunter[Symbol.asyncDispose]())
  for (const found of hunts.filter(({ long }) => long !== true)) {
    it(found.rule, async () => {
      for (const { program, violation } of await hunter.hunt(found, 100_000)) {
        assert.isTrue(isFound(found, violation?.problem), `${program}: ${violation?.problem}`)
      }
    }, 60_000)
  }
})
