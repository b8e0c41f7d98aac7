/**
 * `cachedResponse` among routes and endpoints, on any cache.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse as Response } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import {
  type CacheServices,
  getCacheStats,
  invalidateKey,
  invalidatePattern,
  invalidateTags
} from "../../../src/index.ts"
import { CachePolicy, cachedResponse, HttpCache } from "../../../src/http/index.ts"
import { answerOf, countingHandler as counted, serve } from "../../support/http.ts"

const ttl = "10 minutes"

export const routingSuite = (name: string, cacheLayer: Layer.Layer<CacheServices, any>) =>
  describe(`cachedResponse on ${name}`, () => {
    /** A cache of its own for each test, in the scope of the test. */
    const fresh = Effect.orDie(Layer.build(cacheLayer))

    it.live("routes under different prefixes do not share, nor do hostile URLs", () =>
      Effect.gen(function*() {
        const body = counted((n, { originalUrl }) => Response.text(`${n} ${originalUrl}`))
        const route = HttpRouter.route("GET", "/*", cachedResponse("p", { ttl, vary: ["x-v"] })(body.handler))
        const ask = yield* serve(
          Layer.mergeAll(HttpRouter.addAll([route], { prefix: "/v1" }), HttpRouter.addAll([route], { prefix: "/v2" })),
          yield* fresh
        )
        const urls = [
          "/v1/a",
          "/v2/a",
          "/v1/a/",
          "/v1/a?",
          "/v1/a?b",
          "/v1/a?b=",
          "/v1/a?b=1",
          "/v1/a?b=1&b=2",
          "/v1/a?b=2&b=1",
          "/v1/a%3Fb=1",
          "/v1/a?b=1%26c=2",
          "/v1/a?b=1&c=2",
          "/v1/a%2Fb",
          "/v1/a/b",
          "/v1/%61",
          "/v1/a?%ff=1&%25ff=2",
          "/v1/a?%25ff=2&%ff=1",
          "/v1/a?b=+",
          "/v1/a?b=%20",
          "/v1/a?b=*",
          "/v1/a?b={x}",
          `/v1/${"x".repeat(2000)}`,
          `/v1/${"x".repeat(2001)}`,
          "/v1/a?x-v=1",
          "/v1/a%23x-v=1",
          "/v1/a?__proto__=1",
          "/v1/a?b=%00",
          "/v1/a?b=%0d%0aset-cookie:x"
        ]
        const texts = new Set<string>()
        for (const url of urls) texts.add((yield* ask(url)).text)
        // Only `/v1/a` and `/v1/a?` are one.
        assert.strictEqual(texts.size, urls.length - 1)
        for (const url of urls) assert.strictEqual((yield* ask(url)).cache, "HIT", url)
        const huge = { headers: { "x-v": "y".repeat(8000) } }
        assert.deepStrictEqual([(yield* ask("/v1/a", huge)).cache, (yield* ask("/v1/a", huge)).cache], ["MISS", "HIT"])
      }).pipe(Effect.scoped)
    )

    it.live("HttpApi: endpoints with a policy", () =>
      Effect.gen(function*() {
        class Guarded extends HttpApiGroup.make("users")
          .add(
            HttpApiEndpoint.get("byId", "/users/:id", {
              params: { id: Schema.FiniteFromString },
              success: Schema.Struct({ id: Schema.Number, n: Schema.Number })
            }).annotate(CachePolicy, { key: "user-page:{id}", ttl, tags: ["users"] }),
            HttpApiEndpoint.get("list", "/users", {
              query: { q: Schema.optional(Schema.String) },
              success: Schema.Number
            }).annotate(CachePolicy, { ttl }),
            HttpApiEndpoint.get("now", "/now", { success: Schema.Number })
          )
          .middleware(HttpCache) {}
        class Api extends HttpApi.make("api").add(Guarded) {}
        let n = 0
        const services = yield* fresh
        const live = HttpApiBuilder.group(Api, "users", (h) =>
          h.handleAll({
            byId: ({ params }) => Effect.sync(() => ({ id: params.id, n: ++n })),
            list: () => Effect.sync(() => ++n),
            now: () => Effect.sync(() => ++n)
          })
        ).pipe(Layer.provide(HttpCache.layer), Layer.provide(Layer.succeedContext(services)))
        const web = HttpRouter.toWebHandler(
          HttpApiBuilder.layer(Api).pipe(Layer.provide(live), Layer.provide(HttpServer.layerServices)),
          { disableLogger: true }
        )
        const ask = (path: string) =>
          Effect.promise(async () => answerOf(await web.handler(new Request(`http://localhost${path}`))))
        const run = <A, E>(effect: Effect.Effect<A, E, CacheServices>) =>
          Effect.orDie(Effect.provideContext(effect, services))
        assert.strictEqual((yield* ask("/users/7")).cache, "MISS")
        const hit = yield* ask("/users/7")
        assert.deepStrictEqual([hit.cache, hit.text], ["HIT", '{"id":7,"n":1}'])
        yield* run(invalidateKey("user-page:7"))
        assert.strictEqual((yield* ask("/users/7")).cache, "MISS")
        yield* run(invalidateTags(["users"]))
        assert.strictEqual((yield* ask("/users/7")).cache, "MISS")
        assert.strictEqual((yield* ask("/users?q=1")).cache, "MISS")
        assert.strictEqual((yield* ask("/users?q=1")).cache, "HIT")
        yield* run(invalidatePattern("http:users.list:*"))
        assert.strictEqual((yield* ask("/users?q=1")).cache, "MISS")
        assert.strictEqual((yield* ask("/now")).cache, null)
        // A bad parameter is an answer of the API, not of the cache.
        assert.deepStrictEqual([(yield* ask("/users/x")).status, (yield* ask("/users/x")).status], [400, 400])
        const stats = yield* run(getCacheStats)
        assert.includeMembers(
          stats.regions.map(({ region }) => region),
          ["user-page:{id}", "http:users.list"]
        )
        yield* Effect.promise(() => web.dispose())
      }).pipe(Effect.scoped)
    )
  })
