/**
 * Sharing on Redis, with what it costs in commands.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { stampedeProtect } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { adminOf, buildClient, commandCounts, freshNamespace, makeGate, sharedRedis } from "../support/client.ts"

const server = sharedRedis()

it.live("a thousand callers in one tick make one pair of trips", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const running = yield* server
      const admin = yield* adminOf(running)
      const a = yield* buildClient(CacheRedis.layer({ url: running.url, namespace: freshNamespace() }))
      const gate = makeGate<number>()
      const get = stampedeProtect({ key: "row", schema: Schema.Number })(gate.pass(1))
      // The epoch is made by the first load of all.
      yield* a.run(stampedeProtect({ key: "before", schema: Schema.Number })(Effect.succeed(0)))
      yield* Effect.promise(() => admin.config("RESETSTAT"))
      const all = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 1000 }, () => a.run(get)),
          { concurrency: "unbounded" }
        )
      )
      yield* gate.reached
      const counts = yield* Effect.promise(() => commandCounts(admin))
      yield* gate.open
      assert.deepStrictEqual(new Set(yield* Fiber.join(all)), new Set([1]))
      // The lease once. The entry, again when the callers took more than one turn, and once more with the epoch.
      assert.strictEqual(counts["set"], 1)
      assert.isAtMost(counts["get"]! + counts["mget"]!, 3)
    })
  )
)

it.live("the lease is kept while a load lasts, and whoever waits gets its value", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const { url } = yield* server
      const layer = CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" })
      const [a, b] = [yield* buildClient(layer), yield* buildClient(layer)]
      const gate = makeGate<number>()
      let loads = 0
      const get = stampedeProtect({ key: "long", schema: Schema.Number, lockTtl: "1 second", waitTimeout: "1 minute" })(
        Effect.suspend(() => gate.pass(++loads))
      )
      const first = yield* Effect.forkChild(a.run(get))
      yield* gate.reached
      const second = yield* Effect.forkChild(b.run(get))
      // Longer than the lease was taken for.
      yield* Effect.sleep(1700)
      yield* gate.open
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second), loads], [1, 1, 1])
    })
  )
)

it.live("who waits too long fails, or loads without storing", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const { url } = yield* server
      const layer = CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" })
      const [a, b] = [yield* buildClient(layer), yield* buildClient(layer)]
      const gate = makeGate<number>()
      const settings = { key: "held", schema: Schema.Number, waitTimeout: "50 millis" } as const
      const holder = yield* Effect.forkChild(a.run(stampedeProtect(settings)(gate.pass(1))))
      yield* gate.reached
      const failing = stampedeProtect({ ...settings, onTimeout: "fail" })(Effect.succeed(2))
      assert.strictEqual((yield* Effect.flip(b.run(failing))).reason._tag, "WaitTimeout")
      const loading = stampedeProtect(settings)(Effect.succeed(3))
      assert.strictEqual(yield* b.run(loading), 3)
      assert.strictEqual((yield* b.run(loading.peek))._tag, "None")
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(holder), 1)
      assert.strictEqual(yield* b.run(loading), 1)
    })
  )
)
