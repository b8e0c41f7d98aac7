/**
 * Requests for responses that may not be stored do not wait for each other.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { HttpRouter, HttpServerResponse as Response } from "effect/http"
import { cachedResponse } from "../../src/http/index.ts"
import { CacheMemory, type CacheServices, invalidatePattern } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { HitForPass } from "../../src/http/hitForPass.ts"
import { freshNamespace, sharedRedis } from "../support/client.ts"
import { countingHandler, gated, serve } from "../support/http.ts"
import { until } from "../support/until.ts"

const layer = CacheMemory.layer()
const cookie = Response.setCookieUnsafe(Response.text("for one"), "a", "1")

describe("what may not be stored", () => {
  it.effect("goes by the cache for a second, once it was so twice", () =>
    Effect.gen(function*() {
      let next = cookie
      const handler = Effect.sync(() => next)
      const route = HttpRouter.add("GET", "/p", cachedResponse("p", { ttl: "1 minute" })(handler))
      const ask = yield* serve(route, yield* Effect.context<CacheServices>())
      const said = Effect.map(ask("/p"), ({ headers }) => headers.get("cache-status")!.replace(/ttl=\d+/, "ttl"))
      const bypassed = "effect-cache; fwd=uri-miss; fwd-status=200; detail=set-cookie"
      // One alone is followed by a load as any other.
      assert.strictEqual(yield* said, bypassed)
      next = Response.text("for all")
      assert.strictEqual(yield* said, "effect-cache; fwd=uri-miss; fwd-status=200; stored; ttl")
      next = cookie
      yield* invalidatePattern("http:p:*")
      assert.deepStrictEqual([yield* said, yield* said, yield* said], [bypassed, bypassed, bypassed])
      next = Response.text("for all")
      assert.strictEqual(yield* said, bypassed)
    }).pipe(Effect.provide(layer), Effect.scoped)
  )

  it.live("keeps nobody from what is stored: a reload that meets a failure, and one that is for its client", () =>
    Effect.gen(function*() {
      const body = countingHandler((n, { headers }) =>
        headers["x-next"] === undefined
          ? Response.text(`${n}`)
          : headers["x-next"] === "down"
            ? Response.empty({ status: 503 })
            : cookie
      )
      const route = HttpRouter.add("GET", "/p", cachedResponse("p", { ttl: "1 minute" })(body.handler))
      const ask = yield* serve(route, yield* Layer.build(CacheMemory.layer()))
      yield* ask("/p")
      for (const next of ["down", "down", "cookie", "cookie"]) {
        yield* ask("/p", { headers: { "cache-control": "no-cache", "x-next": next } })
        const { cache, text } = yield* ask("/p")
        assert.deepStrictEqual([cache, text], ["HIT", "1"], next)
      }
    }).pipe(Effect.scoped)
  )

  it.live("is waited for once by those who asked while it was made, and by nobody after them", () =>
    Effect.gen(function*() {
      const { begun, end, handler, state } = gated(6)
      const route = HttpRouter.add("GET", "/p", cachedResponse("p", { ttl: "1 minute" })(Effect.as(handler, cookie)))
      const ask = yield* serve(route, yield* Layer.build(CacheMemory.layer()))
      const alone = yield* Effect.forkChild(ask("/p"))
      yield* begun(1)
      yield* end(1)
      yield* Fiber.join(alone)
      const first = yield* Effect.forkChild(Effect.all([ask("/p"), ask("/p"), ask("/p")], { concurrency: 3 }))
      yield* begun(2)
      yield* end(2)
      // Both who joined it run now, at once, and so does who comes only now.
      yield* Effect.all([begun(3), begun(4)])
      const later = yield* Effect.forkChild(ask("/p"))
      yield* begun(5)
      assert.strictEqual(state.active, 3)
      yield* Effect.all([end(3), end(4), end(5)])
      yield* Fiber.join(first)
      yield* Fiber.join(later)
    }).pipe(Effect.scoped)
  )

  it("is forgotten, oldest first, and after a second", () => {
    const passes = new HitForPass()
    const twice = (key: string, now: number) => {
      passes.note(key, "stream", now)
      passes.note(key, "stream", now)
    }
    for (let i = 0; i <= 1024; i++) twice(`${i}`, 1000 + i)
    assert.deepStrictEqual([passes.of("0", 1500), passes.of("1", 1500)], [undefined, "stream"])
    assert.deepStrictEqual([passes.of("1", 2000), passes.of("1", 2001)], ["stream", undefined])
    passes.note("1", "stream", 3000)
    assert.strictEqual(passes.of("1", 3500), "stream")
    passes.forget("1")
    passes.note("1", "stream", 3000)
    assert.isUndefined(passes.of("1", 3500))
    // A clock that was set back does not prolong it.
    assert.isUndefined(passes.of("1024", 0))
  })
})

describe("with stampede, among processes", () => {
  const server = sharedRedis()
  it.live("whoever has waited for two responses that are not for him does not wait for the next", () =>
    Effect.gen(function*() {
      const { begun, end, handler, state } = gated(5)
      const namespace = freshNamespace()
      const { raw, url } = yield* server
      const answers = Effect.as(handler, cookie)
      const process = Effect.gen(function*() {
        const cached = cachedResponse("p", { ttl: "1 minute", stampede: true })(answers)
        const cache = yield* Layer.build(Layer.fresh(CacheRedis.layer({ url, namespace, timeout: "5 seconds" })))
        return yield* serve(HttpRouter.add("GET", "/p", cached), cache)
      })
      const processes = yield* Effect.all(Array.from({ length: 5 }, () => process))
      const first = yield* Effect.forkChild(processes[0]!("/p"))
      yield* begun(1)
      const others = yield* Effect.forkChild(
        Effect.all(
          processes.slice(1).map((ask) => ask("/p")),
          { concurrency: 4 }
        )
      )
      const channel = `${namespace}:n:http:p:http://localhost/p`
      yield* until(Effect.map(raw("PUBSUB", "NUMSUB", channel), (reply) => reply.includes(":4\r\n")))
      yield* end(1)
      yield* begun(2)
      yield* until(Effect.map(raw("PUBSUB", "NUMSUB", channel), (reply) => reply.includes(":3\r\n")))
      yield* end(2)
      yield* Effect.all([begun(3), begun(4), begun(5)])
      assert.strictEqual(state.active, 3)
      yield* Effect.all([end(3), end(4), end(5)])
      yield* Fiber.join(first)
      yield* Fiber.join(others)
    }).pipe(Effect.scoped)
  )
})
