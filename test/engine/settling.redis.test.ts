import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { CacheClient, stampedeProtect } from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { TcpProxy } from "../support/proxy.ts"
import { RedisServer } from "../support/redisServer.ts"

// The markers of new tags are confirmed one round trip after the fill. A waiter that is nearer to Redis than the holder
// sees the entry before that, and must not take it for stale.
it.live("one load among processes also when the tags are new, and the holder is further from Redis", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const server = yield* RedisServer.scoped()
      const proxy = yield* TcpProxy.scoped({ port: server.port })
      const build = (port: number) =>
        Effect.map(
          Layer.build(Layer.fresh(CacheRedis.layer({ port, host: "127.0.0.1", timeout: "10 seconds" }))),
          (services) => Context.get(services, CacheClient)
        )
      const far = yield* build(proxy.port)
      const near = yield* build(server.port)
      yield* Effect.all([far.stats, near.stats])
      proxy.delay(5)
      const loads: Array<number> = []
      for (let round = 0; round < 20; round++) {
        loads[round] = 0
        const load = Effect.delay(
          Effect.sync(() => ++loads[round]!),
          "60 millis"
        )
        const get = stampedeProtect({
          key: `k${round}`,
          schema: Schema.Number,
          ttl: "1 minute",
          tags: () => [`t${round}`]
        })(load)
        const first = Effect.provideService(get, CacheClient, far)
        const second = Effect.provideService(Effect.delay(get, "40 millis"), CacheClient, near)
        assert.deepStrictEqual(yield* Effect.all([first, second], { concurrency: "unbounded" }), [1, 1])
      }
      assert.deepStrictEqual(new Set(loads), new Set([1]))
    })
  )
)
