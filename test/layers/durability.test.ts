/**
 * `NotReplicated` is no outage: the primary has carried it out.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { cacheAside, CacheFallback, CacheMemory, invalidateKey, invalidateTags } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { buildClient, freshNamespace, sharedRedis } from "../support/client.ts"

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
          for (const invalidation of [invalidateKey("k"), invalidateTags(["t"])]) {
            const { reason } = yield* Effect.flip(client.run(invalidation))
            assert.deepInclude(reason, { _tag: "NotReplicated", replicas: 1, acknowledged: 0 })
          }
          yield* client.run(get)
          assert.deepStrictEqual(yield* client.run(get.peek), Option.some(1))
        })
      )
    )
  }
})
