/**
 * How long a call waits does not depend on whose flight it shares: each function that is wrapped where it is called is one of
 * its own, and a failure of one is not the others'.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { stampedeProtect } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { buildClient, freshNamespace, makeGate, sharedRedis } from "../support/client.ts"

const server = sharedRedis()

const clientOf = (namespace: string) =>
  Effect.gen(function*() {
    const { url } = yield* server
    return yield* buildClient(CacheRedis.layer({ url, namespace, timeout: "10 seconds" }))
  })

for (const onTimeout of ["fail", "load"] as const) {
  it.effect(
    `of functions that share a flight behind another process, each waits for waitTimeout once (${onTimeout})`,
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const namespace = freshNamespace()
          const [elsewhere, client] = [yield* clientOf(namespace), yield* clientOf(namespace)]
          const gate = makeGate<number>()
          const wrap = stampedeProtect({
            key: "hot",
            schema: Schema.Number,
            ttl: "1 minute",
            lockTtl: "1 hour",
            waitTimeout: "1 minute",
            onTimeout
          })
          const holder = yield* Effect.forkChild(elsewhere.run(wrap(gate.pass(1))))
          yield* gate.reached
          const calls = [2, 3, 4, 5].map((n) =>
            client.run(wrap(onTimeout === "fail" ? Effect.succeed(n) : Effect.fail("no")))
          )
          const fibers = yield* Effect.forEach(calls, (call) => Effect.forkChild(Effect.exit(call)))
          yield* client.settle
          for (let i = 0; i < 7; i++) {
            yield* TestClock.adjust("10 seconds")
            yield* client.settle
          }
          assert.deepStrictEqual(
            fibers.map((fiber) => fiber.pollUnsafe() !== undefined),
            [true, true, true, true]
          )
          yield* gate.open
          assert.strictEqual(yield* Fiber.join(holder), 1)
          assert.strictEqual(yield* client.inFlight, 0)
        })
      )
  )
}
