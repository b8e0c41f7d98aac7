/**
 * The suites of cached responses on a real Redis.
 */
import { Effect, Layer } from "effect"
import { CacheRedis } from "../../../src/redis/index.ts"
import { freshNamespace, sharedRedis } from "../../support/client.ts"
import { suites } from "./suites.ts"

const server = sharedRedis()

const anew = Layer.suspend(() => {
  const namespace = freshNamespace()
  return Layer.fresh(
    Layer.unwrap(Effect.map(server, ({ url }) => CacheRedis.layer({ url, namespace, timeout: "5 seconds" })))
  )
})

for (const each of suites) each("Redis", anew)
