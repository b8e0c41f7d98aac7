/**
 * What closes with a store, and clients that are somebody else's.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Redis } from "ioredis"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import { plant, valueOf, write } from "../../support/primitives.ts"
import { RedisServer } from "../../support/redisServer.ts"
import { sharedRedis } from "../../support/client.ts"
import { fresh, openClient, admin, eventually, reasonOf } from "./support.ts"

const sharedServer = sharedRedis()

describe("closing", () => {
  const connections = (client: Redis) =>
    Effect.promise(
      async () =>
        String(await client.client("LIST"))
          .trim()
          .split("\n").length
    )

  it.effect("closes every connection of its own, also with a waiter and commands in flight", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const client = yield* admin(server)
        assert.strictEqual(yield* connections(client), 1)
        yield* Effect.scoped(
          Effect.gen(function*() {
            const { backend } = yield* makeRedisPrimitives({ url: server.url })
            yield* backend.acquire("k", "a", 60_000)
            yield* Effect.forkChild(backend.awaitRelease("k", "a"), { startImmediately: true })
            yield* eventually(Effect.map(connections(client), (n) => n === 3))
            yield* backend.takeOver("in-flight", "a", 60_000, "refresh")
            const fill = backend.fill("in-flight", "a", write(backend, 1), "keep")
            yield* Effect.forkDetach(fill, { startImmediately: true })
          })
        )
        assert.strictEqual(yield* connections(client), 1)
        assert.strictEqual(yield* Effect.promise(() => client.exists("ec:e:{in-flight}")), 1)
      })
    )
  )

  it.effect("what is used after the end fails, and ending during the connect or an outage leaves nothing", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const client = yield* admin(server)
        const early = yield* Effect.scoped(makeRedisPrimitives({ url: server.url }))
        assert.strictEqual(yield* reasonOf(early.backend.read("k")), "Unavailable")
        yield* eventually(Effect.map(connections(client), (n) => n === 1))
        yield* Effect.scoped(
          Effect.gen(function*() {
            yield* makeRedisPrimitives({ url: server.url.replace(/\d+$/, "1") })
            yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
          })
        )
      })
    )
  )

  it.effect("your own client is used as it is, left open, and left without our listeners", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const client = yield* openClient({ port: server.port, keyPrefix: "mine:", enableAutoPipelining: true })
        const count = () => client.eventNames().map((name) => [name, client.listenerCount(name)])
        const before = count()
        yield* Effect.scoped(
          Effect.gen(function*() {
            const { backend } = yield* makeRedisPrimitives({ client })
            yield* plant(backend, "k", write(backend, 1))
            assert.strictEqual(valueOf(backend, yield* backend.read("k")), 1)
            yield* backend.acquire("k", "a", 60_000)
            yield* Effect.forkChild(backend.awaitRelease("k", "a"), { startImmediately: true })
            yield* eventually(Effect.map(connections(client), (n) => n === 2))
          })
        )
        assert.deepStrictEqual(count(), before)
        assert.strictEqual(client.status, "ready")
        assert.strictEqual(yield* Effect.promise(() => client.set("x", "1")), "OK")
        assert.strictEqual(yield* connections(client), 1)
        const error = yield* Effect.flip(Effect.scoped(makeRedisPrimitives({ client, db: 1 })))
        assert.strictEqual(error.reason._tag, "InvalidOption")
      })
    )
  )

  it.effect("a client of yours may give numbers as text", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const client = yield* openClient({ port: server.port, stringNumbers: true })
        const { backend, locks, tags } = yield* makeRedisPrimitives({ client, timeout: "30 seconds" })
        assert.strictEqual(yield* backend.acquire("k", "a", 60_000), "a")
        assert.isTrue(yield* backend.renew("k", "a", 60_000))
        assert.isFalse(yield* backend.renew("k", "b", 60_000))
        assert.isFalse(yield* backend.fill("k", "b", write(backend, 1), "keep"))
        assert.isTrue(yield* backend.fill("k", "a", write(backend, 1), "keep"))
        yield* backend.intents!.put("i", "w:1", { keys: [], patterns: [], tags: ["t"] }, 60_000)
        yield* backend.acquire("i", "a", 60_000)
        let isIntended = false
        const intended = () => {
          isIntended = true
        }
        assert.isTrue(yield* backend.fill("i", "a", write(backend, 1), "keep", intended))
        assert.isTrue(isIntended)
        yield* backend.intents!.drop([{ key: "i", token: "w:1" }])
        yield* backend.remove(["i"])
        assert.isTrue(yield* backend.addTags("k", ["t"]))
        assert.isFalse(yield* backend.addTags("nothing", ["t"]))
        assert.strictEqual(
          yield* reasonOf(
            backend.addTags(
              "k",
              Array.from({ length: 70_000 }, (_, i) => `${i}`)
            )
          ),
          "Unavailable"
        )
        yield* backend.acquire("l", "a", 60_000)
        assert.isTrue(yield* backend.release("l", "a", "keep"))
        assert.isFalse(yield* backend.release("l", "a", "keep"))
        yield* tags.ensure(["t"], 60_000)
        assert.deepStrictEqual(yield* tags.markers(["t"]), [yield* tags.epoch])
        assert.isNumber(yield* locks.acquire("m", "a", 60_000))
        assert.isUndefined(yield* locks.acquire("m", "b", 60_000))
        assert.isTrue(yield* locks.extend("m", "a", 60_000))
        assert.isFalse(yield* locks.extend("m", "b", 60_000))
        assert.isTrue(yield* locks.release("m", "a"))
        assert.isFalse(yield* locks.release("m", "a"))
        // The entry, the marker, the epoch and the fence.
        assert.strictEqual((yield* backend.usage).entries, 4)
        assert.strictEqual(yield* backend.remove(["k", "nothing"]), 1)
        yield* plant(backend, "k1", write(backend, 1))
        yield* plant(backend, "k2", write(backend, 1))
        assert.strictEqual(yield* backend.removeMatching("k*"), 2)
      })
    )
  )

  it.effect("a lazy client of yours is connected", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const client = yield* Effect.acquireRelease(
          Effect.sync(() => new Redis({ port: server.port, lazyConnect: true })),
          (client) => Effect.sync(() => client.disconnect())
        )
        const { backend } = yield* makeRedisPrimitives({ client, namespace: fresh() })
        assert.isUndefined(yield* backend.read("k"))
      })
    )
  )
})
