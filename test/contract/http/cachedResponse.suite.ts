/**
 * What `cachedResponse` does on any cache.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { HttpRouter, HttpServerResponse as Response } from "effect/http"
import { type CacheServices, invalidateKey, invalidatePattern, invalidateTags } from "../../../src/index.ts"
import { cachedResponse } from "../../../src/http/index.ts"
import { countingHandler as counted, serve } from "../../support/http.ts"

const ttl = "10 minutes"

export const suite = (name: string, cacheLayer: Layer.Layer<CacheServices, any>) =>
  describe(`cachedResponse on ${name}`, () => {
    /** A cache of its own for each test, in the scope of the test. */
    const fresh = Effect.orDie(Layer.build(cacheLayer))

    it.live("runs the handler once and says so", () =>
      Effect.gen(function*() {
        const body = counted((n) => Response.jsonUnsafe({ n, text: "größe" }, { headers: { "x-own": "kept" } }))
        const ask = yield* serve(
          HttpRouter.add("GET", "/expensive", cachedResponse("expensive", { ttl })(body.handler)),
          yield* fresh
        )
        const first = yield* ask("/expensive")
        const again = yield* ask("/expensive")
        assert.deepStrictEqual([first.cache, again.cache, body.runs], ["MISS", "HIT", 1])
        assert.strictEqual(again.text, JSON.stringify({ n: 1, text: "größe" }))
        assert.strictEqual(first.text, again.text)
        for (const { headers } of [first, again]) {
          assert.strictEqual(headers.get("content-type"), "application/json")
          assert.strictEqual(headers.get("x-own"), "kept")
          assert.strictEqual(headers.get("cache-control"), "private, no-cache")
          assert.match(headers.get("age")!, /^\d+$/)
          assert.match(headers.get("etag")!, /^"[\w-]{27}"$/)
        }
        assert.strictEqual(first.headers.get("etag"), again.headers.get("etag"))
      }).pipe(Effect.scoped)
    )

    it.live("keeps bytes that are no text, and empty bodies", () =>
      Effect.gen(function*() {
        const bytes = Uint8Array.from({ length: 300 }, (_, i) => i & 255)
        const web = (path: string, response: Response.HttpServerResponse) =>
          HttpRouter.add("GET", path as "/", cachedResponse("bytes", { ttl })(Effect.succeed(response)))
        const services = yield* fresh
        const handler = HttpRouter.toWebHandler(
          Layer.mergeAll(
            web("/bin", Response.uint8Array(bytes, { contentType: "image/png" })),
            web("/empty", Response.empty({ status: 200 })),
            web("/bom", Response.text("\ufeffx"))
          ).pipe(HttpRouter.provideRequest(Layer.succeedContext(services))),
          { disableLogger: true }
        )
        for (const cache of ["MISS", "HIT"]) {
          const ask = (path: string) => Effect.promise(() => handler.handler(new Request(`http://localhost${path}`)))
          const bin = yield* ask("/bin")
          assert.deepStrictEqual([bin.headers.get("x-cache"), bin.headers.get("content-type")], [cache, "image/png"])
          assert.deepStrictEqual(new Uint8Array(yield* Effect.promise(() => bin.arrayBuffer())), bytes)
          const empty = yield* ask("/empty")
          assert.deepStrictEqual([empty.status, empty.headers.get("x-cache")], [200, cache])
          assert.strictEqual(yield* Effect.promise(() => empty.text()), "")
          const bom = new Uint8Array(
            yield* Effect.promise(async () => (await ask("/bom").pipe(Effect.runPromise)).arrayBuffer())
          )
          assert.deepStrictEqual([...bom], [0xef, 0xbb, 0xbf, 120])
        }
        yield* Effect.promise(() => handler.dispose())
      }).pipe(Effect.scoped)
    )

    it.live("keys by path and query, and invalidates by key, pattern and tag", () =>
      Effect.gen(function*() {
        const services = yield* fresh
        const body = counted((n, { url }) => Response.text(`${url} ${n}`))
        const page = counted((n) => Response.text(`page ${n}`))
        const ask = yield* serve(
          Layer.mergeAll(
            HttpRouter.add("GET", "/items/:id", cachedResponse("items", { ttl, query: ["q"] })(body.handler)),
            HttpRouter.add(
              "GET",
              "/users/:id",
              cachedResponse(page.handler, "user:{id}:{tab}", {
                ttl,
                tags: ({ request, response }) => ["users", `status:${response.status}`, request.method]
              })
            )
          ),
          services
        )
        const run = <A, E>(effect: Effect.Effect<A, E, CacheServices>) =>
          Effect.orDie(Effect.provideContext(effect, services))
        yield* ask("/items/1?q=a&x=1")
        assert.strictEqual((yield* ask("/items/1?x=2&q=a")).cache, "HIT")
        assert.strictEqual((yield* ask("/items/1?%71=b&q=a")).cache, "MISS")
        assert.strictEqual((yield* ask("/items/1?q=b")).cache, "MISS")
        assert.strictEqual((yield* ask("/items/2?q=a")).cache, "MISS")
        yield* run(invalidateKey("http:items:http://localhost/items/1?q=a"))
        assert.strictEqual((yield* ask("/items/1?q=a")).cache, "MISS")
        assert.strictEqual((yield* ask("/items/1?q=b")).cache, "HIT")
        yield* run(invalidatePattern("http:items:*"))
        assert.strictEqual((yield* ask("/items/1?q=b")).cache, "MISS")

        const tab = ask("/users/a:b?tab=x&other=1")
        const outcomes: Array<string | null> = [(yield* tab).cache, (yield* tab).cache]
        yield* run(invalidateKey("user:a%3Ab:x"))
        outcomes.push((yield* tab).cache)
        yield* run(invalidateTags(["status:200"]))
        outcomes.push((yield* tab).cache)
        yield* run(invalidatePattern("user:*:x"))
        outcomes.push((yield* tab).cache, (yield* tab).cache)
        assert.deepStrictEqual(outcomes, ["MISS", "HIT", "MISS", "MISS", "MISS", "HIT"])
        // A parameter is missing, or there are two: there is no key, so there is no cache.
        assert.strictEqual((yield* ask("/users/1")).cache, "BYPASS")
        assert.strictEqual((yield* ask("/users/1?tab=x&tab=y")).cache, "BYPASS")
      }).pipe(Effect.scoped)
    )

    it.live("answers If-None-Match with 304, on a hit and on a miss", () =>
      Effect.gen(function*() {
        const body = counted(() => Response.text("same", { headers: { "x-own": "kept", "content-language": "de" } }))
        const services = yield* fresh
        const ask = yield* serve(HttpRouter.add("GET", "/a", cachedResponse("a", { ttl })(body.handler)), services)
        const etag = (yield* ask("/a")).headers.get("etag")!
        const says = (value: string) =>
          Effect.map(ask("/a", { headers: { "if-none-match": value } }), ({ status }) => status)
        for (const value of [etag, `W/${etag}`, "*", `"x", W/${etag} , "y"`, ` ${etag}`]) {
          assert.strictEqual(yield* says(value), 304, value)
        }
        for (const value of [
          '"x"',
          etag.slice(1, -1),
          etag.slice(0, -1),
          "",
          '"',
          `"${etag}"`.replaceAll('"', ""),
          "W/*"
        ]) {
          assert.strictEqual(yield* says(value), 200, value)
        }
        yield* Effect.orDie(Effect.provideContext(invalidateKey("http:a:http://localhost/a"), services))
        const missed = yield* ask("/a", { headers: { "if-none-match": etag } })
        assert.deepStrictEqual([missed.status, missed.cache, missed.text], [304, "MISS", ""])
        assert.deepStrictEqual(
          ["etag", "x-own", "cache-control", "age", "content-type", "content-length", "content-language"].map((name) =>
            missed.headers.get(name)
          ),
          [etag, "kept", "private, no-cache", "0", null, null, null]
        )
      }).pipe(Effect.scoped)
    )

    it.live("HEAD is answered from GET, and asks the handler for it", () =>
      Effect.gen(function*() {
        const body = counted((n, { method }) => (method === "GET" ? Response.text(`body ${n}`) : Response.text("")))
        const ask = yield* serve(
          Layer.mergeAll(
            HttpRouter.add("GET", "/a", cachedResponse("a", { ttl })(body.handler)),
            HttpRouter.addAll([HttpRouter.route("HEAD", "/own", cachedResponse("own", { ttl })(body.handler))]),
            HttpRouter.add("GET", "/own", cachedResponse("own", { ttl })(body.handler))
          ),
          yield* fresh
        )
        const head = yield* ask("/a", { method: "HEAD" })
        assert.deepStrictEqual([head.cache, head.text, head.headers.get("content-length")], ["MISS", "", "6"])
        const get = yield* ask("/a")
        assert.deepStrictEqual([get.cache, get.text], ["HIT", "body 1"])
        assert.strictEqual((yield* ask("/a", { method: "HEAD" })).cache, "HIT")
        // A route for HEAD alone is no GET.
        assert.strictEqual((yield* ask("/own", { method: "HEAD" })).cache, "BYPASS")
        const own = yield* ask("/own")
        assert.deepStrictEqual([own.cache, own.text], ["MISS", "body 3"])
      }).pipe(Effect.scoped)
    )

    it.live("honours what the request asks for", () =>
      Effect.gen(function*() {
        const body = counted((n) => Response.text(`${n}`))
        const ask = yield* serve(HttpRouter.add("*", "/a", cachedResponse("a", { ttl })(body.handler)), yield* fresh)
        const say = (headers: Record<string, string>, method = "GET") =>
          Effect.map(ask("/a", { headers, method }), ({ cache, text }) => `${cache} ${text}`)
        const plain = say({})
        assert.strictEqual(yield* say({ "cache-control": "No-Store" }), "BYPASS 1")
        assert.strictEqual(yield* plain, "MISS 2")
        assert.strictEqual(yield* say({ "cache-control": "max-age=5, no-store" }), "BYPASS 3")
        assert.strictEqual(yield* say({ "cache-control": "no-cache" }), "MISS 4")
        assert.strictEqual(yield* plain, "HIT 4")
        assert.strictEqual(yield* say({ "cache-control": "max-age=0" }), "MISS 5")
        assert.strictEqual(yield* say({ "cache-control": "max-age=junk" }), "MISS 6")
        assert.strictEqual(yield* say({ pragma: "no-cache" }), "MISS 7")
        assert.strictEqual(yield* say({ pragma: "no-cache", "cache-control": "max-age=100" }), "HIT 7")
        assert.strictEqual(yield* say({ range: "lines=0-1" }), "BYPASS 8")
        assert.strictEqual(yield* say({ authorization: "Bearer x" }), "BYPASS 9")
        assert.strictEqual(yield* say({ cookie: "a=b" }), "BYPASS 10")
        assert.strictEqual(yield* say({ "content-length": "3" }), "BYPASS 11")
        assert.strictEqual(yield* say({ "if-match": '"x"' }), "BYPASS 12")
        assert.strictEqual(yield* plain, "HIT 7")
        assert.strictEqual(yield* say({}, "POST"), "BYPASS 13")
        assert.strictEqual(yield* say({}, "DELETE"), "BYPASS 14")
        assert.strictEqual(yield* plain, "MISS 15")
      }).pipe(Effect.scoped)
    )

    const stored: ReadonlyArray<readonly [string, Response.HttpServerResponse, boolean]> = [
      ["a plain one", Response.text("x"), true],
      ["max-age", Response.text("x", { headers: { "cache-control": "public, max-age=60" } }), true],
      ["a covered Vary", Response.text("x", { headers: { vary: "Accept-Language , accept" } }), true],
      ["expires later", Response.text("x", { headers: { expires: "Fri, 01 Jan 2100 00:00:00 GMT" } }), true],
      ["set-cookie header", Response.text("x", { headers: { "set-cookie": "a=b" } }), false],
      ["cookie", Response.setCookieUnsafe(Response.text("x"), "a", "b"), false],
      ["private", Response.text("x", { headers: { "cache-control": "PRIVATE" } }), false],
      ["private field", Response.text("x", { headers: { "cache-control": 'public, private="x-a"' } }), false],
      ["no-store", Response.text("x", { headers: { "cache-control": "max-age=60,no-store" } }), false],
      ["no-cache", Response.text("x", { headers: { "cache-control": "no-cache" } }), false],
      ["pragma", Response.text("x", { headers: { pragma: "no-cache" } }), false],
      ["max-age=0", Response.text("x", { headers: { "cache-control": "max-age=0" } }), false],
      ["max-age=junk", Response.text("x", { headers: { "cache-control": "max-age=1.5" } }), false],
      ["two max-ages", Response.text("x", { headers: { "cache-control": "max-age=60, max-age=0" } }), false],
      ["s-maxage=0", Response.text("x", { headers: { "cache-control": "max-age=60, s-maxage=0" } }), false],
      ["aged out", Response.text("x", { headers: { "cache-control": "max-age=60", age: "60" } }), false],
      ["expired", Response.text("x", { headers: { expires: "0" } }), false],
      ["Vary", Response.text("x", { headers: { vary: "accept, origin" } }), false],
      ["a Vary on what passes by", Response.text("x", { headers: { vary: "authorization, cookie" } }), true],
      ["Vary: *", Response.text("x", { headers: { vary: "*" } }), false],
      ["404", Response.text("x", { status: 404 }), false],
      ["301", Response.redirect("/b", { status: 301 }), false],
      ["204", Response.empty(), false],
      ["206", Response.text("x", { status: 206 }), false],
      ["500", Response.text("x", { status: 500 }), false],
      ["a stream", Response.stream(Stream.succeed(new Uint8Array([120]))), false],
      ["raw", Response.raw("x"), false],
      ["too large", Response.text("x".repeat(101)), false],
      ["bytes too large", Response.uint8Array(new Uint8Array(101)), false],
      ["a header beyond bytes", Response.text("x", { headers: { "x-a": "\u0100" } }), false]
    ]
    it.live("stores what may be stored", () =>
      Effect.gen(function*() {
        const runs = stored.map(() => 0)
        const ask = yield* serve(
          HttpRouter.add(
            "GET",
            "/:i",
            cachedResponse("a", { ttl, vary: ["Accept", "accept-language"], maxBodyBytes: 100 })((request) => {
              const i = Number(request.url.slice(1))
              runs[i]!++
              return Effect.succeed(stored[i]![1])
            })
          ),
          yield* fresh
        )
        for (const [i, [what, response, keeps]] of stored.entries()) {
          if (what === "a header beyond bytes") continue
          const first = yield* ask(`/${i}`)
          const again = yield* ask(`/${i}`)
          assert.deepStrictEqual(
            [what, first.cache, again.cache, runs[i]],
            keeps ? [what, "MISS", "HIT", 1] : [what, "BYPASS", "BYPASS", 2]
          )
          assert.deepStrictEqual([first.status, again.status], [response.status, response.status])
          assert.strictEqual(first.text, again.text)
          assert.strictEqual(again.headers.get("set-cookie"), first.headers.get("set-cookie"))
        }
      }).pipe(Effect.scoped)
    )

    it.live("drops headers of the connection, and keeps those of the handler", () =>
      Effect.gen(function*() {
        const body = counted(() =>
          Response.text("x", {
            headers: {
              connection: "close, X-Hop",
              "x-hop": "1",
              "keep-alive": "5",
              te: "x",
              "transfer-encoding": "chunked",
              "x-cache": "forged",
              age: "10",
              etag: 'W/"mine"',
              "cache-control": "max-age=60"
            }
          })
        )
        const ask = yield* serve(HttpRouter.add("GET", "/a", cachedResponse("a", { ttl })(body.handler)), yield* fresh)
        yield* ask("/a")
        const { cache, headers } = yield* ask("/a")
        assert.deepStrictEqual(
          ["connection", "x-hop", "keep-alive", "te", "transfer-encoding", "age", "etag", "cache-control"].map((name) =>
            headers.get(name)
          ),
          [null, null, null, null, null, "10", 'W/"mine"', "max-age=60"]
        )
        assert.strictEqual(cache, "HIT")
      }).pipe(Effect.scoped)
    )

    it.live("keeps variants and users apart, and no credential in a key", () =>
      Effect.gen(function*() {
        const services = yield* fresh
        const body = counted((n, { headers }) =>
          Response.text(`${n} ${headers["accept-language"]} ${headers["authorization"]} ${headers["cookie"]}`)
        )
        const ask = yield* serve(
          Layer.mergeAll(
            HttpRouter.add("GET", "/lang", cachedResponse("lang", { ttl, vary: ["Accept-Language"] })(body.handler)),
            HttpRouter.add(
              "GET",
              "/me",
              cachedResponse("me", { ttl, authenticated: ["Authorization", "cookie:session"] })(body.handler)
            )
          ),
          services
        )
        const say = (path: string, headers: Record<string, string>) =>
          Effect.map(ask(path, { headers }), ({ cache }) => cache)
        assert.deepStrictEqual(
          [
            yield* say("/lang", { "accept-language": "de" }),
            yield* say("/lang", { "accept-language": "en" }),
            yield* say("/lang", {}),
            yield* say("/lang", { "accept-language": "" }),
            yield* say("/lang", { "accept-language": "de" })
          ],
          ["MISS", "MISS", "MISS", "MISS", "HIT"]
        )
        assert.strictEqual((yield* ask("/lang")).headers.get("vary"), "accept-language")
        assert.strictEqual(yield* say("/lang", { cookie: "a=b" }), "BYPASS")

        const alice = { authorization: "Bearer alice-secret", cookie: "theme=x; session=s1" }
        assert.deepStrictEqual(
          [
            yield* say("/me", alice),
            yield* say("/me", { ...alice, authorization: "Bearer bob" }),
            yield* say("/me", { ...alice, cookie: "session=s2" }),
            yield* say("/me", { authorization: alice.authorization }),
            yield* say("/me", {}),
            yield* say("/me", { ...alice, cookie: "session=s1" }),
            yield* say("/me", {})
          ],
          ["MISS", "MISS", "MISS", "MISS", "MISS", "HIT", "HIT"]
        )
        const me = yield* ask("/me", { headers: alice })
        assert.strictEqual(me.headers.get("cache-control"), "private, no-cache")
        assert.strictEqual(me.headers.get("vary"), "authorization, cookie")
        yield* Effect.orDie(Effect.provideContext(invalidatePattern("http:me:*#authorization=*"), services))
        assert.strictEqual(yield* say("/me", alice), "MISS")
      }).pipe(Effect.scoped)
    )

    it.live("failures keep their type, defects are not stored", () =>
      Effect.gen(function*() {
        let runs = 0
        const handler = Effect.suspend(() =>
          ++runs < 3 ? (runs < 2 ? Effect.fail("typed") : Effect.die("defect")) : Effect.succeed(Response.text("ok"))
        )
        const wrapped = cachedResponse("fails", { ttl })(handler).pipe(
          Effect.catch((error: string) => Effect.succeed(Response.text(error))),
          Effect.catchDefect((defect) => Effect.succeed(Response.text(String(defect))))
        )
        const ask = yield* serve(HttpRouter.add("GET", "/", wrapped), yield* fresh)
        assert.deepStrictEqual(
          [(yield* ask("/")).text, (yield* ask("/")).text, (yield* ask("/")).text, (yield* ask("/")).cache],
          ["typed", "defect", "ok", "HIT"]
        )
      }).pipe(Effect.scoped)
    )
  })
