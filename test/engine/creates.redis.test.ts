import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { CacheRedis } from "../../src/redis/index.ts"
import { buildClient, freshNamespace, sharedRedis } from "../support/client.ts"
import { creates } from "./creates.ts"

const server = sharedRedis()

describe("creates on Redis", () => {
  creates(
    Effect.gen(function*() {
      const { url } = yield* server
      const layer = CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" })
      return [yield* buildClient(layer), yield* buildClient(layer)] as const
    })
  )
})
