/**
 * Random programs of nested loads on a real Redis, through one client or two; then on one that has no room at times.
 */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { CacheRedis } from "../../src/redis/index.ts"
import { adminOf, buildClient, freshNamespace, sharedRedis } from "../support/client.ts"
import { rounds } from "../support/rounds.ts"
import { nestedLoads } from "./nested.ts"

const server = sharedRedis()
const file = "test/engine/nested.redis.test.ts"

const open = (seed: number) =>
  Effect.gen(function*() {
    const { url } = yield* server
    const layer = CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" })
    const clients = yield* Effect.replicateEffect(buildClient(layer), 1 + (seed % 2))
    const goOn = Effect.forEach(clients, ({ settle }) => settle, { concurrency: "unbounded", discard: true })
    return { clients, goOn }
  })

describe("loads that ask for each other end, and give nothing outdated, on Redis", () => {
  nestedLoads("random programs", file, rounds(10), open)

  nestedLoads("random programs, while the server is full at times", file, rounds(8), (seed) =>
    Effect.gen(function*() {
      const admin = yield* adminOf(yield* server)
      const fill = (full: boolean) => Effect.promise(() => admin.config("SET", "maxmemory", full ? "1" : "0"))
      const world = yield* open(seed)
      yield* Effect.addFinalizer(() => fill(false))
      return { ...world, fill }
    })
  )
})
