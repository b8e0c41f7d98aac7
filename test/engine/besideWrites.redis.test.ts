/**
 * Reads beside several writes, on a real Redis.
 */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { CacheRedis } from "../../src/redis/index.ts"
import { buildClient, freshNamespace, sharedRedis } from "../support/client.ts"
import { besideWrites } from "./besideWrites.ts"

const server = sharedRedis()

describe("a read beside several writes, on Redis", () => {
  besideWrites(
    Effect.gen(function*() {
      const { url } = yield* server
      const layer = CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" })
      return [yield* buildClient(layer), yield* buildClient(layer)] as const
    })
  )
})
