import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema } from "effect"
import { cacheAside, getCacheStats, invalidateTags } from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { buildClient, freshNamespace, sharedRedis } from "../support/client.ts"
import { RedisServer } from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const server = sharedRedis()

it.live("a read that is interrupted is not counted, however long its caller takes to end", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const { url } = yield* server
      const client = yield* buildClient(CacheRedis.layer({ url, namespace: freshNamespace() }))
      const region = "n"
      const get = client.run(cacheAside({ key: region, schema: Schema.Number })(Effect.succeed(1)))
      const counted = Effect.map(client.run(getCacheStats), ({ regions }) => {
        const found = regions.find((one) => one.region === region)
        return [found?.hits ?? 0, found?.misses ?? 0]
      })
      for (const before of [
        [0, 0],
        [0, 1]
      ]) {
        const mayEnd = yield* Deferred.make<void>()
        const reading = yield* Effect.forkDetach(Effect.ensuring(get, Deferred.await(mayEnd)), {
          startImmediately: true
        })
        reading.interruptUnsafe()
        yield* client.settle
        assert.deepStrictEqual(yield* counted, before)
        yield* Deferred.succeed(mayEnd, undefined)
        yield* Fiber.await(reading)
        yield* get
      }
    })
  )
)

it.live("statistics are there while Redis is away, and say what it did not", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const server = yield* RedisServer.scoped()
      const layer = CacheRedis.layer({ url: server.url, namespace: freshNamespace(), timeout: "300 millis" })
      const client = yield* buildClient(layer)
      const get = client.run(cacheAside({ key: "n", schema: Schema.Number, tags: ["n"] })(Effect.succeed(1)))
      const stats = client.run(getCacheStats)
      yield* get
      yield* get
      const before = yield* stats
      assert.deepInclude(before, { backend: "redis", scope: "server", hits: 1, misses: 1, unavailable: undefined })
      assert.deepStrictEqual(before.breaker, { state: "trusted", journal: 0 })
      assert.isAtLeast(before.size!, 1)

      yield* server.stop
      yield* Effect.flip(client.run(invalidateTags(["n", "m"])))
      const away = yield* stats
      assert.deepInclude(away, { backend: "redis", hits: 1, misses: 1, loads: 1, inFlight: 0 })
      assert.deepInclude(away.regions[0], { region: "n", hits: 1, misses: 1 })
      assert.deepStrictEqual(away.breaker, { state: "away", journal: 2 })
      assert.strictEqual(away.unavailable?.reason._tag, "Unavailable")
      for (const name of ["scope", "size", "memoryMb", "evictions"] as const) assert.isUndefined(away[name], name)

      yield* server.start
      yield* until(Effect.map(stats, ({ breaker }) => breaker?.state === "trusted"))
      assert.deepInclude(yield* stats, { scope: "server", unavailable: undefined })
    })
  )
)
