/**
 * `NotReplicated` is no outage: the primary has carried it out.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import {
  cacheAside,
  CacheFallback,
  CacheMemory,
  invalidateKey,
  invalidatePattern,
  invalidateTags
} from "../../../src/index.ts"
import { CacheRedis } from "../../../src/redis/index.ts"
import { adminOf, buildClient, commandCounts, freshNamespace, sharedRedis } from "../../support/client.ts"
import { RedisServer } from "../../support/redisServer.ts"
import { until } from "../../support/until.ts"

const server = sharedRedis()

describe("durability without a replica", () => {
  const layers = {
    alone: (primary: ReturnType<typeof CacheRedis.layer>) => primary,
    "under a fallback": (primary: ReturnType<typeof CacheRedis.layer>) =>
      CacheFallback.layer({ primary, fallback: CacheMemory.layer() })
  }
  for (const [name, around] of Object.entries(layers)) {
    it.live(`${name}: NotReplicated, and the cache goes on`, () =>
      Effect.scoped(
        Effect.gen(function*() {
          const { url } = yield* server
          const primary = CacheRedis.layer({ url, namespace: freshNamespace(), durability: { replicas: 1 } })
          const client = yield* buildClient(around(primary))
          const get = cacheAside({ key: "k", schema: Schema.Number, ttl: "1 minute" })(Effect.succeed(1))
          yield* client.run(get)
          // Also a pattern that finds nothing: what somebody else removed before must last as well.
          for (const invalidation of [invalidateKey("k"), invalidateTags(["t"]), invalidatePattern("nothing:*")]) {
            const { reason } = yield* Effect.flip(client.run(invalidation))
            assert.deepInclude(reason, { _tag: "NotReplicated", replicas: 1, acknowledged: 0 })
          }
          yield* client.run(get)
          assert.deepStrictEqual(yield* client.run(get.peek), Option.some(1))
        })
      )
    )
  }

  const short = { replicas: 1, timeout: "100 millis" } as const

  it.live("a pattern is scanned twice all the same", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const running = yield* RedisServer.scoped()
        const admin = yield* adminOf(running)
        const client = yield* buildClient(CacheRedis.layer({ url: running.url, durability: short }))
        yield* client.run(cacheAside({ key: "k:1", schema: Schema.Number, ttl: "1 minute" })(Effect.succeed(1)))
        yield* Effect.promise(() => admin.config("RESETSTAT"))
        const { reason } = yield* Effect.flip(client.run(invalidatePattern("k:*")))
        assert.strictEqual(reason._tag, "NotReplicated")
        assert.strictEqual((yield* Effect.promise(() => commandCounts(admin)))["scan"], 2)
      })
    )
  )

  it.live("also when the server is out of memory", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const running = yield* RedisServer.scoped()
        const admin = yield* adminOf(running)
        const client = yield* buildClient(CacheRedis.layer({ url: running.url, durability: short }))
        yield* Effect.promise(() => admin.config("SET", "maxmemory", "1", "maxmemory-policy", "noeviction"))
        yield* Effect.promise(() => admin.config("RESETSTAT"))
        const { reason } = yield* Effect.flip(client.run(invalidateKey("k")))
        assert.strictEqual(reason._tag, "NotReplicated")
        assert.strictEqual((yield* Effect.promise(() => commandCounts(admin)))["set"], 1)
        assert.notInclude(yield* Effect.promise(() => admin.info("errorstats")), "OOM")
      })
    )
  )

  // From 7.2 on a WAIT behind commands that change nothing says yes at once.
  it.live("what finds nothing writes something before its WAIT", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const running = yield* RedisServer.scoped()
        const admin = yield* adminOf(running)
        const client = yield* buildClient(CacheRedis.layer({ url: running.url, durability: short }))
        for (const invalidation of [invalidateKey("k"), invalidatePattern("k:*")]) {
          yield* Effect.promise(() => admin.config("RESETSTAT"))
          yield* Effect.flip(client.run(invalidation))
          const counts = yield* Effect.promise(() => commandCounts(admin))
          assert.isAbove(counts["wait"]!, 0)
          assert.strictEqual(counts["set"], counts["wait"])
        }
      })
    )
  )

  it.live("many at once do not wait one after the other", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { url } = yield* server
        const client = yield* buildClient(
          CacheRedis.layer({ url, namespace: freshNamespace(), durability: short, timeout: "2 seconds" })
        )
        const one = (i: number) =>
          Effect.delay(Effect.flip(client.run(i % 2 === 0 ? invalidateKey(`k${i}`) : invalidateTags([`t${i}`]))), i * 5)
        const errors = yield* Effect.forEach(Array.from({ length: 40 }).keys(), one, { concurrency: "unbounded" })
        assert.deepStrictEqual([...new Set(errors.map(({ reason }) => reason._tag))], ["NotReplicated"])
      })
    )
  )

  it.live("with a client that was brought along, its connections are closed", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const running = yield* RedisServer.scoped()
        const own = yield* adminOf(running)
        yield* Effect.scoped(
          Effect.gen(function*() {
            const client = yield* buildClient(CacheRedis.layer({ client: own, durability: short }))
            yield* Effect.flip(client.run(invalidateKey("k")))
          })
        )
        const others = Effect.promise(
          async () =>
            String(await own.client("LIST"))
              .trim()
              .split("\n").length === 1
        )
        yield* until(others)
      })
    )
  )
})
