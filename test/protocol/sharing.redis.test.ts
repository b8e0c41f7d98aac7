/**
 * Sharing on Redis, with what it costs in commands.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { stampedeProtect } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { adminOf, buildClient, commandCounts, freshNamespace, makeGate, redisWorld, sharedRedis } from "../support/client.ts"
import { sharing } from "./sharing.ts"

const server = sharedRedis()

sharing("Redis", redisWorld(server))

it.live("a thousand callers in one tick make one pair of trips", () =>
  Effect.scoped(Effect.gen(function*() {
    const running = yield* server
    const admin = yield* adminOf(running)
    const a = yield* buildClient(CacheRedis.layer({ url: running.url, namespace: freshNamespace() }))
    const gate = makeGate<number>()
    const get = stampedeProtect({ key: "row", schema: Schema.Number })(gate.pass(1))
    // The epoch is made by the first load of all.
    yield* a.run(stampedeProtect({ key: "before", schema: Schema.Number })(Effect.succeed(0)))
    yield* Effect.promise(() => admin.config("RESETSTAT"))
    const all = yield* Effect.forkChild(
      Effect.all(Array.from({ length: 1000 }, () => a.run(get)), { concurrency: "unbounded" })
    )
    yield* gate.reached
    const counts = yield* Effect.promise(() => commandCounts(admin))
    yield* gate.open
    assert.deepStrictEqual(new Set(yield* Fiber.join(all)), new Set([1]))
    // The lease once. The entry and the epoch once each, and the entry again when the callers took more than one turn.
    assert.strictEqual(counts["set"], 1)
    assert.isAtMost(counts["get"]!, 3)
  })))
