/**
 * The protocol's rules in memory, and those whose interleaving is particular to it: nothing can be evicted from outside, so
 * markers are lost only by more tags than there is room for.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Option, Schema } from "effect"
import { cacheAside, CacheClient, invalidatePattern, invalidateTags } from "../../src/index.ts"
import { conformance, memoryStore } from "./conformance.ts"
import { transactionRules } from "./transactions.ts"
import { lenderRule } from "./lender.ts"
import { makeGate, memoryClient } from "../support/client.ts"

conformance("memory", memoryStore, ["protocol"])
transactionRules(memoryClient())
lenderRule(memoryClient(), "memory")

const tooManyTags = Array.from({ length: 12_000 }, (_, i) => `t${i}`)

it.live("rule: a missing marker is stale (memory)", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const a = yield* memoryClient()
      const get = cacheAside({ key: "row:1", schema: Schema.Number, tags: tooManyTags })(Effect.succeed(0))
      yield* a.run(get)
      assert.deepStrictEqual(yield* a.run(get.peek), Option.none())
    })
  )
)

it.live("rule: a marker is created at the current epoch (memory)", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const a = yield* memoryClient()
      let row = 0
      const middle = makeGate<number>()
      const gates = [middle]
      // Tags known only from the value, and so not before the load.
      const get = cacheAside({ key: "row:1", schema: Schema.Number, tags: () => ["T"] })(
        Effect.suspend(() => gates.shift()?.pass(row) ?? Effect.succeed(row))
      )
      const reader = yield* Effect.forkChild(a.run(get))
      yield* middle.reached
      row = 1
      yield* a.run(invalidateTags(["T"]))
      // The marker goes, and with it what it knew; the fill creates it anew.
      yield* a.run(invalidateTags(tooManyTags))
      yield* middle.open
      assert.strictEqual(yield* Fiber.join(reader), 0)
      assert.strictEqual(yield* a.run(get), 1)
    })
  )
)

it.live("rule: two passes for patterns (memory)", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const a = yield* memoryClient(50_000)
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
