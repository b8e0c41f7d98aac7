/**
 * Policies of endpoints that cannot be kept: each is refused in words, by a check of the API and while its routes are built.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
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
import { cachedEndpoint, CachePolicy, type CachePolicyOptions, HttpCache } from "../../src/http/index.ts"
import { CacheMemory } from "../../src/index.ts"

const ttl = "1 minute"
class Auth extends HttpApiMiddleware.Service<Auth>()("Auth", {
  security: { key: HttpApiSecurity.apiKey({ key: "x-api-key" }) },
  error: HttpApiError.Unauthorized
}) {}
/** Looks at a header of its own, and declares no more than that it may refuse. */
class ByHand extends HttpApiMiddleware.Service<ByHand>()("ByHand", {
  error: [HttpApiError.NotFound, HttpApiError.Forbidden]
}) {}
class InUnion extends HttpApiMiddleware.Service<InUnion>()("InUnion", {
  error: Schema.Union([HttpApiError.NotFound, HttpApiError.Unauthorized])
}) {}
class WithHeaders extends HttpApiMiddleware.Service<WithHeaders>()("WithHeaders", {
  error: HttpApiSchema.WithHeaders(Schema.String.pipe(HttpApiSchema.status(401)), { "www-authenticate": Schema.String })
}) {}
class Logger extends HttpApiMiddleware.Service<Logger>()("Logger", { error: HttpApiError.NotFound }) {}

const page = HttpApiEndpoint.get("page", "/:tenant/pages/:id", {
  params: { tenant: Schema.String, id: Schema.FiniteFromString },
  query: { lang: Schema.optional(Schema.String) },
  success: Schema.String
})
const plain = HttpApiEndpoint.get("plain", "/plain", { success: Schema.String })
const refusing = HttpApiEndpoint.get("refusing", "/refusing", { success: Schema.String, error: HttpApiError.Forbidden })
const put = HttpApiEndpoint.put("put", "/:tenant/pages/:id", {
  params: { tenant: Schema.String, id: Schema.FiniteFromString },
  query: { id: Schema.optional(Schema.String), dry: Schema.optional(Schema.String) },
  headers: { "if-match": Schema.optional(Schema.String) },
  success: Schema.String
})

const apiOf = (...endpoints: readonly [HttpApiEndpoint.Constraint, ...ReadonlyArray<HttpApiEndpoint.Constraint>]) =>
  HttpApi.make("api").add(HttpApiGroup.make("pages").add(...endpoints))

/** What the check says; `undefined` where it says nothing. */
const said = (api: HttpApi.Constraint) =>
  Effect.map(Effect.result(HttpCache.check(api)), (result) =>
    result._tag === "Failure" ? result.failure.message : undefined
  )

/** What the routes of a group with one endpoint, `page` or `plain`, die of. */
const built = (api: any, name: string): Effect.Effect<string> => {
  const live = HttpApiBuilder.group(api as HttpApi.Top, "pages", (handlers: any) =>
    handlers.handle(name, () => Effect.succeed(""))
  ) as never as Layer.Layer<never, never, any>
  const middleware = Layer.mergeAll(
    HttpCache.layer.pipe(Layer.provide(CacheMemory.layer())),
    Layer.succeed(Auth, Auth.of({ key: (app) => app })),
    Layer.succeed(
      ByHand,
      ByHand.of((app) => app)
    ),
    Layer.succeed(
      Logger,
      Logger.of((app) => app)
    )
  )
  const routes = HttpApiBuilder.layer(api as HttpApi.Top).pipe(
    Layer.provide(live),
    Layer.provide(middleware),
    Layer.provide(HttpServer.layerServices),
    Layer.provide(HttpRouter.layer)
  ) as Layer.Layer<never>
  return Effect.map(Effect.exit(Effect.scoped(Layer.build(routes))), (exit) =>
    exit._tag === "Failure" ? String(exit.cause) : "built"
  )
}

