/**
 * What stops with a real Redis, and what is shared through it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer, ManagedRuntime } from "effect"
import { HttpRouter, HttpServerResponse as Response } from "effect/http"
import { afterAll } from "vitest"
import { cachedResponse } from "../../src/http/index.ts"
import { CacheFallback, CacheMemory } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { RedisServer } from "../support/redisServer.ts"
import { all, counted, gated, serve } from "../support/http.ts"

const runtime = ManagedRuntime.make(Layer.orDie(RedisServer.layer()))
afterAll(() => runtime.dispose())

let spaces = 0
const redis = (namespace: string) =>
  Layer.unwrap(
    Effect.promise(() => runtime.runPromise(RedisServer)).pipe(
      Effect.map(({ url }) => CacheRedis.layer({ url, namespace, timeout: "5 seconds" }))
    )
  )

describe("cachedResponse and its Redis", () => {
  it.live("two processes share responses, one load with stampede, and no user's response", () =>
    Effect.gen(function*() {
      const open = yield* Latch.make()
      let runs = 0
      const { arrives, come } = counted(
        cachedResponse("a", { ttl: "1 minute", stampede: true })(
          Effect.andThen(
            open.await,
            Effect.sync(() => Response.text(`${++runs}`))
          )
        ),
        20
      )
      const routes = Layer.mergeAll(
        HttpRouter.add("GET", "/a", arrives),
        HttpRouter.add(
          "GET",
          "/private",
          cachedResponse("private", { ttl: "1 minute", stampede: true })((request) =>
            Effect.succeed(Response.text(request.headers["x-user"]!, { headers: { "cache-control": "private" } }))
          )
        )
      )
      const space = `shared${++spaces}`
      const asks = [
        yield* serve(routes, yield* Layer.build(Layer.fresh(redis(space)))),
        yield* serve(routes, yield* Layer.build(Layer.fresh(redis(space))))
      ]
      const [answers] = yield* Effect.all(
        [all(Array.from({ length: 20 }, (_, i) => asks[i % 2]!("/a"))), Effect.andThen(come, open.open)],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([runs, new Set(answers.map(({ text }) => text))], [1, new Set(["1"])])
      const own = yield* all(
        Array.from({ length: 20 }, (_, i) => asks[i % 2]!("/private", { headers: { "x-user": `u${i}` } }))
      )
      assert.deepStrictEqual(
        own.map(({ text }) => text),
        Array.from({ length: 20 }, (_, i) => `u${i}`)
      )
    }).pipe(Effect.scoped)
  )

  it.live("reloads in one process keep nothing that another loads from being stored", () =>
    Effect.gen(function*() {
      const { begun, end, handler } = gated(3)
      const routes = HttpRouter.add("GET", "/a", cachedResponse("a", { ttl: "1 minute" })(handler))
      const space = `reloads${++spaces}`
      const here = yield* serve(routes, yield* Layer.build(Layer.fresh(redis(space))))
      const there = yield* serve(routes, yield* Layer.build(Layer.fresh(redis(space))))
      const reload = { headers: { "cache-control": "no-cache" } }
      // A load, and then a reload, while the other process reloads.
      const reader = yield* Effect.forkChild(here("/a"))
      yield* begun(1)
      const other = yield* Effect.forkChild(there("/a", reload))
      yield* begun(2)
      yield* end(2)
      const outcomes = [(yield* Fiber.join(other)).cache]
      yield* end(1)
      outcomes.push((yield* Fiber.join(reader)).cache)
      const first = yield* Effect.forkChild(there("/a", reload))
      yield* begun(3)
      // The entry stays while it is loaded anew.
      outcomes.push((yield* here("/a")).cache)
      yield* end(3)
      outcomes.push((yield* Fiber.join(first)).cache)
      const { cache, text } = yield* here("/a")
      assert.deepStrictEqual([...outcomes, cache, text], ["BYPASS", "MISS", "HIT", "MISS", "HIT", "3"])
    }).pipe(Effect.scoped)
  )

  it.live("goes on while Redis is away, and from memory with a fallback", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.scoped()
      const primary = CacheRedis.layer({ url: server.url, timeout: "200 millis" })
      let runs = 0
      const routes = HttpRouter.add(
        "GET",
        "/a",
        cachedResponse("a", { ttl: "1 minute" })(Effect.sync(() => Response.text(`${++runs}`)))
      )
      const bare = yield* serve(routes, yield* Layer.build(Layer.fresh(primary)))
      const backed = yield* serve(
        routes,
        yield* Layer.build(
          Layer.fresh(CacheFallback.layer({ primary, fallback: CacheMemory.layer(), failureThreshold: 1 }))
        )
      )
      assert.deepStrictEqual([(yield* bare("/a")).cache, (yield* backed("/a")).cache], ["MISS", "HIT"])
      yield* server.stop
      const outcomes: Array<unknown> = []
      for (const ask of [bare, bare, backed, backed, backed]) {
        const { cache, status } = yield* ask("/a")
        outcomes.push([status, cache])
      }
      assert.deepStrictEqual(outcomes, [
        [200, "BYPASS"],
        [200, "BYPASS"],
        [200, "MISS"],
        [200, "HIT"],
        [200, "HIT"]
      ])
    }).pipe(Effect.scoped, Effect.orDie)
  )

  it.live("bytes that somebody else wrote are a miss, and never break a header line", () =>
    Effect.gen(function*() {
      const server = yield* Effect.promise(() => runtime.runPromise(RedisServer))
      const space = `hostile${++spaces}`
      const ask = yield* serve(
        HttpRouter.add(
          "GET",
          "/a",
          cachedResponse("a", { ttl: "1 minute" })(
            Effect.succeed(Response.text("a marker to look for", { headers: { "x-mine": "marker-0000" } }))
          )
        ),
        yield* Layer.build(Layer.fresh(redis(space)))
      )
      yield* ask("/a")
      const key = `${space}:e:{http:a:http://localhost/a}`
      // The header, in JSON, with something in it that no header may hold; the length does not change.
      for (const written of ["\\r\\n", "\\u0000", "\\u2603"]) {
        const at = yield* server.raw(
          "EVAL",
          `local v = redis.call('GET', KEYS[1])
           local at = string.find(v, 'marker-0000', 1, true)
           if not at then return -1 end
           redis.call('SETRANGE', KEYS[1], at - 1, ARGV[1])
           return at`,
          "1",
          key,
          written
        )
        assert.match(at, /^:\d/)
        const { cache, headers, status } = yield* ask("/a")
        assert.deepStrictEqual([status, cache, headers.get("x-mine")], [200, "MISS", "marker-0000"], written)
      }
      assert.strictEqual((yield* ask("/a")).cache, "HIT")
    }).pipe(Effect.scoped, Effect.orDie)
  )
})
