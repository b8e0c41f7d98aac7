/**
 * A short run of `npm run verify:fuzz`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { sharedRedis } from "../support/client.ts"
import { entriesInProcess, entriesOnRedis, type Fuzz, http } from "../../verify/fuzz/fuzz.ts"

const server = sharedRedis()
const onRedis: Fuzz = (seed, inputs) => Effect.flatMap(server, (running) => entriesOnRedis(running)(seed, inputs))

describe("fuzzing", () => {
  for (const [name, fuzz, inputs, outcomes] of [
    ["stored bytes", entriesInProcess, 11_000, ["hit", "miss", "stale", "no entry"]],
    ["stored bytes on Redis", onRedis, 1000, ["hit", "miss", "stale", "no entry"]],
    ["HTTP requests and stored responses", http, 8000, ["HIT", "MISS", "BYPASS", "304", "forged"]]
  ] as const) {
    it.live(
      `${name}: ${inputs} inputs`,
      () =>
        Effect.gen(function*() {
          const report = yield* fuzz(1, inputs)
          assert.deepStrictEqual(report.wrong, [])
          // Each way that an input may end was seen, or the run proves nothing.
          for (const outcome of outcomes) assert.isAbove(report.outcomes[outcome]!, 0, outcome)
        }).pipe(Effect.scoped),
      60_000
    )
  }
})
