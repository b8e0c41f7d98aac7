/**
 * What is said of how a request went: `Cache-Status` (RFC 9211), and a warning where a key is never filled.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerRespondable, HttpServerResponse as Response } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiError, HttpApiGroup } from "effect/http-api"
import { cachedEndpoint, cachedResponse, HttpCache, type ResponseOptions } from "../../../src/http/index.ts"
import { type CacheServices, invalidatePattern, invalidateTags } from "../../../src/index.ts"
import { all, counted, gated, countingHandler as handlerOf, serve } from "../../support/http.ts"

const ttl = "10 minutes"

export const statusSuite = (name: string, cacheLayer: Layer.Layer<CacheServices, any>) =>
  describe(`what is said of cached responses on ${name}`, () => {
    const fresh = Effect.orDie(Layer.build(cacheLayer))

    it.live("hit, miss, stale, request, method and bypass, behind what was said before", () =>
      Effect.gen(function*() {
        const services = yield* fresh
        const body = handlerOf((n, { url }) =>
          Response.text(`${n}`, {
            status: url === "/500" ? 500 : 200,
            headers: url === "/behind" ? { "cache-status": "origin; hit" } : {}
          })
        )
        const cached = (name: string, options: object) =>
          cachedResponse(name, { ttl, tags: ["pages"], ...options })(body.handler)
        const routes = Layer.mergeAll(
          HttpRouter.add("*", "/*", cached("plain", {})),
          HttpRouter.add("GET", "/v", cached("v", { vary: ["x-v"] })),
          HttpRouter.add("GET", "/key", cached("k", { cacheStatus: { key: true }, vary: ["x-v"] }))
        )
        const ask = yield* serve(routes, services)
        const says = (path: string, init?: RequestInit) =>
          Effect.map(ask(path, init), ({ headers }) =>
            headers.get("cache-status")!.replace(/ttl=5\d\d|ttl=600/, "ttl=n")
          )
        const asking = (control: string) => ({ headers: { "cache-control": control } })
        const forwarded = (fwd: string) => `effect-cache; fwd=${fwd}; fwd-status=200; stored; ttl=n`
        const hit = "effect-cache; hit; ttl=n"
        assert.strictEqual(yield* says("/a"), forwarded("uri-miss"))
        assert.strictEqual(yield* says("/a"), hit)
        assert.strictEqual(yield* says("/a", { method: "HEAD" }), hit)
        assert.strictEqual(yield* says("/a", { headers: { "if-none-match": "*" } }), hit)
        assert.strictEqual(yield* says("/a", { headers: { range: "bytes=9-" } }), hit)
        assert.strictEqual(yield* says("/behind"), `origin; hit, ${forwarded("uri-miss")}`)
        assert.strictEqual(yield* says("/behind"), `origin; hit, ${hit}`)
        assert.strictEqual(yield* says("/a", asking("no-cache")), forwarded("request"))
        assert.strictEqual(yield* says("/a", asking("min-fresh=700")), forwarded("request"))
        assert.strictEqual(
          yield* says("/a", asking("no-store")),
          "effect-cache; fwd=request; fwd-status=200; detail=no-store"
        )
        assert.strictEqual(yield* says("/b", { method: "POST" }), "effect-cache; fwd=method; fwd-status=200")
        assert.strictEqual(
          yield* says("/a", { headers: { cookie: "a=b" } }),
          "effect-cache; fwd=bypass; fwd-status=200; detail=cookie"
        )
        assert.strictEqual(yield* says("/500"), "effect-cache; fwd=uri-miss; fwd-status=500; detail=status")
        assert.strictEqual(
          yield* says("/none", { headers: { range: "bytes=0-0" } }),
          "effect-cache; fwd=uri-miss; fwd-status=200"
        )
        // Nothing went forward: neither `hit` nor `fwd`.
        const only = "effect-cache; detail=only-if-cached"
        assert.strictEqual(yield* says("/none", asking("only-if-cached")), only)
        assert.strictEqual(
          yield* says("/none", { headers: { "cache-control": "only-if-cached", cookie: "a=b" } }),
          only
        )
        // Another variant may be there, or none at all.
        assert.strictEqual(yield* says("/v", { headers: { "x-v": "1" } }), forwarded("miss"))
        assert.strictEqual(yield* says("/v", { headers: { "x-v": "2" } }), forwarded("miss"))
        const said = yield* says("/key", { headers: { "x-v": 'a"b\\' } })
        assert.match(said, /; key="http:k:[^"]*\/key#x-v=a%22b%5C"$/)

        const run = <E>(effect: Effect.Effect<unknown, E, CacheServices>) =>
          Effect.orDie(Effect.provideContext(effect, services))
        yield* run(invalidateTags(["pages"]))
        assert.strictEqual(yield* says("/a"), forwarded("stale"))
        assert.strictEqual(yield* says("/a"), hit)
        assert.strictEqual(yield* says("/v", { headers: { "x-v": "1" } }), forwarded("stale"))
        // What an invalidation by key or pattern has removed is not there.
        yield* run(invalidatePattern("http:plain:*"))
        assert.strictEqual(yield* says("/a"), forwarded("uri-miss"))
      }).pipe(Effect.scoped)
    )

    it.live("who shares a load says so, and why its own request was a miss", () =>
      Effect.gen(function*() {
        const { begun, end, handler } = gated(1)
        const { arrives, come } = counted(cachedResponse("g", { ttl })(handler), 2)
        const ask = yield* serve(HttpRouter.add("GET", "/", arrives), yield* fresh)
        const says = Effect.map(ask("/"), ({ headers }) => headers.get("cache-status")!.replace(/ttl=\d+/, "ttl=n"))
        const both = yield* all([says, says, Effect.as(Effect.andThen(Effect.andThen(begun(1), come), end(1)), "")])
        assert.sameMembers(
          [...both],
          [
            "",
            "effect-cache; fwd=uri-miss; fwd-status=200; stored; ttl=n",
            // Who is given a copy cannot tell a load that he shares from one before it.
            name === "memory with copies"
              ? "effect-cache; hit; ttl=n"
              : "effect-cache; fwd=uri-miss; fwd-status=200; stored; collapsed; ttl=n"
          ]
        )
      }).pipe(Effect.scoped)
    )

    it.live("nothing is said to be stored where ttl or tags are none", () =>
      Effect.gen(function*() {
        const page = Effect.succeed(Response.text("x"))
        const services = yield* fresh
        const bad: ReadonlyArray<ResponseOptions> = [
          { ttl: () => 0 },
          { ttl, tags: () => "x" as never },
          {
            ttl,
            tags: () => {
              throw new Error("oops")
            }
          }
        ]
        for (const options of bad) {
          const ask = yield* serve(HttpRouter.add("GET", "/", cachedResponse("none", options)(page)), services)
          for (let i = 0; i < 2; i++) {
            assert.strictEqual(
              (yield* ask("/")).headers.get("cache-status"),
              "effect-cache; fwd=uri-miss; fwd-status=200; detail=not-stored"
            )
          }
        }
      }).pipe(Effect.scoped)
    )

    it.live("a key that no request fills is told once, with what the route has", () =>
      Effect.gen(function*() {
        const warnings: Array<string> = []
        const logger = Logger.make(({ logLevel, message }) => {
          if (logLevel === "Warn") warnings.push(String(message))
        })
        const body = handlerOf((n) => Response.text(`${n}`))
        const cached = (key: string) =>
          Effect.provide(cachedResponse(key, { ttl })(body.handler), Logger.layer([logger]))
        const routes = Layer.mergeAll(
          HttpRouter.add("GET", "/wrong/:slug", cached("wrong:{slgu}:{page?}")),
          HttpRouter.add("GET", "/right/:slug", cached("right:{slug}:{page?}")),
          HttpRouter.add("GET", "/bare", cached("bare:{q}"))
        )
        const ask = yield* serve(routes, yield* fresh)
        const caches = (path: string) => Effect.map(ask(path), ({ cache }) => cache)
        assert.deepStrictEqual(
          [yield* caches("/right/a"), yield* caches("/right/a?page=1&page=2"), yield* caches("/right/a?page=1")],
          ["MISS", "BYPASS", "MISS"]
        )
        assert.deepStrictEqual(warnings, [])
        assert.deepStrictEqual([yield* caches("/wrong/a"), yield* caches("/wrong/a")], ["BYPASS", "BYPASS"])
        yield* caches("/wrong/b?evil=1")
        assert.strictEqual(warnings.length, 1)
        assert.match(warnings[0]!, /wrong:\{slgu\}.*no \{slgu\}.*\/wrong\/:slug has these parameters: slug;/)
        assert.notMatch(warnings[0]!, /evil/)
        assert.deepStrictEqual([yield* caches("/bare"), yield* caches("/bare?q=1")], ["BYPASS", "MISS"])
        assert.match(warnings[1]!, /\/bare has these parameters: none; .*\{q\?\} may be absent/)
      }).pipe(Effect.scoped)
    )

    it.live("a failure says how it went as well, and is for no cache unless it says so", () =>
      Effect.gen(function*() {
        const services = yield* fresh
        const body = (headers: Record<string, string>) => ({
          [HttpServerRespondable.symbol]: () => Effect.succeed(Response.empty({ status: 409, headers }))
        })
        const cached = (path: string, handler: Effect.Effect<Response.HttpServerResponse, any>, options: object = {}) =>
          HttpRouter.add("*", `/${path}`, cachedResponse(path, { ttl, shared: true, ...options })(handler))
        const missing = HttpApiEndpoint.get("missing", "/missing", {
          success: Schema.String,
          error: HttpApiError.NotFound
        }).pipe(cachedEndpoint({ ttl, shared: true }))
        const Api = HttpApi.make("api").add(HttpApiGroup.make("group").add(missing))
        const live = HttpApiBuilder.group(Api, "group", (handlers) =>
          handlers.handle("missing", () => Effect.fail(new HttpApiError.NotFound()))
        ).pipe(Layer.provide(HttpCache.layer), Layer.provide(Layer.succeedContext(services)))
        const ask = yield* serve(
          Layer.mergeAll(
            HttpApiBuilder.layer(Api).pipe(Layer.provide(live), Layer.provide(HttpServer.layerServices)) as never,
            cached("defect", Effect.die(new Error("no"))),
            cached("conflict", Effect.fail(body({}))),
            cached("said", Effect.fail(body({ "cache-control": "max-age=5" })), { vary: ["x-v"] }),
            HttpRouter.add(
              "GET",
              "/instead",
              Effect.catch(cachedResponse("f", { ttl })(Effect.fail("no")), () => Effect.succeed(Response.text("x")))
            )
          ),
          services
        )
        const says = (path: string, init?: RequestInit) =>
          Effect.map(ask(path, init), ({ headers, status }) =>
            [status, headers.get("cache-control"), headers.get("vary"), headers.get("cache-status")].join(" | ")
          )
        const own = "private, no-cache | "
        const miss = (status: number) => `effect-cache; fwd=uri-miss; fwd-status=${status}; detail=failure`
        assert.strictEqual(yield* says("/missing"), `404 | ${own} | ${miss(404)}`)
        assert.strictEqual(
          yield* says("/missing", { headers: { cookie: "a=b" } }),
          `404 | ${own} | effect-cache; fwd=bypass; fwd-status=404; detail=cookie`
        )
        assert.strictEqual(yield* says("/defect"), `500 | ${own} | ${miss(500)}`)
        assert.strictEqual(yield* says("/conflict"), `409 | ${own} | ${miss(409)}`)
        assert.strictEqual(
          yield* says("/conflict", { method: "POST" }),
          "409 |  |  | effect-cache; fwd=method; fwd-status=409; detail=failure"
        )
        assert.strictEqual(
          yield* says("/said"),
          "409 | max-age=5 | x-v, authorization, cookie | effect-cache; fwd=miss; fwd-status=409; detail=failure"
        )
        // What somebody outside answers in its place, too.
        assert.strictEqual(yield* says("/instead"), `200 | ${own} | ${miss(200)}`)
      }).pipe(Effect.scoped)
    )
  })
