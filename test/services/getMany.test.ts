/**
 * Reading many entries at once: each as `get` gives it.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Option, Result, Schema } from "effect"
import { cacheAside, CacheClient, CacheMemory, getCacheStats, invalidateTags } from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { CacheTest } from "effect-cache/testing"
import { TcpProxy } from "../support/proxy.ts"
import { RedisServer } from "../support/redisServer.ts"

const redis = Layer.unwrap(Effect.map(RedisServer, ({ url }) => CacheRedis.layer({ url, timeout: "30 seconds" }))).pipe(
  Layer.provide(RedisServer.layer())
)

for (const [name, make] of [
  ["memory", CacheMemory.layer()],
  ["clones", CacheMemory.layer({ isolation: "clone" })],
  ["bytes", CacheTest.layer],
  ["redis", redis]
] as const) {
  layer(make, { excludeTestServices: name === "redis" })(`getMany on ${name}`, (it) => {
    it.effect("gives each key its value, in order, also twice", () =>
      Effect.gen(function*() {
        const cache = yield* CacheClient
        const Maybe = Schema.NullOr(Schema.Number)
        for (const n of [1, 2, 3]) yield* cache.set(`n:${n}`, n, { schema: Maybe })
        yield* cache.set("n:null", null, { schema: Maybe })
        yield* cache.set("n:text", "text", { schema: Schema.String })
        const found = yield* cache.getMany(["n:3", "n:1", "n:none", "n:null", "n:text", "n:1"], Maybe)
        assert.deepStrictEqual(found.map(Option.getOrUndefined), [3, 1, undefined, null, undefined, 1])
        assert.deepStrictEqual(yield* cache.getMany([], Maybe), [])
      })
    )

    it.effect("goes by tags, known here or not", () =>
      Effect.gen(function*() {
        const cache = yield* CacheClient
        const keys = Array.from({ length: 40 }, (_, i) => `t:${i}`)
        const setAll = Effect.forEach(
          keys,
          (key, i) => cache.set(key, i, { schema: Schema.Number, tags: ["all", `of:${i % 4}`] }),
          { concurrency: "unbounded" }
        )
        yield* setAll
        const there = Effect.map(cache.getMany(keys, Schema.Number), (found) => found.filter(Option.isSome).length)
        assert.strictEqual(yield* there, 40)
        yield* invalidateTags(["of:1"])
        assert.strictEqual(yield* there, 30)
        yield* invalidateTags(["all"])
        assert.strictEqual(yield* there, 0)
        yield* setAll
        assert.strictEqual(yield* there, 40)
      })
    )

    it.effect("sees what patterns stored, and counts each key", () =>
      Effect.gen(function*() {
        const cache = yield* CacheClient
        const get = cacheAside({ key: "p:{0}", schema: Schema.Date })((n: number) => Effect.succeed(new Date(n)))
        yield* get(1)
        yield* get(2)
        const before = yield* getCacheStats
        const found = yield* cache.getMany([get.key(1), get.key(2), get.key(3)], Schema.Date)
        assert.deepStrictEqual(found.map(Option.map((date) => date.getTime())), [
          Option.some(1),
          Option.some(2),
          Option.none()
        ])
        const after = yield* getCacheStats
        assert.deepStrictEqual([after.hits - before.hits, after.misses - before.misses], [2, 1])
      })
    )

    it.effect("a bad key is the caller's to see", () =>
      Effect.gen(function*() {
        const cache = yield* CacheClient
        const result = yield* Effect.result(cache.getMany(["a", ""], Schema.Number))
        assert.isTrue(Result.isFailure(result) && result.failure.reason._tag === "InvalidKey")
      })
    )
  })
}

layer(RedisServer.layer(), { excludeTestServices: true })("getMany and its trips", (it) => {
  it.effect("one for a hundred keys; another client pays one more, once, for tags it does not know", () =>
    Effect.gen(function*() {
      const { port, url } = yield* RedisServer
      const keys = Array.from({ length: 100 }, (_, i) => `t:${i}`)
      const here = Effect.provide(Layer.fresh(CacheRedis.layer({ url, timeout: "30 seconds" })), { local: true })
      yield* Effect.gen(function*() {
        const cache = yield* CacheClient
        yield* Effect.forEach(keys, (key) => cache.set(key, 1, { schema: Schema.Number, tags: ["a", key] }), {
          concurrency: "unbounded"
        })
      }).pipe(here)
      const proxy = yield* TcpProxy.scoped({ port })
      yield* Effect.gen(function*() {
        const cache = yield* CacheClient
        yield* cache.get("none", Schema.Number)
        const trips = Effect.gen(function*() {
          const before = proxy.trips()
          const found = yield* cache.getMany(keys, Schema.Number)
          assert.strictEqual(found.filter(Option.isSome).length, 100)
          return proxy.trips() - before
        })
        assert.strictEqual(yield* trips, 2)
        assert.strictEqual(yield* trips, 1)
      }).pipe(
        Effect.provide(
          Layer.fresh(CacheRedis.layer({ url: `redis://127.0.0.1:${proxy.port}`, timeout: "30 seconds" })),
          { local: true }
        )
      )
    }).pipe(Effect.scoped)
  )
})