describe("a policy that is refused", () => {
  const policies: ReadonlyArray<
    readonly [HttpApiEndpoint.Constraint, Partial<CachePolicyOptions>, string | undefined]
  > = [
    [page, {}, undefined],
    [
      page,
      { tags: ["pages", "page:{id}"] },
      'tags of pages.page is "page:{id}", expected tags as they are. Make them of what was asked for by a function: tags: ({ params, query }) => [...]'
    ],
    [
      refusing,
      {},
      "authenticated of pages.refusing is not given, expected the credentials by which its handler answers with 401 or 403"
    ],
    [refusing, { sameForAll: true }, undefined],
    [refusing, { sameForAll: true, shared: true }, "shared of pages.refusing is true"],
    [refusing, { authenticated: ["x-api-key"], shared: true }, "shared of pages.refusing is true"],
    [
      refusing,
      { sameForAll: true, cacheControl: "public, max-age=60" },
      'cacheControl of pages.refusing is "public, max-age=60", expected a text with "private" or "no-store"'
    ],
    [plain, { sameFor: Effect.succeed("all"), cacheControl: "max-age=60" }, "cacheControl of pages.plain"],
    [refusing, { sameForAll: true, cacheControl: "private, max-age=60" }, undefined],
    [refusing, { authenticated: ["x-api-key"], cacheControl: "max-age=60" }, "cacheControl of pages.refusing"],
    [plain, { cacheControl: "public, max-age=60" }, undefined],
    [plain, { stampede: { lockTtl: 0 } }, "stampede.lockTtl of pages.plain is 0"],
    [plain, { onCacheError: "never" } as never, 'onCacheError of pages.plain is "never"'],
    [page, { key: "p:{tenant}:{id}:{lang?}", query: ["lang"] }, "query of pages.page is"],
    [plain, { tags: 5 } as never, "tags of pages.plain is 5"],
    [plain, { vary: "accept" } as never, 'vary of pages.plain is "accept"'],
    [plain, { key: 5 } as never, "key of pages.plain is 5, expected a text"],
    [plain, { skips: Logger } as never, "skips of pages.plain is a function, expected an array of middleware"],
    [plain, { skips: [undefined] } as never, "skips of pages.plain is [undefined]"],
    [refusing, { authenticated: ["x-api-key"] }, undefined],
    [refusing, { vary: ["Authorization"] }, undefined],
    [plain, { sameForAll: "yes" } as never, 'sameForAll of pages.plain is "yes", expected true or false'],
    [
      plain,
      { sameForAll: true, authenticated: ["cookie"] },
      'authenticated of pages.plain is ["cookie"], expected none beside `sameForAll`'
    ],
    [plain, { key: "p:{" }, "InvalidKey"]
  ]
  for (const [endpoint, policy, expected] of policies) {
    it.effect(`${endpoint.identifier} with ${JSON.stringify(policy)}`, () =>
      Effect.gen(function*() {
        const one = (endpoint as HttpApiEndpoint.Top).annotate(CachePolicy, { ttl, ...policy }).middleware(HttpCache)
        const message = yield* said(apiOf(one))
        if (expected === undefined) return assert.isUndefined(message)
        assert.include(message ?? "nothing", expected)
      })
    )
  }

  const orders: ReadonlyArray<
    readonly [
      string,
      (cached: HttpApiEndpoint.Top, bare: HttpApiEndpoint.Top) => HttpApiEndpoint.Constraint,
      string | undefined
    ]
  > = [
    ["security outside", (one) => one.middleware(HttpCache).middleware(Auth), undefined],
    ["security inside", (one) => one.middleware(Auth).middleware(HttpCache), 'HttpCache before "Auth"'],
    [
      "one inside, one outside",
      (one) => one.middleware(ByHand).middleware(HttpCache).middleware(Auth),
      'HttpCache before "ByHand"'
    ],
    [
      "a refusal in a union inside",
      (one) => one.middleware(InUnion).middleware(HttpCache),
      'HttpCache before "InUnion"'
    ],
    [
      "one with headers inside",
      (one) => one.middleware(WithHeaders).middleware(HttpCache),
      'HttpCache before "WithHeaders"'
    ],
    [
      "what may refuse outside",
      (one) => one.middleware(HttpCache).middleware(ByHand),
      'the credentials by which "ByHand" answers with 401 or 403'
    ],
    ["beside security", (one) => one.middleware(HttpCache).middleware(ByHand).middleware(Auth), undefined],
    [
      "other middleware inside",
      (one) => one.middleware(Logger).middleware(HttpCache),
      'HttpCache before "Logger", expected other middleware to run before HttpCache'
    ],
    ["other middleware outside", (one) => one.middleware(HttpCache).middleware(Logger), undefined],
    ["an endpoint made with it", (_, bare) => bare.pipe(cachedEndpoint({ ttl })).middleware(Auth), undefined],
    [
      "one made with it too late",
      (_, bare) => cachedEndpoint(bare.middleware(Auth), { ttl }),
      'HttpCache before "Auth"'
    ],
    ["no middleware at all", (one) => one, "the middleware of pages.plain is without HttpCache"]
  ]
  for (const [what, order, expected] of orders) {
    it.effect(what, () =>
      Effect.gen(function*() {
        const bare = plain as unknown as HttpApiEndpoint.Top
        const message = yield* said(apiOf(order(bare.annotate(CachePolicy, { ttl }), bare)))
        if (expected === undefined) return assert.isUndefined(message)
        assert.include(message ?? "nothing", expected)
      })
    )
  }

  it.effect("that has the key of another endpoint", () =>
    Effect.gen(function*() {
      const { params } = page
      const other = HttpApiEndpoint.get("secret", "/:tenant/secret/:id", { params: params!, success: Schema.String })
      const key = "p:{tenant}:{id}"
      const ignore = ["lang"]
      const expected =
        'key of pages.secret is "p:{tenant}:{id}", as that of pages.page is, expected one for each endpoint with GET'
      const both = apiOf(page.pipe(cachedEndpoint({ ttl, key, ignore })), other.pipe(cachedEndpoint({ ttl, key })))
      assert.include(yield* said(both), expected)
      assert.include(yield* built(both, "page"), expected)
      // Of all endpoints of a group.
      const group = HttpApiGroup.make("pages").add(page, other).annotateEndpoints(CachePolicy, { ttl, key, ignore })
      assert.include(yield* said(HttpApi.make("api").add(group.middleware(HttpCache))), expected)
      // What the placeholders are called makes no key.
      const named = apiOf(
        page.pipe(cachedEndpoint({ ttl, key, ignore })),
        other.pipe(cachedEndpoint({ ttl, key: "p:{id}:{tenant}" }))
      )
      assert.include(yield* said(named), 'key of pages.secret is "p:{id}:{tenant}", as that of pages.page is')
      // In another group.
      const first = HttpApiGroup.make("pages").add(page.pipe(cachedEndpoint({ ttl, key, ignore })))
      const second = HttpApiGroup.make("secrets").add(other.pipe(cachedEndpoint({ ttl, key })))
      assert.include(
        yield* said(HttpApi.make("api").add(first, second)),
        'key of secrets.secret is "p:{tenant}:{id}", as that of pages.page is'
      )
      // A change to it is told by the same key, and a name has the path in its key.
      const changed = apiOf(page.pipe(cachedEndpoint({ ttl, key, ignore })), put.pipe(cachedEndpoint({ ttl, key })))
      assert.isUndefined(yield* said(changed))
      const plainly = apiOf(page.pipe(cachedEndpoint({ ttl, key: "p" })), other.pipe(cachedEndpoint({ ttl, key: "p" })))
      assert.isUndefined(yield* said(plainly))
    })
  )

  it.effect("skips what it names, but nothing that decides", () =>
    Effect.gen(function*() {
      const skipping = plain.annotate(CachePolicy, { ttl, skips: [Logger, Auth] }).middleware(Logger)
      assert.isUndefined(yield* said(apiOf(skipping.middleware(HttpCache))))
      assert.include(yield* said(apiOf(skipping.middleware(Auth).middleware(HttpCache))), 'HttpCache before "Auth"')
    })
  )

  it.effect("by an endpoint that came after the middleware of its group", () =>
    Effect.gen(function*() {
      const late = HttpApiGroup.make("pages")
        .add(page.annotate(CachePolicy, { ttl }))
        .middleware(HttpCache)
        .add(plain.annotate(CachePolicy, { ttl }))
      const expected =
        "the middleware of pages.plain is without HttpCache, expected HttpCache, for it has a CachePolicy"
      assert.include(yield* said(HttpApi.make("api").add(late)), expected)
      assert.include(yield* built(HttpApi.make("api").add(late), "page"), expected)
    })
  )

  it.effect("by a place where nobody sees it", () =>
    Effect.gen(function*() {
      const group = HttpApiGroup.make("pages").add(page).middleware(HttpCache)
      const onGroup = HttpApi.make("api").add(group.annotate(CachePolicy, { ttl }))
      assert.include(yield* said(onGroup), "the place of a CachePolicy is the group pages, expected an endpoint")
      assert.include(yield* built(onGroup, "page"), "the place of a CachePolicy is the group pages")
      assert.include(yield* said(HttpApi.make("api").add(group).annotate(CachePolicy, { ttl })), "is the API api")
      assert.isUndefined(yield* said(HttpApi.make("api").add(group.annotateEndpoints(CachePolicy, { ttl }))))
    })
  )

  it.effect("dies while the routes are built", () =>
    Effect.gen(function*() {
      const wrong = apiOf(plain.pipe(cachedEndpoint({ ttl, key: "p:{id}" })))
      assert.include(yield* built(wrong, "plain"), "has no such parameter")
      assert.include(
        yield* built(apiOf(plain.middleware(Auth).pipe(cachedEndpoint({ ttl }))), "plain"),
        'the order of middleware of pages.plain is HttpCache before "Auth"'
      )
      assert.include(
        yield* built(apiOf(plain.pipe(cachedEndpoint({ ttl: 0 }))), "plain"),
        "ttl of pages.plain is 0, expected a positive duration"
      )
      assert.include(
        yield* built(apiOf(plain.pipe(cachedEndpoint({ ttl, sameFoAll: true } as never))), "plain"),
        "did you mean `sameForAll`"
      )
      assert.strictEqual(yield* built(apiOf(plain.pipe(cachedEndpoint({ ttl })).middleware(Auth)), "plain"), "built")
    })
  )
})
