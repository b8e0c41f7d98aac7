/**
 * A full Redis refuses leases, so nobody is known to hold one: who waits for a load shares the next, and does not load in turn.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { cacheAside, stampedeProtect } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { adminOf, buildClient, freshNamespace, makeGate, sharedRedis } from "../support/client.ts"

const server = sharedRedis()

const settings = { key: "hot", schema: Schema.Number, ttl: "1 minute" } as const

for (const [name, wrap] of [
  ["cacheAside", cacheAside(settings)],
  ["stampedeProtect", stampedeProtect({ ...settings, waitTimeout: "1 hour" })]
] as const) {
  it.live(`on a full Redis callers of ${name} who come during a load share the next`, () =>
    Effect.scoped(
      Effect.gen(function*() {
        const running = yield* server
        const admin = yield* adminOf(running)
        const layer = CacheRedis.layer({ url: running.url, namespace: freshNamespace(), timeout: "10 seconds" })
        const a = yield* buildClient(layer)
        yield* a.settle
        yield* Effect.promise(() => admin.config("SET", "maxmemory", "1"))
        const gate = makeGate<number>()
        let loads = 0
        const get = a.run(
          wrap(Effect.suspend(() => (++loads === 1 ? gate.pass(1) : Effect.delay(Effect.succeed(2), 20))))
        )
        const first = yield* Effect.forkChild(get)
        yield* gate.reached
        const others = []
        for (let i = 0; i < 20; i++) {
          others.push(yield* Effect.forkChild(get))
          yield* a.settle
        }
        assert.strictEqual(loads, 1)
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(first), 1)
        for (const other of others) assert.strictEqual(yield* Fiber.join(other), 2)
        assert.strictEqual(loads, 2)
        assert.strictEqual(yield* a.inFlight, 0)
        yield* Effect.promise(() => admin.config("SET", "maxmemory", "0"))
      })
    )
  )
}
