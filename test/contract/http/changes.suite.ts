/**
 * What a request with an unsafe method makes old, whatever the policy of its route says of variants, and however it ends.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Schema } from "effect"
import { Headers, HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse as Response } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiError, HttpApiGroup } from "effect/http-api"
import { cachedEndpoint, cachedResponse, HttpCache } from "../../../src/http/index.ts"
import type { CacheServices } from "../../../src/index.ts"
import { countingHandler as counted, serve } from "../../support/http.ts"

const ttl = "10 minutes"

class Late extends Schema.TaggedError<Late>()("Late", {}, { httpApiStatus: 409 }) {}

export const changesSuite = (name: string, cacheLayer: Layer.Layer<CacheServices, any>) =>
  describe(`changes behind cached responses on ${name}`, () => {
    const fresh = Effect.orDie(Layer.build(cacheLayer))

    /** A page, and the route that changes it, which has other options. */
    const site = (read: object, change: object) =>
      Effect.gen(function*() {
        const body = counted((n) => Response.text(`${n}`))
        const routes = Layer.mergeAll(
          HttpRouter.add("GET", "/*", cachedResponse("n", { ttl, ...read })(body.handler)),
          HttpRouter.add("POST", "/*", cachedResponse("n", { ttl, ...change })(changed))
        )
        return yield* serve(routes, yield* fresh)
      })

    const changed = Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) =>
      Effect.succeed(
        Response.text("", { headers: headers["x-names"] === undefined ? {} : { location: headers["x-names"] } })
      )
    )
    const states = (all: ReadonlyArray<{ readonly cache: string | null }>) => all.map(({ cache }) => cache)

    it.live("a route that knows less of the page than the one that shows it", () =>
      Effect.gen(function*() {
        for (const [read, change, headers] of [
          [{ vary: ["accept-language"] }, {}, { "accept-language": "de" }],
          [{ authenticated: ["x-api-key"] }, {}, { "x-api-key": "k" }],
          [{ authenticated: ["cookie:sid"] }, { vary: ["accept-language"] }, { cookie: "sid=1" }],
          [{ anyHost: true }, {}, {}],
          [{}, { anyHost: true }, {}],
          [{ query: [] }, {}, {}],
          [{ query: ["page"] }, {}, {}],
          [{ authenticated: ["query:api_key"] }, {}, {}],
          [{ ignoreCookies: true }, { query: ["page"] }, {}]
        ] as const) {
          const ask = yield* site(read, change)
          const about = JSON.stringify([read, change])
          assert.deepStrictEqual(states([yield* ask("/p", { headers }), yield* ask("/p", { headers })]), [
            "MISS",
            "HIT"
          ])
          yield* ask("/p", { method: "POST" })
          assert.strictEqual((yield* ask("/p", { headers })).cache, "MISS", about)
          yield* ask("/other", { method: "POST", headers: { "x-names": "/p" } })
          assert.strictEqual((yield* ask("/p", { headers })).cache, "MISS", `by Location: ${about}`)
          yield* ask("/q", { method: "POST", headers: { "x-names": "/r" } })
          assert.strictEqual((yield* ask("/p", { headers })).cache, "HIT", `of others: ${about}`)
        }
      }).pipe(Effect.scoped)
    )

    it.live("a change with a query, where the page has a part of it in its key", () =>
      Effect.gen(function*() {
        for (const read of [{ query: [] }, { query: ["page"] }, { authenticated: ["query:key"] }, {}]) {
          const ask = yield* site(read, {})
          yield* ask("/p?page=2&trace=1&key=k")
          yield* ask("/p?page=2&trace=1&key=k", { method: "POST" })
          assert.strictEqual((yield* ask("/p?page=2&trace=1&key=k")).cache, "MISS", JSON.stringify(read))
        }
      }).pipe(Effect.scoped)
    )

    it.live("a malformed host, where none is in the key", () =>
      Effect.gen(function*() {
        const ask = yield* site({ anyHost: true }, {})
        yield* ask("/p")
        yield* ask("/p", { method: "POST", headers: { host: "a b" } })
        assert.strictEqual((yield* ask("/p")).cache, "MISS")
      }).pipe(Effect.scoped)
    )

    it.live(
      "an endpoint that refuses: what says its status itself changes nothing, of another error nobody knows",
      () =>
        Effect.gen(function*() {
          const put = HttpApiEndpoint.put("put", "/notes/:id", {
            params: { id: Schema.String },
            success: Schema.String,
            error: [HttpApiError.Conflict, Late]
          }).pipe(cachedEndpoint({ key: "note:{id}", ttl }))
          const get = HttpApiEndpoint.get("get", "/notes/:id", {
            params: { id: Schema.String },
            success: Schema.String
          })
          const Notes = HttpApiGroup.make("notes").add(get.pipe(cachedEndpoint({ key: "note:{id}", ttl })), put)
          const Api = HttpApi.make("api").add(Notes)
          const live = HttpApiBuilder.group(Api, "notes", (handlers) =>
            handlers
              .handle("get", () => Effect.succeed("page"))
              .handle(
                "put",
                ({ params }): Effect.Effect<never, HttpApiError.Conflict | Late> =>
                  params.id === "1" ? Effect.fail(new HttpApiError.Conflict()) : Effect.fail(new Late())
              )
          ).pipe(Layer.provide(HttpCache.layer), Layer.provide(Layer.succeedContext(yield* fresh)))
          const routes = HttpApiBuilder.layer(Api).pipe(Layer.provide([live, HttpServer.layerServices]))
          const ask = yield* serve(routes as never, Context.empty() as never)
          for (const [id, state] of [
            ["1", "HIT"],
            ["2", "MISS"]
          ] as const) {
            yield* ask(`/notes/${id}`)
            assert.strictEqual((yield* ask(`/notes/${id}`, { method: "PUT" })).status, 409)
            assert.strictEqual((yield* ask(`/notes/${id}`)).cache, state, id)
          }
        }).pipe(Effect.scoped)
    )

    it.live("one URL in another spelling", () =>
      Effect.gen(function*() {
        const ask = yield* site({}, {})
        for (const [shown, changed] of [
          ["/notes/%31", "/notes/1"],
          ["/notes/1", "/notes/%31"],
          ["/caf%c3%a9", "/caf%C3%A9"],
          ["/a?q=%7E1", "/a?q=~1"]
        ] as const) {
          yield* ask(shown)
          yield* ask(changed, { method: "POST" })
          assert.strictEqual((yield* ask(shown)).cache, "MISS", shown)
        }
        // A reserved character that is escaped is another one.
        yield* ask("/a%2Fb")
        yield* ask("/a/b", { method: "POST" })
        assert.strictEqual((yield* ask("/a%2Fb")).cache, "HIT")
      }).pipe(Effect.scoped)
    )

    it.live("the public host, where the router knows of one that the server was not asked by", () =>
      Effect.gen(function*() {
        const body = counted((n) => Response.text(`${n}`))
        // As `HttpMiddleware.xForwardedHeaders` does, which needs the address of a peer.
        const behindProxy = HttpRouter.middleware(
          (app) =>
            Effect.updateService(app, HttpServerRequest.HttpServerRequest, (request) =>
              request.modify({ headers: Headers.set(request.headers, "host", "example.com") })
            ),
          { global: true }
        )
        const routes = Layer.mergeAll(
          HttpRouter.add("GET", "/p", cachedResponse("f", { ttl })(body.handler)),
          HttpRouter.add("POST", "/list", cachedResponse("f", { ttl })(changed)),
          behindProxy
        )
        const ask = yield* serve(routes, yield* fresh)
        yield* ask("/p")
        yield* ask("/list", { method: "POST", headers: { "x-names": "https://example.com/p" } })
        assert.strictEqual((yield* ask("/p")).cache, "MISS")
        yield* ask("/list", { method: "POST", headers: { "x-names": "http://localhost/p" } })
        assert.strictEqual((yield* ask("/p")).cache, "HIT")
      }).pipe(Effect.scoped)
    )

    it.live("a page at the root of a router with a prefix, which Location names", () =>
      Effect.gen(function*() {
        const body = counted((n) => Response.text(`${n}`))
        const routes = HttpRouter.use((router) => {
          const own = router.prefixed("/v1")
          return Effect.all([
            own.add("GET", "/", cachedResponse("r", { ttl })(body.handler)),
            own.add("POST", "/items", cachedResponse("r", { ttl })(changed))
          ])
        })
        const ask = yield* serve(routes as never, yield* fresh)
        yield* ask("/v1")
        yield* ask("/v1/items", { method: "POST", headers: { "x-names": "/v1" } })
        assert.strictEqual((yield* ask("/v1")).cache, "MISS")
      }).pipe(Effect.scoped)
    )

    it.live("a client that hangs up after its change, a handler that fails or dies after it", () =>
      Effect.gen(function*() {
        const body = counted((n) => Response.text(`${n}`))
        const isDone = yield* Deferred.make<void>()
        const change = Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) =>
          headers["x-end"] === "die"
            ? Effect.die(new Error("after the commit"))
            : headers["x-end"] === "fail"
              ? Effect.fail(new Error("after the commit"))
              : headers["x-end"] === "refuse"
                ? Effect.succeed(Response.empty({ status: 403 }))
                : Effect.andThen(Deferred.succeed(isDone, undefined), Effect.never)
        )
        const routes = Layer.mergeAll(
          HttpRouter.add("GET", "/p", cachedResponse("h", { ttl })(body.handler)),
          HttpRouter.add("PUT", "/p", cachedResponse("h", { ttl })(change) as never)
        )
        const ask = yield* serve(routes, yield* fresh)
        yield* ask("/p")
        const hangsUp = yield* Effect.forkChild(ask("/p", { method: "PUT" }))
        yield* Deferred.await(isDone)
        yield* Fiber.interrupt(hangsUp)
        assert.strictEqual((yield* ask("/p")).cache, "MISS")
        for (const end of ["die", "fail"]) {
          yield* ask("/p", { method: "PUT", headers: { "x-end": end } })
          assert.strictEqual((yield* ask("/p")).cache, "MISS", end)
        }
        yield* ask("/p", { method: "PUT", headers: { "x-end": "refuse" } })
        assert.strictEqual((yield* ask("/p")).cache, "HIT")
      }).pipe(Effect.scoped)
    )
  })
