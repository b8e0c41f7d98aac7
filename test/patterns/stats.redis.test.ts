import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema } from "effect"
import { cacheAside, getCacheStats } from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { buildClient, freshNamespace, sharedRedis } from "../support/client.ts"

const server = sharedRedis()

it.live("a read that is interrupted is not counted, however long its caller takes to end", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const { url } = yield* server
      const client = yield* buildClient(CacheRedis.layer({ url, namespace: freshNamespace() }))
      const region = "n"
      const get = client.run(cacheAside({ key: region, schema: Schema.Number })(Effect.succeed(1)))
      const counted = Effect.map(client.run(getCacheStats), ({ regions }) => {
        const found = regions.find((one) => one.region === region)
        return [found?.hits ?? 0, found?.misses ?? 0]
      })
      for (const before of [
        [0, 0],
        [0, 1]
      ]) {
        const mayEnd = yield* Deferred.make<void>()
        const reading = yield* Effect.forkDetach(Effect.ensuring(get, Deferred.await(mayEnd)), {
          startImmediately: true
        })
        reading.interruptUnsafe()
        yield* client.settle
        assert.deepStrictEqual(yield* counted, before)
        yield* Deferred.succeed(mayEnd, undefined)
        yield* Fiber.await(reading)
        yield* get
      }
    })
  )
)
