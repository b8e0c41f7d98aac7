/**
 * Very many keys, tags and commands at once: each in its turn, and nobody under one deadline with all of them.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Schema } from "effect"
import { CacheClient, invalidateKeys, invalidateTags } from "../../../src/index.ts"
import { CacheRedis } from "../../../src/redis/index.ts"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import { buildClient, sharedRedis } from "../../support/client.ts"
import { plant, valueOf, write } from "../../support/primitives.ts"
import { RedisServer } from "../../support/redisServer.ts"
import { ticking } from "../../support/ticking.ts"
import { calls, eventually, fresh, openCommands, admin, reasonOf } from "./support.ts"

const shared = sharedRedis()

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
const turns = (count: number) => Effect.forEach(Array.from({ length: count }), () => turn, { discard: true })

describe("many at once", { concurrent: true }, () => {
  it.live(
    "10,000 tags or keys of one call are invalidated, and others run meanwhile",
    () =>
      Effect.gen(function*() {
        const { url } = yield* shared
        const client = yield* buildClient(CacheRedis.layer({ url, namespace: fresh(), timeout: "10 seconds" }))
        const items = Array.from({ length: 10_000 }, (_, i) => `item:${i}`)
        const set = (key: string, tags: ReadonlyArray<string>) =>
          CacheClient.use((cache) => cache.set(key, key, { schema: Schema.String, ttl: "10 minutes", tags }))
        const get = (key: string) => CacheClient.use((cache) => cache.get(key, Schema.String))
        for (const invalidation of [invalidateTags(items), invalidateKeys(items)]) {
          yield* client.run(set("kept", ["other"]))
          for (const i of [0, 300, 9_999]) yield* client.run(set(`item:${i}`, [`item:${i}`]))
          const counted = yield* ticking((ticks) => Effect.map(client.run(invalidation), ticks))
          for (const i of [0, 300, 9_999]) assert.isTrue(Option.isNone(yield* client.run(get(`item:${i}`))))
          assert.deepStrictEqual(yield* client.run(get("kept")), Option.some("kept"))
          assert.isAtLeast(counted, 2 * Math.ceil(items.length / 512))
        }
      }).pipe(Effect.scoped),
    30_000
  )

  it.live(
    "what is read of thousands is in its order, and so are their markers",
    () =>
      Effect.gen(function*() {
        const { url } = yield* shared
        const namespace = fresh()
        const { backend, tags } = yield* makeRedisPrimitives({ url, namespace, timeout: "10 seconds" })
        const list = Array.from({ length: 3_000 }, (_, i) => `t:${i}`)
        yield* tags.ensure(list, 60_000)
        yield* tags.ensure(list, 60_000)
        const epoch = yield* tags.epoch
        assert.deepStrictEqual(yield* tags.markers(["none", ...list, "none"]), [
          undefined,
          ...list.map(() => epoch),
          undefined
        ])
        yield* tags.invalidate(list)
        const after = yield* tags.epoch
        assert.isTrue((yield* tags.markers(list)).every((marker) => marker === after))
        for (const i of [0, 1_023, 1_024, 2_999]) yield* plant(backend, `t:${i}`, write(backend, i))
        const client = yield* buildClient(CacheRedis.layer({ url, namespace, timeout: "10 seconds" }))
        const set = CacheClient.use((cache) => cache.set("t:1500", "found", { schema: Schema.String }))
        yield* client.run(set)
        const found = yield* client.run(CacheClient.use((cache) => cache.getMany(list, Schema.String)))
        assert.lengthOf(found, list.length)
        assert.deepStrictEqual(found[1_500], Option.some("found"))
        assert.strictEqual(found.filter(Option.isSome).length, 1)
        assert.strictEqual(valueOf(backend, yield* backend.read("t:1024")), 1_024)
      }).pipe(Effect.scoped),
    30_000
  )

  it.live("of a burst so many commands are under way as are answered soon; the others follow", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.scoped()
      const { nodes } = yield* openCommands({ url: server.url, timeout: "30 seconds" })
      const { client } = nodes.primaries()[0]!
      const order: Array<number> = []
      const ask = (i: number) =>
        Effect.callback<void, unknown>((resume) => {
          nodes.command("k", "test", "incr", ["k"], "utf8", (error, reply) => {
            order.push(Number(reply))
            resume(error === undefined ? Effect.void : Effect.fail([i, error]))
          })
        })
      yield* ask(0)
      yield* server.pause
      const burst = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 5_000 }, (_, i) => i),
          ask,
          { concurrency: "unbounded", discard: true }
        )
      )
      yield* turns(20)
      const { length } = (client as unknown as { readonly commandQueue: { readonly length: number } }).commandQueue
      assert.isAtMost(length, 1_000)
      assert.isAtLeast(length, 500)
      yield* server.resume
      yield* Fiber.join(burst)
      assert.deepStrictEqual(
        order,
        Array.from({ length: 5_001 }, (_, i) => i + 1)
      )
    }).pipe(Effect.scoped)
  )

  it.effect("of a burst that meets silence all fail, and what waited for its turn is never sent", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.scoped()
      const inspecting = yield* admin(server)
      const { backend } = yield* makeRedisPrimitives({ url: server.url, timeout: "200 millis" })
      const answers = Effect.match(backend.read("k"), { onFailure: () => false, onSuccess: () => true })
      yield* eventually(answers)
      yield* server.pause
      const reasons = yield* Effect.forEach(
        Array.from({ length: 5_000 }, (_, i) => i),
        (i) => reasonOf(backend.acquire(`k${i}`, "a", 1_000)),
        { concurrency: "unbounded" }
      )
      yield* server.resume
      assert.deepStrictEqual([...new Set(reasons)], ["TimedOut"])
      yield* eventually(answers)
      assert.isAtMost(yield* calls(inspecting, "set"), 2_000)
    }).pipe(Effect.scoped)
  )
})
