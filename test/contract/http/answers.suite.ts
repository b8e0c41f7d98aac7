/**
 * What an endpoint fails with, where its status is listed, and responses that all of one tenant share.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Latch, Layer, Redacted, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse as Response } from "effect/http"
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiError,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSchema,
  HttpApiSecurity
} from "effect/http-api"
import { cachedEndpoint, cachedResponse, type CachePolicyOptions, HttpCache } from "../../../src/http/index.ts"
import { type CacheServices, invalidateTags } from "../../../src/index.ts"
import { all, serve } from "../../support/http.ts"

const ttl = "10 minutes"

class Gone extends Schema.TaggedError<Gone>()("Gone", { id: Schema.FiniteFromString }, { httpApiStatus: 410 }) {}
class Broken extends Schema.TaggedError<Broken>()("Broken", {}, { httpApiStatus: 500 }) {}

class CurrentUser extends Context.Service<CurrentUser, { readonly name: string; readonly tenant: string }>()(
  "CurrentUser"
) {}
class Auth extends HttpApiMiddleware.Service<Auth, { provides: CurrentUser }>()("Auth", {
  security: { token: HttpApiSecurity.bearer },
  error: HttpApiError.Unauthorized
}) {}
const tenants: Record<string, string> = { ada: "acme", bob: "acme", eve: "evil", odd: 7 as never }
const AuthLive = Layer.succeed(Auth, {
  token: (app, { credential }) => {
    const name = Redacted.value(credential)
    const tenant = tenants[name]
    return tenant === undefined
      ? Effect.fail(new HttpApiError.Unauthorized())
      : Effect.provideService(app, CurrentUser, { name, tenant })
  }
})

export const answersSuite = (name: string, cacheLayer: Layer.Layer<CacheServices, any>) =>
  describe(`answers that are shared, on ${name}`, () => {
    const fresh = Effect.orDie(Layer.build(cacheLayer))

    const served = (api: HttpApi.Constraint, live: Layer.Layer<any, any, any>, services: Context.Context<any>) =>
      serve(
        HttpApiBuilder.layer(api as never).pipe(
          Layer.provide(live.pipe(Layer.provide(HttpCache.layer))),
          Layer.provide(Layer.succeedContext(services)),
          Layer.provide(HttpServer.layerServices)
        ) as never,
        Context.empty() as never
      )

    it.live("an error that an endpoint declares is stored with its status, as it would have gone out", () =>
      Effect.gen(function*() {
        const services = yield* fresh
        const endpoint = (name: string, statuses: ReadonlyArray<number> | undefined) =>
          HttpApiEndpoint.get(name, `/${name}/:id`, {
            params: { id: Schema.FiniteFromString },
            success: Schema.String,
            error: [Gone, HttpApiError.NotFound, Broken]
          }).pipe(cachedEndpoint({ ttl, statuses, tags: ({ params }) => [`item:${params.id}`] }))
        const Group = HttpApiGroup.make("items").add(endpoint("some", [200, 404, 410]), endpoint("plain", undefined))
        const Api = HttpApi.make("api").add(Group)
        let runs = 0
        const handle = ({ params }: { readonly params: { readonly id: number } }) =>
          Effect.suspend((): Effect.Effect<string, Gone | HttpApiError.NotFound | Broken> => {
            runs++
            if (params.id === 1) return Effect.fail(new Gone({ id: 1 }))
            if (params.id === 2) return Effect.fail(new HttpApiError.NotFound())
            if (params.id === 3) return Effect.fail(new Broken())
            return params.id === 4 ? Effect.die(new Error("no")) : Effect.succeed("here")
          })
        const live = HttpApiBuilder.group(
          Api,
          "items",
          (handlers) => handlers.handle("some", handle as never).handle("plain", handle as never) as never
        )
        const ask = yield* served(Api, live, services)
        const twice = Effect.fnUntraced(function*(path: string) {
          const before = runs
          const [first, second] = [yield* ask(path), yield* ask(path)]
          assert.deepStrictEqual(
            [second.status, second.text, second.headers.get("content-type")],
            [first.status, first.text, first.headers.get("content-type")]
          )
          return `${first.status} ${first.text} ${second.cache} ${runs - before}`
        })
        assert.strictEqual(yield* twice("/some/1"), '410 {"_tag":"Gone","id":"1"} HIT 1')
        assert.strictEqual(yield* twice("/some/2"), '404 {"_tag":"NotFound"} HIT 1')
        assert.strictEqual(yield* twice("/some/3"), '500 {"_tag":"Broken"} BYPASS 2')
        assert.match(yield* twice("/some/4"), /^500 .*BYPASS 2$/)
        assert.strictEqual(yield* twice("/some/5"), '200 "here" HIT 1')
        // What goes by the cache fails as ever.
        assert.strictEqual((yield* ask("/some/1", { headers: { cookie: "a=b" } })).text, '{"_tag":"Gone","id":"1"}')
        // Without the statuses in the policy nothing is stored, and the bodies are the same.
        assert.strictEqual(yield* twice("/plain/1"), '410 {"_tag":"Gone","id":"1"} BYPASS 2')
        assert.strictEqual(yield* twice("/plain/2"), '404 {"_tag":"NotFound"} BYPASS 2')
        // Its policy's functions are told of it, as of any response.
        yield* Effect.orDie(Effect.provideContext(invalidateTags(["item:1"]), services))
        assert.deepStrictEqual([(yield* ask("/some/1")).cache, (yield* ask("/some/2")).cache], ["MISS", "HIT"])
      }).pipe(Effect.scoped)
    )

    it.live("one response that a handler gives to all has the tags of each", () =>
      Effect.gen(function*() {
        const services = yield* fresh
        const Group = HttpApiGroup.make("items").add(
          HttpApiEndpoint.get("one", "/items/:id", { params: { id: Schema.FiniteFromString } }).pipe(
            cachedEndpoint({ ttl, statuses: [204], tags: ({ params }) => [`item:${params.id}`] })
          )
        )
        const Api = HttpApi.make("api").add(Group)
        const nothing = Response.empty()
        let handled = 0
        const both = Latch.makeUnsafe()
        const live = HttpApiBuilder.group(Api, "items", (handlers) =>
          handlers.handleRaw("one", () =>
            // What a load lets go of can take its time.
            Effect.as(
              Effect.addFinalizer(() => Effect.andThen(++handled === 2 ? both.open : Effect.void, both.await)),
              nothing
            )
          )
        ) as Layer.Layer<any, any, any>
        const ask = yield* served(Api, live, services)
        const caches = (id: number) => Effect.map(ask(`/items/${id}`), ({ cache }) => cache)
        assert.deepStrictEqual(yield* all([caches(1), caches(2)]), ["MISS", "MISS"])
        yield* Effect.orDie(Effect.provideContext(invalidateTags(["item:1"]), services))
        assert.deepStrictEqual([yield* caches(2), yield* caches(1)], ["HIT", "MISS"])
      }).pipe(Effect.scoped)
    )

    it.live("two errors of one shape: the status is that without a cache", () =>
      Effect.gen(function*() {
        const services = yield* fresh
        const shape = Schema.Struct({ message: Schema.String })
        const endpoint = HttpApiEndpoint.get("one", "/one", {
          success: Schema.String,
          error: [shape.pipe(HttpApiSchema.status(409)), shape.pipe(HttpApiSchema.status(404))]
        }).pipe(cachedEndpoint({ ttl, statuses: [200, 404] }))
        const Api = HttpApi.make("api").add(HttpApiGroup.make("alike").add(endpoint))
        const live = HttpApiBuilder.group(Api, "alike", (handlers) =>
          handlers.handle("one", () => Effect.fail({ message: "taken" }))
        )
        const ask = yield* served(Api, live, services)
        const { cache, status } = yield* ask("/one")
        assert.deepStrictEqual([status, cache], [409, "BYPASS"])
      }).pipe(Effect.scoped)
    )

    it.live("a failure of a route that says how it answers, too; others stay failures", () =>
      Effect.gen(function*() {
        let runs = 0
        const failing = <E>(error: E) =>
          Effect.suspend(() =>
            Effect.andThen(
              Effect.sync(() => runs++),
              Effect.fail(error)
            )
          )
        const cached = (
          path: string,
          handler: Effect.Effect<Response.HttpServerResponse, any>,
          statuses = [200, 404]
        ) => HttpRouter.add("GET", `/${path}`, cachedResponse(path, { ttl, statuses })(handler))
        const ask = yield* serve(
          Layer.mergeAll(
            cached("listed", failing(new HttpApiError.NotFound())),
            cached("other", failing(new HttpApiError.Conflict())),
            cached("none", failing(new HttpApiError.NotFound()), [200]),
            cached("text", failing("secret of ada")),
            cached("fine", failing(Response.text("for ada")))
          ),
          yield* fresh
        )
        const twice = (path: string) =>
          Effect.map(
            Effect.all([ask(path), ask(path)]),
            ([first, second]) => `${first.status} ${first.cache} ${second.status} ${second.cache}`
          )
        assert.strictEqual(yield* twice("/listed"), "404 MISS 404 HIT")
        assert.strictEqual(runs, 1)
        assert.strictEqual(yield* twice("/other"), "409 BYPASS 409 BYPASS")
        assert.strictEqual(yield* twice("/none"), "404 BYPASS 404 BYPASS")
        assert.strictEqual(yield* twice("/text"), "500 BYPASS 500 BYPASS")
        assert.strictEqual(runs, 7)
        assert.strictEqual(yield* twice("/fine"), "200 BYPASS 200 BYPASS")
      }).pipe(Effect.scoped)
    )

    it.live("sameFor: all of a tenant share a response, and nobody else gets it", () =>
      Effect.gen(function*() {
        const services = yield* fresh
        const policy: CachePolicyOptions = {
          ttl,
          sameFor: Effect.map(CurrentUser, ({ tenant }) => tenant),
          cacheStatus: { key: true },
          query: []
        }
        const Group = HttpApiGroup.make("shop")
          .add(
            HttpApiEndpoint.get("prices", "/prices", { success: Schema.String }).pipe(cachedEndpoint(policy)),
            HttpApiEndpoint.put("change", "/prices", { success: Schema.String }).pipe(
              cachedEndpoint({ ...policy, key: "shop.prices" })
            )
          )
          .middleware(Auth)
        const Api = HttpApi.make("api").add(Group)
        let runs = 0
        const handle = () => Effect.map(CurrentUser, ({ tenant }) => `${tenant} ${++runs}`)
        const live = HttpApiBuilder.group(Api, "shop", (handlers) =>
          handlers.handle("prices", handle as never).handle("change", handle as never)
        ).pipe(Layer.provide(AuthLive))
        const ask = yield* served(Api, live, services)
        const as = (who: string, method = "GET") =>
          ask("/prices", { method, headers: { authorization: `Bearer ${who}`, cookie: `theme=${who}` } })
        const says = (who: string) => Effect.map(as(who), ({ cache, status, text }) => `${status} ${cache} ${text}`)
        assert.strictEqual(yield* says("ada"), '200 MISS "acme 1"')
        assert.strictEqual(yield* says("bob"), '200 HIT "acme 1"')
        assert.strictEqual(yield* says("eve"), '200 MISS "evil 2"')
        assert.strictEqual(yield* says("ada"), '200 HIT "acme 1"')
        assert.strictEqual((yield* says("mallory")).slice(0, 8), "401 null")
        const { headers } = yield* as("bob")
        assert.strictEqual(headers.get("cache-control"), "private, no-cache")
        assert.match(headers.get("cache-status")!, /; hit;.*key="http:shop\.prices:http:\/\/localhost\/prices#[^"]*"$/)
        assert.notMatch(headers.get("cache-status")!, /acme|bob/)
        // No text: nobody may share it.
        assert.strictEqual((yield* as("odd")).status, 500)
        // A change makes it old for all tenants.
        yield* as("ada", "PUT")
        assert.deepStrictEqual([(yield* as("bob")).cache, (yield* as("eve")).cache], ["MISS", "MISS"])
      }).pipe(Effect.scoped)
    )

    it.live("sameFor is checked with the rest of a policy", () =>
      Effect.gen(function*() {
        const sameFor = Effect.map(CurrentUser, ({ tenant }) => tenant)
        const told = (policy: object) =>
          Effect.map(
            Effect.flip(
              HttpCache.check(
                HttpApi.make("api").add(
                  HttpApiGroup.make("g")
                    .add(HttpApiEndpoint.get("e", "/e").pipe(cachedEndpoint({ ttl, ...policy } as CachePolicyOptions)))
                    .middleware(Auth)
                )
              )
            ),
            String
          )
        assert.match(yield* told({ sameFor, sameForAll: true }), /sameFor of g\.e.*none beside `sameForAll`/)
        assert.match(yield* told({ sameFor: "acme" }), /sameFor of g\.e.*an effect that gives a text/)
        assert.match(yield* told({ sameFor, authenticated: ["authorization"] }), /authenticated of g\.e/)
        assert.match(yield* told({ sameFor, shared: true }), /shared of g\.e/)
      })
    )
  })
