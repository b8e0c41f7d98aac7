/**
 * What is invalidated while Redis is away or refuses it, and how it is made up for.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { CacheClient, CacheError, CacheFallback, CacheMemory, invalidateKey, invalidateKeys } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { adminOf, buildClient, type Client, freshNamespace, scanKeys, sharedRedis } from "../support/client.ts"
import { Faulty, halfReply } from "../support/faulty.ts"
import { quietly, untilBack } from "../support/faultyRun.ts"

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
