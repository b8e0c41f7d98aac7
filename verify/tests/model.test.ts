/** Each rule of the protocol is taken out once: then some schedule breaks the promise, or the model would prove nothing. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { hunts, isFound } from "../model/ablations.ts"
import { openHunter } from "../model/spawn.ts"

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
