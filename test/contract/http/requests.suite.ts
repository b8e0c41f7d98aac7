/**
 * What a client asks for does neither harm nor change what others get: HEAD, conditions, reloads, parameters.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse as Response } from "effect/http"
import { cachedResponse } from "../../../src/http/index.ts"
import {
  buildCacheKey,
  buildCachePattern,
  type CacheServices,
  invalidateKey,
  invalidatePattern
} from "../../../src/index.ts"
import { all, type Answer, counted, gated, serve } from "../../support/http.ts"

const ttl = "10 minutes"
const reload = { headers: { "cache-control": "no-cache" } }
const seen = ({ cache, text }: Answer) => `${cache} ${text}`

export const requestsSuite = (name: string, cacheLayer: Layer.Layer<CacheServices, any>) =>
  describe(`requests for cached responses on ${name}`, () => {
    const fresh = Effect.orDie(Layer.build(cacheLayer))

    it.live("a handler that looks at the web request sees a GET without conditions", () =>
      Effect.gen(function*() {
        const handler = Effect.gen(function*() {
          const request = yield* HttpServerRequest.HttpServerRequest
          const web = yield* Effect.orDie(HttpServerRequest.toWeb(request))
          const moved = request.modify({ url: "/moved" })
          const conditions = ["if-none-match", "if-modified-since"].flatMap((name) => [
            request.headers[name],
            moved.headers[name],
            web.headers.get(name)
          ])
          const methods = new Set([request.method, moved.method, web.method, (moved.source as Request).method])
          if (methods.size > 1 || web.method === "HEAD") return Response.empty({ status: 200 })
          const other = [request, moved].map(({ headers }) => headers["x-other"])
          return Response.jsonUnsafe([...methods, ...other, web.headers.get("x-other"), moved.url, conditions])
        })
        const ask = yield* serve(HttpRouter.add("GET", "/:i", cachedResponse("web", { ttl })(handler)), yield* fresh)
        const headers = {
          "if-none-match": '"x"',
          "if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT",
          "x-other": "o"
        }
        const whole = JSON.stringify(["GET", "o", "o", "o", "/moved", Array(6).fill(null)])
        for (const [i, init] of [
          { method: "HEAD", headers },
          { method: "HEAD", headers: { "x-other": "o" } },
          { headers }
        ].entries()) {
          const first = yield* ask(`/${i}`, init)
          assert.deepStrictEqual([first.status, first.cache], [200, "MISS"])
          assert.strictEqual(seen(yield* ask(`/${i}`, { headers: { "x-other": "o" } })), `HIT ${whole}`)
        }
      }).pipe(Effect.scoped)
    )

    it.live("HEAD on a server whose requests cannot be replaced loads nothing", () =>
      Effect.gen(function*() {
        let runs = 0
        const handler = cachedResponse("node", { ttl })((request) =>
          Effect.sync(() => Response.text(`${++runs} ${(request.source as Request).method}`))
        )
        const elsewhere = Effect.updateService(handler, HttpServerRequest.HttpServerRequest, (request) => {
          const { headers, method, originalUrl, url } = request
          return Object.create(
            request,
            Object.getOwnPropertyDescriptors({ headers, method, originalUrl, url, source: { method } })
          )
        })
        const ask = yield* serve(HttpRouter.add("GET", "/", elsewhere), yield* fresh)
        const head = (headers = {}) => ask("/", { method: "HEAD", headers })
        assert.strictEqual((yield* head()).cache, "BYPASS")
        assert.strictEqual((yield* head(reload.headers)).cache, "BYPASS")
        assert.strictEqual(seen(yield* ask("/", { headers: { "if-none-match": '"x"' } })), "MISS 3 GET")
        const hit = yield* head({ "cache-control": "max-age=100" })
        assert.deepStrictEqual([hit.cache, hit.text, hit.headers.get("content-length")], ["HIT", "", "5"])
        assert.strictEqual((yield* head(reload.headers)).cache, "BYPASS")
        assert.strictEqual(seen(yield* ask("/")), "HIT 3 GET")
      }).pipe(Effect.scoped)
    )

    it.live("of a key, one reload runs at a time, and who asks meanwhile shares the next", () =>
      Effect.gen(function*() {
        const { begun, end, handler, state } = gated(2)
        const { arrives, come } = counted(cachedResponse("reload", { ttl })(handler), 31)
        const ask = yield* serve(HttpRouter.add("GET", "/", arrives), yield* fresh)
        const first = yield* Effect.forkChild(ask("/", reload))
        yield* begun(1)
        const gone = new AbortController()
        const leaving = yield* Effect.forkChild(Effect.exit(ask("/", { ...reload, signal: gone.signal })))
        const others = yield* Effect.forkChild(all(Array.from({ length: 29 }, () => ask("/", reload))))
        yield* come
        // Whoever asked first for the next one goes away; it is still run for the others.
        gone.abort()
        yield* end(1)
        yield* begun(2)
        yield* end(2)
        assert.strictEqual(seen(yield* Fiber.join(first)), "MISS 1")
        assert.deepStrictEqual(new Set((yield* Fiber.join(others)).map(seen)), new Set(["MISS 2"]))
        yield* Fiber.join(leaving)
        assert.deepStrictEqual([state.runs, state.most], [2, 1])
        assert.strictEqual(seen(yield* ask("/")), "HIT 2")
      }).pipe(Effect.scoped)
    )

    it.live("a reload that nobody waits for any longer is interrupted, and the next one begins", () =>
      Effect.gen(function*() {
        const { begun, end, handler, state } = gated(2)
        const { arrives, come } = counted(cachedResponse("left", { ttl })(handler), 2)
        const ask = yield* serve(HttpRouter.add("GET", "/", arrives), yield* fresh)
        const gone = new AbortController()
        const leaving = yield* Effect.forkChild(Effect.exit(ask("/", { ...reload, signal: gone.signal })))
        yield* begun(1)
        const staying = yield* Effect.forkChild(ask("/", reload))
        yield* come
        gone.abort()
        yield* begun(2)
        assert.deepStrictEqual([state.interrupted, state.most], [1, 1])
        yield* end(2)
        assert.strictEqual(seen(yield* Fiber.join(staying)), "MISS 2")
        yield* Fiber.join(leaving)
        assert.strictEqual(seen(yield* ask("/")), "HIT 2")
      }).pipe(Effect.scoped)
    )

    it.live("a reload does not keep a load under way from being stored", () =>
      Effect.gen(function*() {
        const { begun, end, handler } = gated(2)
        const ask = yield* serve(HttpRouter.add("GET", "/", cachedResponse("polite", { ttl })(handler)), yield* fresh)
        const reader = yield* Effect.forkChild(ask("/"))
        yield* begun(1)
        const reloading = yield* Effect.forkChild(ask("/", reload))
        yield* begun(2)
        yield* end(2)
        assert.strictEqual(seen(yield* Fiber.join(reloading)), "BYPASS 2")
        yield* end(1)
        assert.strictEqual(seen(yield* Fiber.join(reader)), "MISS 1")
        assert.strictEqual(seen(yield* ask("/")), "HIT 1")
      }).pipe(Effect.scoped)
    )

    it.live("what may not be stored is shared by no two reloads", () =>
      Effect.gen(function*() {
        const open = yield* Latch.make()
        const handler = cachedResponse("own", { ttl })((request) =>
          Effect.as(open.await, Response.text(request.headers["x-user"]!, { headers: { "cache-control": "private" } }))
        )
        const { arrives, come } = counted(handler, 10)
        const ask = yield* serve(HttpRouter.add("GET", "/", arrives), yield* fresh)
        const users = Array.from({ length: 10 }, (_, i) => `u${i}`)
        const answers = yield* Effect.forkChild(
          all(users.map((user) => ask("/", { headers: { ...reload.headers, "x-user": user } })))
        )
        yield* come
        yield* open.open
        assert.deepStrictEqual(
          (yield* Fiber.join(answers)).map(seen),
          users.map((user) => `BYPASS ${user}`)
        )
      }).pipe(Effect.scoped)
    )

    it.live("says MISS only of what was stored", () =>
      Effect.gen(function*() {
        const services = yield* fresh
        let runs = 0
        const handler = Effect.suspend(() => {
          const response = Response.text(`${++runs}`)
          return runs < 3
            ? Effect.as(Effect.orDie(invalidateKey("http:lost:http://localhost/")), response)
            : Effect.succeed(response)
        })
        const ask = yield* serve(
          HttpRouter.add("GET", "/", Effect.provideContext(cachedResponse("lost", { ttl })(handler), services)),
          services
        )
        assert.deepStrictEqual(
          [seen(yield* ask("/")), seen(yield* ask("/", reload)), seen(yield* ask("/")), seen(yield* ask("/"))],
          ["BYPASS 1", "BYPASS 2", "MISS 3", "HIT 3"]
        )
      }).pipe(Effect.scoped)
    )

    it.live("names stand in keys as they are, and one URL is found under its encoded form", () =>
      Effect.gen(function*() {
        const services = yield* fresh
        let runs = 0
        const handler = Effect.sync(() => Response.text(`${++runs}`))
        const ask = yield* serve(
          Layer.mergeAll(
            HttpRouter.add("GET", "/users/:id", cachedResponse("users:by/id@2", { ttl })(handler)),
            HttpRouter.add("GET", "/pages/:slug", cachedResponse("page:{slug}", { ttl, vary: ["x-v"] })(handler))
          ),
          services
        )
        const run = <A, E>(effect: Effect.Effect<A, E, CacheServices>) =>
          Effect.orDie(Effect.provideContext(effect, services))
        yield* ask("/users/a%20b")
        yield* ask("/users/c")
        assert.strictEqual(seen(yield* ask("/users/c")), "HIT 2")
        yield* run(
          invalidatePattern(
            buildCachePattern("http:users:by/id@2:http://localhost/users/{id}", {
              params: { id: encodeURIComponent("a b") }
            })
          )
        )
        assert.deepStrictEqual([seen(yield* ask("/users/a%20b")), seen(yield* ask("/users/c"))], ["MISS 3", "HIT 2"])
        yield* run(invalidatePattern("http:users:by/id@2:*"))
        assert.deepStrictEqual([seen(yield* ask("/users/a%20b")), seen(yield* ask("/users/c"))], ["MISS 4", "MISS 5"])

        yield* ask("/pages/a%20b", { headers: { "x-v": "1" } })
        yield* run(invalidateKey(buildCacheKey("page:{slug}", { params: { slug: "a b" } })))
        assert.strictEqual(seen(yield* ask("/pages/a%20b", { headers: { "x-v": "1" } })), "HIT 6")
        yield* run(invalidatePattern(`${buildCachePattern("page:{slug}", { params: { slug: "a b" } })}#*`))
        assert.strictEqual(seen(yield* ask("/pages/a%20b", { headers: { "x-v": "1" } })), "MISS 7")
      }).pipe(Effect.scoped)
    )

    it.live("a request without a parameter of the key is not cached, and that is no failure", () =>
      Effect.gen(function*() {
        let runs = 0
        const handler = cachedResponse("p:{slug}:{page}", { ttl, onCacheError: "fail" })(
          Effect.sync(() => Response.text(`${++runs}`))
        )
        const ask = yield* serve(HttpRouter.add("GET", "/p/:slug", Effect.orDie(handler)), yield* fresh)
        assert.deepStrictEqual(
          [
            seen(yield* ask("/p/a?page=1")),
            seen(yield* ask("/p/a")),
            seen(yield* ask("/p/a?page=1&page=2")),
            seen(yield* ask("/p/a", reload)),
            seen(yield* ask("/p/a?page=1&other=2"))
          ],
          ["MISS 1", "BYPASS 2", "BYPASS 3", "BYPASS 4", "HIT 1"]
        )
      }).pipe(Effect.scoped)
    )
  })
