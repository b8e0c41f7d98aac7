/**
 * What RFC 9110, 9111 and 9211 ask of a cache: unsafe methods, parts, conditions, statuses, and what is said of it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Latch, Layer, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse as Response } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiError, HttpApiGroup } from "effect/http-api"
import { cachedEndpoint, cachedResponse, HttpCache, type ResponseOptions } from "../../../src/http/index.ts"
import type { CacheServices } from "../../../src/index.ts"
import { type Answer, countingHandler as counted, serve } from "../../support/http.ts"

const ttl = "10 minutes"
const seen = ({ cache, text }: Answer) => `${cache} ${text}`

export const standardSuite = (name: string, cacheLayer: Layer.Layer<CacheServices, any>) =>
  describe(`the standard of cached responses on ${name}`, () => {
    const fresh = Effect.orDie(Layer.build(cacheLayer))

    it.live("an unsafe method invalidates its URL, in all variants, unless it is refused", () =>
      Effect.gen(function*() {
        const body = counted((n, { headers, method }) =>
          Response.text(`${n}`, { status: method === "GET" ? 200 : Number(headers["x-status"] ?? 200) })
        )
        const options = { ttl, vary: ["accept-language"], authenticated: ["x-api-key"] } as const
        const ask = yield* serve(HttpRouter.add("*", "/*", cachedResponse("v", options)(body.handler)), yield* fresh)
        const get = (path: string, headers: Record<string, string> = {}) =>
          Effect.map(ask(path, { headers }), ({ cache }) => cache)
        const variants = [{}, { "accept-language": "de" }, { "x-api-key": "k" }]
        const all = (path: string) => Effect.forEach(variants, (headers) => get(path, headers))
        yield* all("/a")
        yield* all("/b")
        yield* get("/a?q=1")
        yield* get("/ab")
        for (const status of ["400", "404"]) {
          yield* ask("/a", { method: "POST", headers: { "x-status": status } })
          assert.deepStrictEqual(yield* all("/a"), ["HIT", "HIT", "HIT"])
        }
        for (const method of ["OPTIONS", "SEARCH"]) yield* ask("/a", { method })
        assert.deepStrictEqual(yield* all("/a"), ["HIT", "HIT", "HIT"])
        for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
          const status = { PUT: "303", PATCH: "500" }[method] ?? "201"
          yield* ask("/a", { method, headers: { "x-status": status, cookie: "no=matter" } })
          assert.deepStrictEqual(yield* all("/a"), ["MISS", "MISS", "MISS"], method)
        }
        assert.deepStrictEqual(yield* all("/b"), ["HIT", "HIT", "HIT"])
        assert.deepStrictEqual([yield* get("/a?q=1"), yield* get("/ab")], ["HIT", "HIT"])
        const long = `/${"x".repeat(600)}`
        yield* all(long)
        yield* ask(long, { method: "POST" })
        assert.deepStrictEqual(yield* all(long), ["MISS", "MISS", "MISS"])
      }).pipe(Effect.scoped)
    )

    it.live("it invalidates what Location and Content-Location name, of the same host", () =>
      Effect.gen(function*() {
        const body = counted((n, { headers, method }) =>
          Response.text(`${n}`, {
            headers:
              method === "GET"
                ? {}
                : { location: headers["x-location"] ?? "/", "content-location": headers["x-content"] ?? "/" }
          })
        )
        const ask = yield* serve(HttpRouter.add("*", "/*", cachedResponse("l", { ttl })(body.handler)), yield* fresh)
        const all = (paths: ReadonlyArray<string>) =>
          Effect.forEach(paths, (path) => Effect.map(ask(path), ({ cache }) => cache))
        const paths = ["/items/7?a=b", "/items/8", "/items", "/other"]
        yield* all(paths)
        yield* ask("/items", {
          method: "POST",
          headers: { "x-location": "/items/7?a=b", "x-content": "http://localhost:80/items/8" }
        })
        assert.deepStrictEqual(yield* all(paths), ["MISS", "MISS", "MISS", "HIT"])
        for (const location of ["https://evil.example/other", "//evil.example/other", "http://[", "mailto:a@b"]) {
          yield* ask("/x", { method: "POST", headers: { "x-location": location } })
        }
        assert.strictEqual((yield* ask("/other")).cache, "HIT")
      }).pipe(Effect.scoped)
    )

    it.live("a key with placeholders is invalidated by another method of its route", () =>
      Effect.gen(function*() {
        const body = counted((n) => Response.text(`${n}`))
        const cached = cachedResponse("page:{slug}", { ttl, vary: ["accept"] })(body.handler)
        const routes = Layer.mergeAll(
          HttpRouter.add("GET", "/p/:slug", cached),
          HttpRouter.add("PUT", "/p/:slug", cached)
        )
        const ask = yield* serve(routes, yield* fresh)
        const both = Effect.forEach(["/p/a", "/p/b"], (path) => Effect.map(ask(path), ({ cache }) => cache))
        yield* both
        yield* ask("/p/a", { method: "PUT" })
        assert.deepStrictEqual(yield* both, ["MISS", "HIT"])
      }).pipe(Effect.scoped)
    )

    it.live(
      "an endpoint invalidates what another one with its key has stored; errors that it declares are stored by their status",
      () =>
        Effect.gen(function*() {
          const params = { id: Schema.String }
          const policy = { key: "user:{id}", ttl, statuses: [200, 404] } as const
          class Users extends HttpApiGroup.make("users").add(
            HttpApiEndpoint.get("get", "/users/:id", {
              params,
              success: Schema.String,
              error: HttpApiError.NotFound
            }).pipe(cachedEndpoint(policy)),
            HttpApiEndpoint.put("put", "/users/:id", {
              params,
              payload: Schema.Struct({ name: Schema.String }),
              success: Schema.String
            }).pipe(cachedEndpoint(policy))
          ) {}
          const Api = HttpApi.make("api").add(Users)
          const names = new Map([["1", "old"]])
          let runs = 0
          const live = HttpApiBuilder.group(Api, "users", (handlers) =>
            handlers
              .handle("get", ({ params }) => {
                runs++
                const name = names.get(params.id)
                return name === undefined ? Effect.fail(new HttpApiError.NotFound()) : Effect.succeed(name)
              })
              .handle("put", ({ params, payload }) =>
                Effect.sync(() => names.set(params.id, payload.name).get(params.id)!)
              )
          ).pipe(Layer.provide(HttpCache.layer), Layer.provide(Layer.succeedContext(yield* fresh)))
          const ask = yield* serve(
            HttpApiBuilder.layer(Api).pipe(Layer.provide(live), Layer.provide(HttpServer.layerServices)) as never,
            Context.empty() as never
          )
          const get = (id: string) => Effect.map(ask(`/users/${id}`), ({ cache, status }) => `${status} ${cache}`)
          assert.deepStrictEqual([yield* get("1"), yield* get("1")], ["200 MISS", "200 HIT"])
          yield* ask("/users/1", {
            method: "PUT",
            body: JSON.stringify({ name: "new" }),
            headers: { "content-type": "application/json" }
          })
          assert.strictEqual((yield* ask("/users/1")).text, '"new"')
          const before = runs
          assert.deepStrictEqual([yield* get("none"), yield* get("none")], ["404 MISS", "404 HIT"])
          assert.strictEqual(runs, before + 1)
        }).pipe(Effect.scoped)
    )

    it.live("a load that began before the change does not outlive it", () =>
      Effect.gen(function*() {
        const began = yield* Deferred.make<void>()
        const gate = yield* Latch.make()
        let value = "old"
        const handler = cachedResponse("race", { ttl })((request) =>
          Effect.gen(function*() {
            if (request.method === "POST") {
              value = "new"
              return Response.empty()
            }
            const read = value
            if (read === "old") yield* Effect.andThen(Deferred.succeed(began, undefined), gate.await)
            return Response.text(read)
          })
        )
        const ask = yield* serve(HttpRouter.add("*", "/", handler), yield* fresh)
        const slow = yield* Effect.forkChild(ask("/"))
        yield* Deferred.await(began)
        yield* ask("/", { method: "POST" })
        yield* gate.open
        yield* Fiber.join(slow)
        assert.strictEqual((yield* ask("/")).text, "new")
      }).pipe(Effect.scoped)
    )

    it.live("a part is answered from the whole, and asks the handler where that is not there", () =>
      Effect.gen(function*() {
        const body = counted((n, { headers }) =>
          headers["range"] === undefined
            ? Response.text("0123456789", { headers: { etag: n < 3 ? '"e"' : 'W/"e"' } })
            : Response.text("own", { status: 206, headers: { "content-range": "bytes 0-2/10" } })
        )
        const ask = yield* serve(HttpRouter.add("GET", "/", cachedResponse("r", { ttl })(body.handler)), yield* fresh)
        const part = (range: string, more: Record<string, string> = {}) =>
          Effect.map(
            ask("/", { headers: { range, ...more } }),
            ({ cache, headers, status, text }) => `${status} ${cache} ${headers.get("content-range")} ${text}`
          )
        assert.strictEqual(yield* part("bytes=0-2"), "206 BYPASS bytes 0-2/10 own")
        yield* ask("/")
        assert.strictEqual(yield* part("bytes=2-4"), "206 HIT bytes 2-4/10 234")
        assert.strictEqual(yield* part("Bytes=7-"), "206 HIT bytes 7-9/10 789")
        assert.strictEqual(yield* part("bytes=-3"), "206 HIT bytes 7-9/10 789")
        assert.strictEqual(yield* part("bytes=8-99"), "206 HIT bytes 8-9/10 89")
        assert.strictEqual(yield* part("bytes=10-"), "416 HIT bytes */10 ")
        const whole = "200 HIT null 0123456789"
        for (const range of ["bytes=0-1,3-4", "bytes=4-2", "bytes=", "bytes=a-b"]) {
          assert.strictEqual(yield* part(range), whole, range)
        }
        assert.strictEqual(yield* part("bytes=0-0", { "if-range": '"e"' }), "206 HIT bytes 0-0/10 0")
        assert.strictEqual(yield* part("bytes=0-0", { "if-range": 'W/"e"' }), whole)
        assert.strictEqual(yield* part("bytes=0-0", { "if-range": '"old"' }), whole)
        assert.strictEqual(yield* part("bytes=0-0", { "if-none-match": '"e"' }), "304 HIT null ")
        const none = yield* ask("/", { headers: { range: "bytes=10-" } })
        assert.deepStrictEqual([none.headers.get("etag"), none.headers.get("cache-control")], [null, "no-store"])
        const head = yield* ask("/", { method: "HEAD", headers: { range: "bytes=0-1" } })
        assert.deepStrictEqual([head.status, head.headers.get("content-length")], [200, "10"])
        // What is asked anew is the handler's.
        assert.match(yield* part("bytes=0-2", { "cache-control": "no-cache" }), /^206 BYPASS .* own$/)
      }).pipe(Effect.scoped)
    )

    it.live("only-if-cached, min-fresh and max-stale", () =>
      Effect.gen(function*() {
        const body = counted((n) => Response.text(`${n}`))
        const ask = yield* serve(HttpRouter.add("*", "/*", cachedResponse("o", { ttl })(body.handler)), yield* fresh)
        const say = (control: string, path = "/", method = "GET") =>
          Effect.map(
            ask(path, { method, headers: { "cache-control": control } }),
            (answer) => `${answer.status} ${seen(answer)}`
          )
        assert.strictEqual(yield* say("only-if-cached"), "504 BYPASS ")
        assert.strictEqual(yield* say("only-if-cached", "/", "HEAD"), "504 BYPASS ")
        assert.strictEqual(yield* say("max-stale"), "200 MISS 1")
        assert.strictEqual(yield* say("only-if-cached"), "200 HIT 1")
        assert.strictEqual(yield* say("only-if-cached, no-cache"), "504 BYPASS ")
        assert.strictEqual(yield* say("only-if-cached, min-fresh=601"), "504 BYPASS ")
        assert.strictEqual(yield* say("min-fresh=500"), "200 HIT 1")
        assert.strictEqual(yield* say("min-fresh=601"), "200 MISS 2")
        assert.strictEqual(yield* say("only-if-cached", "/", "POST"), "200 BYPASS 3")
      }).pipe(Effect.scoped)
    )

    it.live("stores the statuses that the policy lists, and what storeIf lets it", () =>
      Effect.gen(function*() {
        const body = counted((n, { url }) =>
          Response.text(`${n}`, { status: Number(url.slice(1, 4)), headers: { location: "/to" } })
        )
        const options: ResponseOptions = {
          ttl,
          statuses: [200, 301, 308, 404, 410],
          storeIf: ({ request }) => {
            if (request.url.includes("throw")) throw new Error("storeIf")
            return request.url.includes("odd") ? (Promise.resolve(false) as never) : !request.url.includes("no")
          }
        }
        const ask = yield* serve(HttpRouter.add("GET", "/*", cachedResponse("s", options)(body.handler)), yield* fresh)
        for (const [path, keeps] of [
          ["/200", true],
          ["/301", true],
          ["/308", true],
          ["/404", true],
          ["/410", true],
          ["/500", false],
          ["/302", false],
          ["/200no", false],
          ["/200odd", false],
          ["/200throw", false]
        ] as const) {
          const first = yield* ask(path)
          const again = yield* ask(path)
          const status = Number(path.slice(1, 4))
          assert.deepStrictEqual([first.status, again.status], [status, status])
          assert.deepStrictEqual(
            [path, first.cache, again.cache],
            [path, ...(keeps ? ["MISS", "HIT"] : ["BYPASS", "BYPASS"])]
          )
          assert.strictEqual(again.text === first.text, keeps)
          assert.strictEqual(again.headers.get("location"), "/to")
        }
        // What is no success has no conditions and no parts.
        const missing = yield* ask("/404", { headers: { "if-none-match": "*", range: "bytes=0-0" } })
        assert.deepStrictEqual([missing.status, missing.cache], [404, "HIT"])
      }).pipe(Effect.scoped)
    )

    it.live("what is stored is a copy, whatever becomes of the handler's buffer", () =>
      Effect.gen(function*() {
        const buffer = new Uint8Array(64)
        const body = counted((_, { url }) => {
          const { written } = new TextEncoder().encodeInto(`page of ${url}`, buffer)
          return Response.uint8Array(buffer.subarray(0, written), { contentType: "text/plain" })
        })
        const ask = yield* serve(HttpRouter.add("GET", "/*", cachedResponse("b", { ttl })(body.handler)), yield* fresh)
        yield* ask("/alice")
        yield* ask("/bobby")
        assert.strictEqual(seen(yield* ask("/alice")), "HIT page of /alice")
      }).pipe(Effect.scoped)
    )

    it.live("who has what is not stored gets a 304 as well", () =>
      Effect.gen(function*() {
        const modified = "Thu, 01 Jan 2026 00:00:00 GMT"
        const headers = { etag: '"1"', "last-modified": modified, "content-language": "en", "cache-control": "private" }
        const pages: Record<string, Response.HttpServerResponse> = {
          "/private": Response.text("mine", { headers }),
          "/cookie": Response.setCookieUnsafe(Response.text("mine", { headers }), "sid", "1"),
          "/missing": Response.text("none", { status: 404, headers }),
          "/raw": Response.raw("mine", { headers })
        }
        const body = counted((_, { url }) => pages[url]!)
        const ask = yield* serve(HttpRouter.add("GET", "/*", cachedResponse("i", { ttl })(body.handler)), yield* fresh)
        const says = (path: string, headers: Record<string, string>, method = "GET") =>
          Effect.map(ask(path, { headers, method }), ({ cache, status, text }) => `${status} ${cache} ${text}`)
        assert.strictEqual(yield* says("/private", { "if-none-match": '"1"' }), "304 BYPASS ")
        assert.strictEqual(yield* says("/private", { "if-modified-since": modified }), "304 BYPASS ")
        assert.strictEqual(yield* says("/private", { "if-none-match": '"1"' }, "HEAD"), "304 BYPASS ")
        assert.strictEqual(yield* says("/private", { "if-none-match": '"2"' }), "200 BYPASS mine")
        assert.strictEqual(yield* says("/missing", { "if-none-match": '"1"' }), "404 BYPASS none")
        assert.strictEqual(yield* says("/raw", { "if-none-match": '"1"' }), "200 BYPASS mine")
        const held = yield* ask("/cookie", { headers: { "if-none-match": '"1"' } })
        assert.deepStrictEqual(
          ["etag", "set-cookie", "content-language", "content-length", "cache-status"].map((name) =>
            held.headers.get(name)
          ),
          ['"1"', "sid=1", null, null, "effect-cache; fwd=uri-miss; fwd-status=200; detail=set-cookie"]
        )
      }).pipe(Effect.scoped)
    )

    it.live("a cached handler in another one is stored by both, where the inner one lets it", () =>
      Effect.gen(function*() {
        const body = counted((n) => Response.text(`${n}`))
        const nested = (options: object) =>
          cachedResponse(cachedResponse(body.handler, "inner", { ttl, ...options }), "outer", { ttl })
        const ask = yield* serve(
          Layer.mergeAll(
            HttpRouter.add("GET", "/shared", nested({ shared: true })),
            HttpRouter.add("GET", "/own", nested({}))
          ),
          yield* fresh
        )
        const outer = (path: string) =>
          Effect.map(
            ask(path),
            ({ headers }) =>
              headers
                .get("cache-status")!
                .replace(/ttl=\d+/g, "ttl=n")
                .split(", ")[1]
          )
        assert.deepStrictEqual(
          [yield* outer("/shared"), yield* outer("/shared")],
          ["effect-cache; fwd=uri-miss; fwd-status=200; stored; ttl=n", "effect-cache; hit; ttl=n"]
        )
        yield* outer("/own")
        assert.strictEqual(yield* outer("/own"), "effect-cache; fwd=uri-miss; fwd-status=200; detail=cache-control")
      }).pipe(Effect.scoped)
    )
  })
