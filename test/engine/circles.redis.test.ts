/**
 * Rings of loads and writes, and reads beside several writes, on a real Redis, which two clients of this process share.
 */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { CacheRedis } from "../../src/redis/index.ts"
import { buildClient, freshNamespace, sharedRedis } from "../support/client.ts"
import { besideWrites } from "./besideWrites.ts"
import { circles } from "./circles.ts"

const server = sharedRedis()

const two = Effect.gen(function*() {
  const { url } = yield* server
  const layer = CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" })
  return [yield* buildClient(layer), yield* buildClient(layer)] as const
})

describe("what needs each other ends, on Redis", () => {
  circles(two)
})

describe("a read beside several writes, on Redis", () => {
  besideWrites(two)
})
