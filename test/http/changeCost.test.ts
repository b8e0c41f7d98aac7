/**
 * A change costs the same however much is stored.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse as Response } from "effect/http"
import { cachedResponse } from "../../src/http/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { freshNamespace, sharedRedis } from "../support/client.ts"
import { serve } from "../support/http.ts"

const server = sharedRedis()

describe("a change, on Redis", () => {
  it.live("takes as many commands in a full store as in an empty one", () =>
    Effect.gen(function*() {
      const { raw, url } = yield* server
      const namespace = freshNamespace()
      const cache = yield* Layer.build(CacheRedis.layer({ url, namespace, timeout: "5 seconds" }))
      const cached = cachedResponse("n", { ttl: "1 minute", vary: ["accept-language"] })
      const ask = yield* serve(HttpRouter.add("*", "/*", cached(Effect.succeed(Response.text("page")))), cache)
      const calls = Effect.map(raw("INFO", "commandstats"), (text) => {
        // Of the connection that asks, and of those that are kept alive.
        const of = [...text.matchAll(/cmdstat_([a-z|]+):calls=(\d+)/g)].filter(
          ([, name]) => !/^(info|quit|ping)$/.test(name!)
        )
        return of.reduce((sum, [, , count]) => sum + Number(count), 0)
      })
      const cost = Effect.gen(function*() {
        yield* ask("/a")
        const before = yield* calls
        yield* ask("/a", { method: "POST" })
        return (yield* calls) - before
      })
      // The first makes the connections and the scripts known.
      yield* cost
      const empty = yield* cost
      yield* raw("EVAL", "for i = 1, 20000 do redis.call('SET', ARGV[1] .. i, '') end", "0", `${namespace}:e:other`)
      assert.isAbove(Number((yield* raw("DBSIZE")).replace(/\D+(\d+)[^]*/, "$1")), 19_999)
      assert.strictEqual(yield* cost, empty)
    }).pipe(Effect.scoped)
  )
})
