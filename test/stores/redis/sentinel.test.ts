/**
 * What is particular to Redis behind Sentinel: the primary is looked up, followed, and never a replica.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, ManagedRuntime, Option, Schema } from "effect"
import { afterAll } from "vitest"
import { cacheAside, type CacheError, invalidateKey, invalidateTags } from "../../../src/index.ts"
import { CacheRedis, type RedisOptions } from "../../../src/redis/index.ts"
import { buildClient, freshNamespace } from "../../support/client.ts"
import { RedisSentinel, type RunningSentinel } from "../../support/redisSentinel.ts"
import { table } from "../../support/table.ts"
import { until } from "../../support/until.ts"

class Shared extends Context.Service<Shared, RunningSentinel>()("effect-cache/test/Sentinel") {}
const runtime = ManagedRuntime.make(Layer.orDie(Layer.effect(Shared, RedisSentinel.scoped())))
afterAll(() => runtime.dispose())
const shared = Effect.promise(() => runtime.runPromise(Shared))

const settings = { key: "row:{id}", schema: Schema.Number, ttl: "1 minute" } as const

const causeOf = (error: CacheError): string => error.message

describe("Redis behind Sentinel", () => {
  const open = (options: RedisOptions) =>
    buildClient(CacheRedis.layer({ namespace: freshNamespace(), timeout: "5 seconds", ...options }))

  it.live("finds the primary by its name", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { primary, url } = yield* shared
        const client = yield* open({ url })
        const { load, state } = table()
        const get = cacheAside({ ...settings, tags: ["all"] })(load)
        yield* client.run(get({ id: "1" }))
        yield* client.run(get({ id: "1" }))
        assert.strictEqual(state.reads, 1)
        yield* client.run(invalidateTags(["all"]))
        yield* client.run(get({ id: "1" }))
        assert.strictEqual(state.reads, 2)
        assert.match(yield* (yield* primary).raw("DBSIZE"), /^:[1-9]/)
      })
    )
  )

  it.live("logs in to the sentinels as a user with no more rights than it needs", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { sentinels, url } = yield* shared
        const rights =
          "resetchannels &+switch-master -@all +sentinel|get-master-addr-by-name +sentinel|sentinels +subscribe +info"
        for (const sentinel of sentinels) {
          yield* sentinel.raw("ACL", "SETUSER", "watcher", "reset", "on", ">watcher-password", ...rights.split(" "))
        }
        const watcher = { sentinelUsername: "watcher", sentinelPassword: "watcher-password" }
        const client = yield* open({ url, ...watcher })
        yield* client.run(invalidateKey("a"))
        const denied = yield* Effect.forEach(sentinels, (sentinel) => sentinel.raw("ACL", "LOG"))
        assert.notMatch(denied.join(), /switch-master|get-master-addr-by-name/)
        const stranger = yield* open({ url, ...watcher, sentinelPassword: "wrong" })
        const error = yield* Effect.flip(stranger.run(invalidateKey("a")))
        assert.match(causeOf(error), /WRONGPASS/)
      })
    )
  )

  it.live("says what is wrong when nobody knows the name, or no sentinel is there", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { sentinels } = yield* shared
        const nodes = sentinels.map(({ port }) => `127.0.0.1:${port}`)
        for (const [wrong, expected] of [
          [{ nodes, primaryName: "nobody" }, /nobody|sentinels/i],
          [{ nodes: ["127.0.0.1:1"], primaryName: "main" }, /sentinels/i]
        ] as const) {
          const client = yield* open({ mode: "sentinel", ...wrong })
          const error = yield* Effect.flip(client.run(invalidateKey("a")))
          assert.strictEqual(error.reason._tag, "Unavailable")
          assert.match(causeOf(error), expected)
          // And nobody is held up.
          const get = cacheAside(settings)(table().load)
          assert.strictEqual(yield* client.run(get({ id: "1" })), 0)
        }
      })
    )
  )

  it.live("a replica is not taken for the primary, whatever an address says", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { primary, servers } = yield* shared
        const first = yield* primary
        const replica = servers.find((server) => server !== first)!
        const client = yield* open({ url: replica.url })
        const error = yield* Effect.flip(client.run(invalidateKey("a")))
        assert.include(causeOf(error), "the server is a replica, expected a primary")
        const { load, state } = table()
        const get = cacheAside(settings)(load)
        yield* client.run(get({ id: "1" }))
        yield* client.run(get({ id: "1" }))
        assert.strictEqual(state.reads, 2)
      })
    )
  )

  // The last: it leaves another primary than it found.
  it.live(
    "a primary that dies: no caller fails, the next one is found; with durability what was acknowledged holds",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const sentinel = yield* shared
          const client = yield* open({ url: sentinel.url, durability: { replicas: 2, timeout: "2 seconds" } })
          const { load, state } = table()
          const get = cacheAside(settings)(load)
          yield* client.run(get({ id: "1" }))
          state.row = 1
          yield* client.run(get.invalidate({ id: "1" }))
          const { killed } = yield* sentinel.failover
          assert.strictEqual(yield* client.run(get({ id: "1" })), 1)
          yield* until(
            Effect.andThen(client.run(get({ id: "1" })), Effect.map(client.run(get.peek({ id: "1" })), Option.isSome))
          )
          assert.strictEqual(yield* client.run(get({ id: "1" })), 1)
          // One replica is left of the two that it asks for.
          yield* until(
            Effect.map(
              Effect.flip(client.run(get.invalidate({ id: "1" }))),
              ({ reason }) => reason._tag === "NotReplicated" && reason.acknowledged === 1
            )
          )
          yield* sentinel.revive(killed)
          yield* until(Effect.isSuccess(client.run(get.invalidate({ id: "1" }))))
        })
      ),
    60_000
  )
})
