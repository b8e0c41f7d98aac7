/**
 * What is invalidated while Redis is away or refuses it, and how it is made up for.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import {
  cacheAside,
  CacheClient,
  CacheError,
  CacheFallback,
  CacheMemory,
  invalidateKey,
  invalidateKeys,
  invalidateTags
} from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { adminOf, buildClient, type Client, freshNamespace, scanKeys, sharedRedis } from "../support/client.ts"
import { Faulty, halfReply } from "../support/faulty.ts"
import { quietly, until, untilBack } from "../support/faultyRun.ts"
import { RedisServer } from "../support/redisServer.ts"

const set = (client: Client, key: string, value: string) =>
  client.run(CacheClient.use((cache) => cache.set(key, value, { schema: Schema.String, ttl: "10 minutes" })))
const get = (client: Client, key: string) =>
  client.run(
    Effect.map(
      CacheClient.use((cache) => cache.get(key, Schema.String)),
      Option.getOrUndefined
    )
  )

const refused = (effect: Effect.Effect<void, CacheError>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.instanceOf(error, CacheError)
    return error
  })

describe("invalidations while Redis is away", { concurrent: true }, () => {
  const shared = sharedRedis()

  for (const [count, kept] of [
    [10_000, true],
    [10_001, false]
  ] as const) {
    it.live(
      `${count} keys: ${kept ? "each is removed" : "the journal overflows, and the namespace is cleared"}`,
      () =>
        Effect.gen(function*() {
          const server = yield* shared
          const proxy = yield* Faulty.scoped(server.port)
          const admin = yield* adminOf(server)
          const namespace = freshNamespace()
          const redis = (port: number, namespace: string) =>
            CacheRedis.layer({ url: `redis://127.0.0.1:${port}`, namespace, timeout: "10 seconds" })
          const client = yield* buildClient(
            CacheFallback.layer({
              primary: redis(proxy.port, namespace),
              fallback: CacheMemory.layer(),
              timeout: "10 seconds",
              retryAfter: "20 millis"
            })
          )
          const other = yield* buildClient(redis(server.port, namespace))
          const neighbour = yield* buildClient(redis(server.port, freshNamespace()))
          const keys = Array.from({ length: count }, (_, i) => `row:${i}`)
          const nameOf = (key: string) => `${namespace}:e:{${key}}`
          const entries = Effect.promise(async () => (await scanKeys(admin, nameOf("row:*"))).length)
          yield* set(other, keys[0]!, "old")
          yield* set(other, "kept", "good")
          yield* set(neighbour, "kept", "good")
          // An entry does not name its key, so one is as good as all.
          yield* Effect.promise(async () => {
            const entry = await admin.getBuffer(nameOf(keys[0]!))
            const pipeline = admin.pipeline()
            for (const key of keys) pipeline.set(nameOf(key), entry!, "PX", 600_000)
            return pipeline.exec()
          })
          assert.strictEqual(yield* get(client, keys.at(-1)!), "old")
          assert.strictEqual(yield* entries, count)

          proxy.refuse(true)
          yield* refused(client.run(invalidateKey(keys[0]!)))
          for (let i = 1; i < count; i += 100) yield* refused(client.run(invalidateKeys(keys.slice(i, i + 100))))
          assert.strictEqual(yield* entries, count)

          // It comes back, and is cut off in the middle of what is made up for.
          let cut = false
          proxy.rule((seen) => {
            if (cut || seen.count !== (kept ? 3000 : 20)) return undefined
            cut = true
            return halfReply
          })
          proxy.refuse(false)
          yield* untilBack(client)
          assert.isTrue(cut)
          assert.strictEqual(yield* entries, 0)
          assert.strictEqual(yield* get(client, "kept"), kept ? "good" : undefined)
          assert.strictEqual(yield* get(neighbour, "kept"), "good")
          yield* set(client, "new", "value")
          assert.strictEqual(yield* get(other, "new"), "value")
        }).pipe(Effect.scoped, quietly),
      60_000
    )
  }
})

describe("a tag while Redis is full", { concurrent: true }, () => {
  for (const wrapped of [false, true]) {
    it.live(
      `fails, is in force here at once, and for all before Redis is trusted (${wrapped ? "fallback" : "alone"})`,
      () =>
        Effect.gen(function*() {
          const server = yield* RedisServer.scoped()
          const admin = yield* adminOf(server)
          const primary = CacheRedis.layer({ url: server.url, timeout: "10 seconds" })
          const client = yield* buildClient(
            Layer.orDie(
              wrapped ? CacheFallback.layer({ primary, fallback: CacheMemory.layer(), timeout: "10 seconds" }) : primary
            )
          )
          const other = yield* buildClient(primary)
          let row = 1
          const read = cacheAside({ key: "row", schema: Schema.Number, tags: ["rows"] })(Effect.sync(() => row))
          yield* client.run(read)
          const found = Effect.map(other.run(read.peek), Option.getOrUndefined)
          yield* until(
            () => "others find it",
            Effect.map(found, (value) => value === 1)
          )
          yield* Effect.promise(() => admin.config("SET", "maxmemory", "1"))
          row = 2
          // The epoch cannot be moved on, so nothing was invalidated, and it is said.
          const error = yield* refused(client.run(invalidateTags(["rows"])))
          assert.match(error.message, /^Unavailable: .*OOM/)
          assert.strictEqual(yield* found, 1)
          assert.strictEqual(yield* client.run(read), 2)
          // Redis answers, and still it is not trusted.
          const before = Number(
            /cmdstat_get:calls=(\d+)/.exec(yield* Effect.promise(() => admin.info("commandstats")))![1]
          )
          yield* until(
            () => "it is tried again",
            Effect.map(
              Effect.promise(() => admin.info("commandstats")),
              (stats) => Number(/cmdstat_get:calls=(\d+)/.exec(stats)![1]) > before
            )
          )
          assert.strictEqual(yield* client.run(read), 2)
          assert.match((yield* refused(client.run(Effect.asVoid(read.peek)))).message, /held off/)

          yield* Effect.promise(() => admin.config("SET", "maxmemory", "0"))
          yield* untilBack(client)
          assert.isUndefined(yield* found)
          assert.strictEqual(yield* client.run(read), 2)
        }).pipe(Effect.scoped, quietly),
      60_000
    )
  }
})
