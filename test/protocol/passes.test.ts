import { twoPasses } from "../../src/protocol/passes.ts"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { CacheError, NotReplicated, TimedOut } from "../../src/CacheError.ts"

const notReplicated = (acknowledged: number) =>
  new CacheError({ reason: new NotReplicated({ backend: "test", replicas: 2, acknowledged, millis: 1 }) })
const timedOut = new CacheError({ reason: new TimedOut({ backend: "test", operation: "removeMatching", millis: 1 }) })

/** What two passes come to when each goes as told. */
const outcome = (...passes: ReadonlyArray<number | CacheError>) => {
  let made = 0
  const pass = Effect.suspend(() => {
    const found = passes[made++]!
    return typeof found === "number" ? Effect.succeed(found) : Effect.fail(found)
  })
  return Effect.map(Effect.exit(twoPasses(pass)), (exit) => ({ exit, made }))
}

describe("two passes", () => {
  it.effect("are two", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* outcome(7, 1), { exit: Exit.succeed(1), made: 2 })
    })
  )

  it.effect("are two also when too few replicas have the first, which the second does not make good", () =>
    Effect.gen(function*() {
      const [first, second] = [notReplicated(0), notReplicated(1)]
      assert.deepStrictEqual(yield* outcome(first, 0), { exit: Exit.fail(first), made: 2 })
      assert.deepStrictEqual(yield* outcome(first, second), { exit: Exit.fail(first), made: 2 })
      assert.deepStrictEqual(yield* outcome(0, second), { exit: Exit.fail(second), made: 2 })
    })
  )

  it.effect("end with a failure", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* outcome(timedOut, 0), { exit: Exit.fail(timedOut), made: 1 })
      assert.deepStrictEqual(yield* outcome(notReplicated(0), timedOut), { exit: Exit.fail(timedOut), made: 2 })
    })
  )
})
