/**
 * For whom a stored response is: hosts, cookies, secrets of a query, and what caches behind may keep.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpEffect, HttpRouter, HttpServerResponse as Response } from "effect/http"
import { cachedResponse } from "../../../src/http/index.ts"
import { type CacheServices, invalidatePattern } from "../../../src/index.ts"
import { countingHandler as counted, serve } from "../../support/http.ts"

const ttl = "10 minutes"

export const audienceSuite = (name: string, cacheLayer: Layer.Layer<CacheServices, any>) =>
  describe(`for whom cached responses are, on ${name}`, () => {
    const fresh = Effect.orDie(Layer.build(cacheLayer))

    it.live("each host has its own, and patterns find one of them or all", () =>
      Effect.gen(function*() {
        const services = yield* fresh
        const body = counted((n, { headers, originalUrl }) => Response.text(`${n} ${headers["host"]} ${originalUrl}`))
        const ask = yield* serve(
          Layer.mergeAll(
            HttpRouter.add("GET", "/a", cachedResponse("a", { ttl })(body.handler)),
            HttpRouter.add("GET", "/any", cachedResponse("any", { ttl, anyHost: true })(body.handler))
          ),
          services
        )
        const say = (path: string, host: string, more: Record<string, string> = {}) =>
          Effect.map(ask(path, { headers: { host, ...more } }), ({ cache, text }) => `${cache} ${text}`)
        assert.strictEqual(yield* say("/a", "shop.example"), "MISS 1 shop.example http://shop.example/a")
        assert.strictEqual(yield* say("/a", "blog.example:8080"), "MISS 2 blog.example:8080 http://blog.example:8080/a")
        for (const host of ["SHOP.example", "shop.example.", "shop.example:80"]) {
          assert.strictEqual(yield* say("/a", host), "HIT 1 shop.example http://shop.example/a", host)
        }
        const forwarded = {
          "x-forwarded-host": "evil.example",
          "x-forwarded-proto": "https",
          forwarded: "host=evil.example"
        }
        assert.match(yield* say("/a", "shop.example", forwarded), /^HIT 1/)
        assert.match(yield* say("/a", "shop.example, evil.example"), /^BYPASS 3/)
        assert.match(yield* say("/any", "a.example"), /^MISS 4/)
        assert.match(yield* say("/any", "b.example"), /^HIT 4/)

        const run = (pattern: string) => Effect.orDie(Effect.provideContext(invalidatePattern(pattern), services))
        yield* run("http:a:http://shop.example/*")
        assert.match(yield* say("/a", "shop.example"), /^MISS 5/)
        assert.match(yield* say("/a", "blog.example:8080"), /^HIT 2/)
        yield* run("http:a:*/a")
        assert.match(yield* say("/a", "blog.example:8080"), /^MISS 6/)
        yield* run("http:a:*")
        assert.match(yield* say("/a", "shop.example"), /^MISS 7/)
        yield* run("http:any:/any")
        assert.match(yield* say("/any", "c.example"), /^MISS 8/)
      }).pipe(Effect.scoped)
    )

    it.live("cookies that make no difference are not seen by the load", () =>
      Effect.gen(function*() {
        const services = yield* fresh
        const body = counted((n, { cookies, headers, source }) =>
          Response.text(
            `${n} ${headers["cookie"]} ${Object.keys(cookies)} ${(source as Request).headers.get("cookie")}`
          )
        )
        const cached = (name: string, options: object) =>
          HttpRouter.add("GET", `/${name}`, cachedResponse(name, { ttl, ...options })(body.handler))
        const ask = yield* serve(
          Layer.mergeAll(
            cached("some", { ignoreCookies: ["_ga", "_gid"] }),
            cached("all", { ignoreCookies: true }),
            cached("one", { authenticated: ["cookie:s"], ignoreCookies: true }),
            cached("rest", { authenticated: ["cookie"], ignoreCookies: ["_ga"] })
          ),
          services
        )
        const say = (path: string, cookie?: string) =>
          Effect.map(
            ask(path, cookie === undefined ? {} : { headers: { cookie } }),
            ({ cache, text }) => `${cache} ${text}`
          )
        assert.strictEqual(yield* say("/some", "_ga=1; _gid=2"), "MISS 1 undefined  null")
        assert.strictEqual(yield* say("/some"), "HIT 1 undefined  null")
        assert.strictEqual(yield* say("/some", "_ga=3;"), "HIT 1 undefined  null")
        assert.strictEqual(yield* say("/some", "_ga=1; sid=ada"), "BYPASS 2 _ga=1; sid=ada _ga,sid _ga=1; sid=ada")
        for (const cookie of ['_ga="; sid=ada"', "_ga=1; sid", "_GA=1", "_ga", "x_ga=1", "_ga=1, sid=ada; sid=x"]) {
          assert.match(yield* say("/some", cookie), /^BYPASS/, cookie)
        }
        assert.match(yield* say("/all", "sid=ada"), /^MISS \d+ undefined {2}null$/)
        assert.match(yield* say("/all", "sid=bob"), /^HIT \d+ undefined {2}null$/)
        assert.match(yield* say("/one", "theme=x; s=1"), /^MISS \d+ s=1 s s=1$/)
        assert.match(yield* say("/one", "s=1; theme=y"), /^HIT \d+ s=1 s s=1$/)
        assert.match(yield* say("/one", "theme=y"), /^MISS \d+ undefined {2}null$/)
        assert.match(yield* say("/rest", "_ga=1; s=1; t=2"), /^MISS \d+ s=1; t=2 s,t s=1; t=2$/)
        assert.match(yield* say("/rest", "s=1; t=2; _ga=3"), /^HIT/)
        assert.match(yield* say("/rest", "t=2; s=1"), /^MISS/)
        assert.match(yield* say("/rest", "_ga=1"), /^MISS \d+ undefined {2}null$/)
        assert.match(yield* say("/rest"), /^HIT/)
      }).pipe(Effect.scoped)
    )

    it.live("a secret of a query tells users apart, and stands in no key", () =>
      Effect.gen(function*() {
        const services = yield* fresh
        const body = counted((n, { url }) => Response.text(`${n} ${url}`))
        const ask = yield* serve(
          HttpRouter.add("GET", "/q", cachedResponse("q", { ttl, authenticated: ["query:api_key"] })(body.handler)),
          services
        )
        const say = (path: string) => Effect.map(ask(path), ({ cache, text }) => `${cache} ${text}`)
        assert.strictEqual(yield* say("/q?api_key=ada&a=1"), "MISS 1 /q?api_key=ada&a=1")
        assert.strictEqual(yield* say("/q?api_key=bob&a=1"), "MISS 2 /q?api_key=bob&a=1")
        assert.strictEqual(yield* say("/q?a=1"), "MISS 3 /q?a=1")
        assert.strictEqual(yield* say("/q?a=1&api_key=ada"), "HIT 1 /q?api_key=ada&a=1")
        yield* Effect.orDie(
          Effect.provideContext(invalidatePattern("http:q:http://localhost/q?a=1#query%3Aapi_key=*"), services)
        )
        assert.deepStrictEqual(
          [(yield* say("/q?api_key=ada&a=1")).slice(0, 4), (yield* say("/q?a=1")).slice(0, 4)],
          ["MISS", "HIT "]
        )
      }).pipe(Effect.scoped)
    )

    it.live("an encoding that no policy covers is not stored", () =>
      Effect.gen(function*() {
        const body = counted((n, { url }) =>
          Response.text(`${n}`, { headers: { "content-encoding": url.includes("plain") ? "identity" : "x-own" } })
        )
        const ask = yield* serve(
          Layer.mergeAll(
            HttpRouter.add("GET", "/z", cachedResponse("z", { ttl })(body.handler)),
            HttpRouter.add("GET", "/v", cachedResponse("v", { ttl, vary: ["accept-encoding"] })(body.handler))
          ),
          yield* fresh
        )
        const twice = (path: string) =>
          Effect.map(Effect.all([ask(path), ask(path)]), (answers) => answers.map(({ cache }) => cache))
        assert.deepStrictEqual(yield* twice("/z"), ["BYPASS", "BYPASS"])
        assert.deepStrictEqual(yield* twice("/z?plain"), ["MISS", "HIT"])
        assert.deepStrictEqual(yield* twice("/v"), ["MISS", "HIT"])
      }).pipe(Effect.scoped)
    )

    it.live("what caches behind may keep: by default nothing but with asking, and what is shared by credentials", () =>
      Effect.gen(function*() {
        const said = (headers: Record<string, string> = {}) =>
          counted((_, request) =>
            request.cookies["sid"] === "gone"
              ? Response.empty({ status: 404 })
              : Response.text("x", { headers: { ...headers, "x-own": "1" } })
          ).handler
        const cached = (path: string, options: object, headers?: Record<string, string>) =>
          HttpRouter.add("GET", path as "/", cachedResponse(path.slice(1), { ttl, ...options })(said(headers)))
        const ask = yield* serve(
          Layer.mergeAll(
            cached("/plain", {}),
            cached("/shared", { shared: true, vary: ["accept-language"] }),
            cached("/crawled", { shared: true, ignoreCookies: true }),
            cached("/mine", { authenticated: ["authorization"] }),
            cached("/said", {}, { "cache-control": "public, max-age=60" }),
            cached("/until", {}, { expires: "Fri, 01 Jan 2100 00:00:00 GMT" }),
            cached("/option", { cacheControl: "max-age=5" }),
            cached("/quiet", { cacheControl: "private, max-age=5" }),
            cached("/star", {}, { vary: "*", "cache-control": "max-age=60" })
          ),
          yield* fresh
        )
        const says = (path: string, headers: Record<string, string> = {}) =>
          Effect.map(ask(path, { headers }), (answer) =>
            [answer.cache, answer.headers.get("cache-control"), answer.headers.get("vary")].join(" | ")
          )
        const cookie = { cookie: "sid=ada" }
        const both = "authorization, cookie"
        assert.strictEqual(yield* says("/plain"), "MISS | private, no-cache | ")
        assert.strictEqual(yield* says("/plain"), "HIT | private, no-cache | ")
        assert.strictEqual(yield* says("/plain", cookie), "BYPASS | private, no-cache | ")
        assert.strictEqual(yield* says("/plain", { cookie: "sid=gone" }), "BYPASS | private, no-cache | ")
        assert.strictEqual(yield* says("/shared"), `MISS | public, max-age=600 | accept-language, ${both}`)
        assert.strictEqual(yield* says("/shared", cookie), "BYPASS | private, no-cache | accept-language")
        assert.strictEqual(
          yield* says("/shared", { authorization: "b" }),
          "BYPASS | private, no-cache | accept-language"
        )
        // Cookies make no difference here, so caches behind need not tell them apart either.
        assert.strictEqual(yield* says("/crawled", cookie), "MISS | public, max-age=600 | authorization")
        assert.strictEqual(yield* says("/mine", { authorization: "b" }), "MISS | private, no-cache | authorization")
        assert.strictEqual(yield* says("/said"), `MISS | public, max-age=60 | ${both}`)
        assert.strictEqual(yield* says("/said"), `HIT | public, max-age=60 | ${both}`)
        assert.strictEqual(yield* says("/said", cookie), `BYPASS | public, max-age=60 | ${both}`)
        assert.strictEqual(yield* says("/until"), `MISS |  | ${both}`)
        assert.strictEqual(yield* says("/option"), `MISS | max-age=5 | ${both}`)
        assert.strictEqual(yield* says("/quiet"), "MISS | private, max-age=5 | ")
        assert.strictEqual(yield* says("/star"), "BYPASS | max-age=60 | *")
        const { headers } = yield* ask("/shared")
        const held = yield* ask("/shared", { headers: { "if-none-match": headers.get("etag")! } })
        assert.deepStrictEqual(
          [held.status, held.headers.get("vary"), held.headers.get("cache-control")],
          [304, `accept-language, ${both}`, "public, max-age=600"]
        )
      }).pipe(Effect.scoped)
    )

    it.live("nothing public goes out with a cookie, wherever it was set", () =>
      Effect.gen(function*() {
        const handler = cachedResponse("v", { ttl, shared: true })(Effect.succeed(Response.text("x")))
        const own = cachedResponse("own", { ttl })(
          Effect.succeed(
            Response.setCookieUnsafe(
              Response.text("x", { headers: { "cache-control": "public, max-age=9" } }),
              "sid",
              "1"
            )
          )
        )
        const cookie = (response: Response.HttpServerResponse) => Response.setCookieUnsafe(response, "sid", "1")
        const outside = Effect.map(handler, cookie)
        const plain = cachedResponse("p", { ttl })(Effect.succeed(Response.text("x")))
        const publicly = (response: Response.HttpServerResponse) =>
          Response.setHeaders(response, { "cache-control": "public, max-age=60", "cdn-cache-control": "max-age=60" })
        const before = Effect.andThen(
          HttpEffect.appendPreResponseHandler((_, response) => Effect.succeed(cookie(response))),
          handler
        )
        const ask = yield* serve(
          Layer.mergeAll(
            HttpRouter.add("GET", "/clean", handler),
            HttpRouter.add("GET", "/outside", outside),
            HttpRouter.add(
              "GET",
              "/public",
              Effect.map(plain, (response) => cookie(publicly(response)))
            ),
            HttpRouter.add("GET", "/later", Effect.map(plain, publicly)),
            HttpRouter.add("GET", "/before", before),
            HttpRouter.add("GET", "/own", own)
          ),
          yield* fresh
        )
        for (const cache of ["MISS", "HIT"]) {
          const later = yield* ask("/later")
          assert.strictEqual(later.headers.get("cache-control"), "public, max-age=60")
          for (const path of ["/outside", "/before", "/public"]) {
            const { headers } = yield* ask(path)
            assert.isNull(headers.get("cdn-cache-control"))
            assert.deepStrictEqual(
              [headers.get("x-cache"), headers.get("cache-control"), headers.get("set-cookie")],
              [cache, "private, no-cache", "sid=1"],
              path
            )
          }
          const clean = yield* ask("/clean")
          assert.deepStrictEqual([clean.cache, clean.headers.get("cache-control")], [cache, "public, max-age=600"])
          const mine = yield* ask("/own")
          assert.deepStrictEqual([mine.cache, mine.headers.get("cache-control")], ["BYPASS", "private, no-cache"])
        }
      }).pipe(Effect.scoped)
    )

    it.live("what passes by the cache varies by all that the policy tells apart", () =>
      Effect.gen(function*() {
        const body = counted((_, { headers }) =>
          Response.text(`page of ${headers["x-api-key"]}`, { headers: { "cache-control": "max-age=60" } })
        )
        const cached = (name: string, options: object) =>
          HttpRouter.add("GET", `/${name}`, cachedResponse(name, { ttl, ...options })(body.handler))
        const ask = yield* serve(
          Layer.mergeAll(
            cached("key", { authenticated: ["x-api-key"], vary: ["accept-language"] }),
            cached("big", { authenticated: ["x-api-key"], maxBodyBytes: 5 }),
            cached("session", { authenticated: ["cookie:sid"], ignoreCookies: true, storeIf: () => false }),
            cached("blind", { ignoreCookies: true })
          ),
          yield* fresh
        )
        const says = (path: string, headers: Record<string, string> = {}) =>
          Effect.map(ask(path, { headers: { "x-api-key": "ada", ...headers } }), ({ cache, headers }) =>
            [cache, headers.get("vary")].join(" ")
          )
        const key = "accept-language, x-api-key, authorization, cookie"
        assert.strictEqual(yield* says("/key"), `MISS ${key}`)
        assert.strictEqual(yield* says("/key", { "cache-control": "no-store" }), `BYPASS ${key}`)
        assert.strictEqual(yield* says("/key", { cookie: "a=b" }), `BYPASS ${key}`)
        assert.strictEqual(yield* says("/big"), "BYPASS x-api-key, authorization, cookie")
        assert.strictEqual(yield* says("/session", { cookie: "sid=1" }), "BYPASS cookie, authorization")
        // Cookies make no difference to what is stored, for its load sees none. What passes by was made with them.
        for (const headers of [{ "cache-control": "no-store" }, { range: "bytes=0-9" }]) {
          assert.strictEqual(yield* says("/blind", { cookie: "sid=1", ...headers }), "BYPASS authorization, cookie")
        }
        assert.strictEqual(yield* says("/blind", { cookie: "sid=1" }), "MISS authorization")
      }).pipe(Effect.scoped)
    )

    it.live("what is said to some caches alone counts as well, and is not said of what is for one", () =>
      Effect.gen(function*() {
        const targeted = {
          "cdn-cache-control": "max-age=600",
          "surrogate-control": "max-age=600",
          "x-accel-expires": "600"
        }
        const quiet = {
          "cdn-cache-control": "no-store",
          "surrogate-control": 'content="ESI/1.0"',
          "x-accel-expires": "0"
        }
        const saying = (headers: Record<string, string>) => Effect.succeed(Response.text("x", { headers }))
        const cached = (path: string, options: object, headers: Record<string, string>) =>
          HttpRouter.add("GET", path as "/", cachedResponse(path.slice(1), { ttl, ...options })(saying(headers)))
        const mine = { authenticated: ["x-api-key"] }
        const withCookie = (handler: Effect.Effect<Response.HttpServerResponse, never, any>) =>
          Effect.map(handler, (response) => Response.setCookieUnsafe(response, "sid", "1"))
        const ask = yield* serve(
          Layer.mergeAll(
            cached("/plain", {}, targeted),
            cached("/shared", { shared: true }, targeted),
            cached("/mine", mine, targeted),
            cached("/large", { ...mine, maxBodyBytes: 0 }, targeted),
            cached("/quiet", mine, quiet),
            cached("/asked", mine, { "cdn-cache-control": "no-cache" }),
            HttpRouter.add("GET", "/cookie", withCookie(cachedResponse("cookie", { ttl })(saying(targeted)))),
            HttpRouter.add("GET", "/hush", withCookie(cachedResponse("hush", { ttl })(saying(quiet))))
          ),
          yield* fresh
        )
        const says = (path: string, headers: Record<string, string> = {}) =>
          Effect.map(ask(path, { headers: { "x-api-key": "ada", ...headers } }), ({ headers }) =>
            [
              headers.get("cache-control"),
              headers.get("vary"),
              ...Object.keys(targeted).map((name) => headers.get(name))
            ].join(" | ")
          )
        const all = "max-age=600 | max-age=600 | 600"
        const both = "authorization, cookie"
        for (let n = 0; n < 2; n++) {
          assert.strictEqual(yield* says("/plain"), `private, no-cache | ${both} | ${all}`)
          assert.strictEqual(yield* says("/shared"), `public, max-age=600 | ${both} | ${all}`)
          assert.strictEqual(yield* says("/mine"), "private, no-cache | x-api-key |  |  | ")
          assert.strictEqual(yield* says("/large"), "private, no-cache | x-api-key |  |  | ")
          assert.strictEqual(yield* says("/quiet"), 'private, no-cache | x-api-key | no-store | content="ESI/1.0" | 0')
          assert.strictEqual(yield* says("/asked"), `private, no-cache | x-api-key, ${both} | no-cache |  | `)
          assert.strictEqual(yield* says("/cookie"), `private, no-cache | ${both} |  |  | `)
          assert.strictEqual(yield* says("/hush"), 'private, no-cache |  | no-store | content="ESI/1.0" | 0')
        }
        // What is not there is nobody's to keep.
        const none = yield* ask("/plain", { headers: { range: "bytes=9-" } })
        assert.deepStrictEqual([none.status, none.headers.get("cdn-cache-control")], [416, null])
      }).pipe(Effect.scoped)
    )
  })
