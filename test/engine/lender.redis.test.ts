/**
 * Whose context a load runs in, on a real Redis.
 */
import { describe } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { CacheRedis } from "../../src/redis/index.ts"
import { buildClient, freshNamespace, sharedRedis } from "../support/client.ts"
import { lenders } from "./lender.ts"

const server = sharedRedis()

describe("lenders on Redis", () => {
  lenders(
    Effect.gen(function*() {
      const { url } = yield* server
      const scope = yield* Scope.fork(yield* Scope.Scope)
      const layer = CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" })
      return { client: yield* Scope.provide(buildClient(layer), scope), close: Scope.close(scope, Exit.void) }
    })
  )
})
