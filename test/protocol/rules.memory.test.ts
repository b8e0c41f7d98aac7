/**
 * The protocol's rules in memory, and the one whose interleaving is particular to it.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Option, Schema } from "effect"
import { cacheAside, CacheClient, invalidatePattern } from "../../src/index.ts"
import { makeGate, memoryWorld } from "../support/client.ts"
import { rules } from "./rules.ts"

rules("memory", memoryWorld())

it.live("rule: two passes for patterns (memory)", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const { a } = yield* memoryWorld(50_000)
      // So many entries that a pass lets others run before it comes to the leases.
      yield* a.run(
        CacheClient.use((client) =>
          Effect.forEach(
            Array.from({ length: 12_000 }, (_, i) => i),
            (i) => client.set(`other:${i}`, i, { schema: Schema.Number }),
            { discard: true }
          )
        )
      )
      let row = 0
      const middle = makeGate<number>()
      const gates = [middle]
      const get = cacheAside({ key: "row:1", schema: Schema.Number })(
        Effect.suspend(() => gates.shift()?.pass(row) ?? Effect.succeed(row))
      )
      const reader = yield* Effect.forkChild(a.run(get))
      yield* middle.reached
      row = 1
      const invalidation = yield* Effect.forkChild(a.run(invalidatePattern("row:*")), { startImmediately: true })
      // The pass is among the entries: the load fills behind its back, and its lease is gone when the pass comes to it.
      yield* middle.open
      assert.strictEqual(yield* Fiber.join(reader), 0)
      yield* Fiber.join(invalidation)
      assert.deepStrictEqual(yield* a.run(get.peek), Option.none())
      assert.strictEqual(yield* a.run(get), 1)
    })
  )
)
