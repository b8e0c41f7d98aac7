/**
 * One load a key in a process, on a real Redis; and what becomes of a lease whose holder is in the way.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { cacheAside, stampedeProtect, writeThrough } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { buildClient, freshNamespace, makeGate, sharedRedis } from "../support/client.ts"
import { oneLoad } from "./oneLoad.ts"

const server = sharedRedis()

const pair = Effect.gen(function*() {
  const { url } = yield* server
  const layer = CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" })
  return [yield* buildClient(layer), yield* buildClient(layer)] as const
})

describe("one load a key on Redis", () => {
  oneLoad(pair, 2)
})

describe("a lease in the way", () => {
  const settings = { key: "row", schema: Schema.Number, ttl: "1 day" } as const

  it.effect("of a load that hangs is taken over a lease later, by who has loaded without storing", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const [a, b] = yield* pair
        const gate = makeGate<number>()
        let loads = 1
        const hanging = yield* Effect.forkChild(
          a.run(stampedeProtect({ ...settings, lockTtl: "1 hour" })(gate.pass(1)))
        )
        yield* gate.reached
        const get = b.run(
          stampedeProtect({ ...settings, lockTtl: "1 hour", waitTimeout: "1 minute" })(Effect.sync(() => ++loads))
        )
        const first = yield* Effect.forkChild(get)
        yield* b.settle
        yield* TestClock.adjust("61 seconds")
        assert.strictEqual(yield* Fiber.join(first), 2)
        // Not yet a lease later: it waits again.
        const second = yield* Effect.forkChild(get)
        yield* b.settle
        yield* TestClock.adjust("58 minutes")
        assert.strictEqual(yield* Fiber.join(second), 3)
        yield* TestClock.adjust("3 minutes")
        // From here on it is stored.
        assert.strictEqual(yield* get, 4)
        assert.strictEqual(yield* get, 4)
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(hanging), 1)
        assert.strictEqual(yield* get, 4)
      })
    )
  )

  it.effect("of a write is not", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const [a, b] = yield* pair
        const gate = makeGate<number>()
        let loads = 1
        const writer = yield* Effect.forkChild(a.run(writeThrough(settings)(gate.pass(1))))
        yield* gate.reached
        const get = b.run(cacheAside(settings)(Effect.sync(() => ++loads)))
        for (let i = 2; i < 5; i++) {
          assert.strictEqual(yield* get, i)
          yield* TestClock.adjust("6 seconds")
        }
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(writer), 1)
        assert.strictEqual(yield* get, 1)
      })
    )
  )

  it.effect("is not taken over by who is loading still, so a long load is stored", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const [a, b] = yield* pair
        const gate = Deferred.makeUnsafe<void>()
        let loads = 0
        const wrapped = cacheAside(settings)(Effect.suspend(() => Effect.as(Deferred.await(gate), ++loads)))
        const holder = yield* Effect.forkChild(a.run(wrapped))
        yield* a.settle
        const others = []
        for (let i = 0; i < 5; i++) {
          others.push(yield* Effect.forkChild(b.run(wrapped)))
          yield* b.settle
          yield* TestClock.adjust("6 seconds")
        }
        assert.strictEqual(loads, 2)
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Fiber.join(holder), 1)
        for (const other of others) assert.strictEqual(yield* Fiber.join(other), 2)
        assert.strictEqual(yield* b.run(wrapped), 1)
      })
    )
  )
})
