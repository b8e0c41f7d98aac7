/** `CacheClient.set`, while it is under way and when it is overtaken. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { CacheClient } from "effect-cache"
import { CacheTest } from "effect-cache/testing"

const schema = Schema.Number
const setTo = (n: number) => CacheClient.use((client) => client.set("k", n, { schema }))
const value = CacheClient.use((client) => client.get("k", schema))

describe("CacheClient.set", () => {
  it.effect("leaves no gap: a reader finds the old value until the new one is there", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      yield* setTo(1)
      yield* test.inject("fill", { delay: "500 millis" })
      const set = yield* Effect.forkChild(setTo(2), { startImmediately: true })
      yield* TestClock.adjust("100 millis")
      assert.isUndefined(set.pollUnsafe())
      assert.deepStrictEqual(yield* value, Option.some(1))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(set)
      assert.deepStrictEqual(yield* value, Option.some(2))
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("that was overtaken leaves nothing that is older than both", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      yield* setTo(1)
      yield* test.inject("fill", { delay: "500 millis", times: 1 })
      const first = yield* Effect.forkChild(setTo(2), { startImmediately: true })
      yield* TestClock.adjust("100 millis")
      yield* setTo(3)
      assert.deepStrictEqual(yield* value, Option.some(3))
      // Its lease is gone: whose value is the newest is not known.
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(first)
      assert.deepStrictEqual(yield* value, Option.none())
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("that fails leaves the old value, and no lease", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      yield* setTo(1)
      // CacheTest makes a defect of what its schema refuses.
      assert.isTrue(Exit.hasDies(yield* Effect.exit(setTo("two" as never))))
      assert.deepStrictEqual(yield* value, Option.some(1))
      yield* test.inject("fill", { fail: true, times: 1 })
      assert.strictEqual((yield* Effect.flip(setTo(2))).reason._tag, "Unavailable")
      assert.deepStrictEqual(yield* value, Option.some(1))
      yield* setTo(3)
      assert.deepStrictEqual(yield* value, Option.some(3))
    }).pipe(Effect.provide(CacheTest.layer))
  )
})
