/**
 * `HttpCache` among the middleware of an API, on any cache: whoever asks gets what is his, and nothing ahead of authentication.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiError,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSecurity
} from "effect/http-api"
import { cachedEndpoint, CachePolicy, type CachePolicyOptions, HttpCache } from "../../../src/http/index.ts"
import { type CacheServices, getCacheStats, invalidatePattern, invalidateTags } from "../../../src/index.ts"
import { answerOf } from "../../support/http.ts"

class CurrentUser extends Context.Service<CurrentUser, { readonly name: string }>()("CurrentUser") {}

const credentials = {
  bearer: HttpApiSecurity.bearer,
  basic: HttpApiSecurity.basic,
  header: HttpApiSecurity.apiKey({ key: "X-Api-Key" }),
  cookie: HttpApiSecurity.apiKey({ key: "sid", in: "cookie" }),
  query: HttpApiSecurity.apiKey({ key: "api_key", in: "query" })
}
type Where = keyof typeof credentials

const sent = (where: Where, who: string): readonly [query: string, headers: Record<string, string>] => {
  switch (where) {
    case "bearer":
      return ["", { authorization: `Bearer ${who}` }]
    case "basic":
      return ["", { authorization: `Basic ${btoa(`${who}:secret`)}` }]
    case "header":
      return ["", { "x-api-key": who }]
    case "cookie":
      return ["", { cookie: `sid=${who}` }]
    case "query":
      return [`?api_key=${who}`, {}]
  }
}

const known = ["alice", "bob"]
/** An API whose group has one endpoint behind a way to authenticate, in either order. */
const guarded = (
  where: Where,
  order: "cache inside" | "cache outside",
  policy: CachePolicyOptions,
  answer: (text: string) => string | HttpServerResponse.HttpServerResponse = (text) => text
) => {
  class Auth extends HttpApiMiddleware.Service<Auth, { provides: CurrentUser }>()(`Auth/${where}`, {
    security: { key: credentials[where] as HttpApiSecurity.HttpApiSecurity },
    error: HttpApiError.Unauthorized
  }) {}
  const plain = HttpApiGroup.make("me").add(
    HttpApiEndpoint.get("profile", "/profile", { success: Schema.String }).annotate(CachePolicy, policy)
  )
  const Group =
    order === "cache inside"
      ? plain.middleware(HttpCache).middleware(Auth)
      : plain.middleware(Auth).middleware(HttpCache)
  const Api = HttpApi.make("api").add(Group)
  let runs = 0
  const revoked = new Set<string>()
  const auth = Layer.succeed(
    Auth,
    Auth.of({
      key: (app, { credential }) => {
        const given = credential as HttpApiSecurity.Credentials | Redacted.Redacted
        const name = Redacted.isRedacted(given) ? String(Redacted.value(given)) : given.username
        return known.includes(name) && !revoked.has(name)
          ? Effect.provideService(app, CurrentUser, { name })
          : Effect.fail(new HttpApiError.Unauthorized({}))
      }
    })
  )
  const live = HttpApiBuilder.group(Api, "me", (handlers) =>
    handlers.handle("profile", () => Effect.map(CurrentUser, ({ name }) => answer(`${name} ${++runs}`) as string))
  ).pipe(Layer.provide(auth))
  return { Api, live, revoked }
}

const refusal = (effect: Effect.Effect<unknown, unknown>): Effect.Effect<string> =>
  Effect.map(Effect.exit(effect), (exit) => {
    assert.strictEqual(exit._tag, "Failure")
    return exit._tag === "Failure" ? String(exit.cause) : ""
  })

export const apiSuite = (name: string, cacheLayer: Layer.Layer<CacheServices, any>) =>
  describe(`HttpCache on ${name}`, () => {
    const fresh = Effect.orDie(Layer.build(cacheLayer))

    /** The API with its routes built, in the scope of the test; a policy that is refused is a defect here. */
    const served = Effect.fnUntraced(function*(
      api: any,
      live: Layer.Layer<any, any, any>,
      services: Context.Context<CacheServices>
    ) {
      const routes = HttpApiBuilder.layer(api).pipe(
        Layer.provide(live),
        Layer.provide(HttpCache.layer),
        Layer.provide(Layer.succeedContext(services)),
        Layer.provideMerge(HttpServer.layerServices)
      )
      const web = HttpRouter.toWebHandler(routes as never as Layer.Layer<never, never, HttpRouter.HttpRouter>, {
        disableLogger: true
      })
      yield* Effect.addFinalizer(() => Effect.promise(() => web.dispose()))
      return (path: string, init?: RequestInit) =>
        Effect.promise(async () => answerOf(await web.handler(new Request(`http://localhost${path}`, init))))
    })
    /** What the routes are refused with. */
    const refused = Effect.fnUntraced(function*(api: any, live: Layer.Layer<any, any, any>) {
      const services = yield* fresh
      return yield* refusal(
        Layer.build(
          HttpApiBuilder.layer(api).pipe(
            Layer.provide(live),
            Layer.provide(HttpCache.layer),
            Layer.provide(Layer.succeedContext(services)),
            Layer.provide(HttpServer.layerServices),
            Layer.provide(HttpRouter.layer)
          ) as Layer.Layer<never>
        ).pipe(Effect.scoped)
      )
    })
    for (const where of Object.keys(credentials) as ReadonlyArray<Where>) {
      it.live(`gives nobody what is another's, by ${where}`, () =>
        Effect.gen(function*() {
          const { Api, live, revoked } = guarded(where, "cache inside", { ttl: "5 minutes" })
          const services = yield* fresh
          const ask = yield* served(Api, live, services)
          const asks = Effect.fnUntraced(function*(who: string | undefined) {
            const [query, headers] = who === undefined ? ["", {}] : sent(where, who)
            const { cache, headers: answered, status, text } = yield* ask(`/profile${query}`, { headers })
            if (status === 200) assert.include(answered.get("cache-control")!, "private")
            return [status, cache, text === "" ? text : (JSON.parse(text) as unknown)]
          })
          assert.deepStrictEqual(yield* asks("alice"), [200, "MISS", "alice 1"])
          assert.deepStrictEqual(yield* asks("bob"), [200, "MISS", "bob 2"])
          assert.deepStrictEqual(yield* asks("alice"), [200, "HIT", "alice 1"])
          for (const who of ["mallory", "Alice", ""]) assert.strictEqual((yield* asks(who))[0], 401, who)
          assert.strictEqual((yield* asks(undefined))[0], 401)
          // No key holds a credential.
          for (const pattern of ["*alice*", `*${btoa("alice:secret").slice(0, 12)}*`]) {
            yield* Effect.orDie(Effect.provideContext(invalidatePattern(pattern), services))
          }
          assert.deepStrictEqual(yield* asks("alice"), [200, "HIT", "alice 1"])
          revoked.add("alice")
          assert.strictEqual((yield* asks("alice"))[0], 401)
          assert.deepStrictEqual(yield* asks("bob"), [200, "HIT", "bob 2"])
        }).pipe(Effect.scoped)
      )

      it.live(`does not answer ahead of authentication by ${where}`, () =>
        Effect.gen(function*() {
          for (const policy of [{}, { sameForAll: true }, { skips: [] }]) {
            const { Api, live } = guarded(where, "cache outside", { ttl: "5 minutes", ...policy })
            const problem = yield* refused(Api, live)
            assert.include(problem, `the order of middleware of me.profile is HttpCache before "Auth/${where}"`)
            assert.include(problem, ".middleware(HttpCache).middleware(...)")
            assert.include(yield* refusal(HttpCache.check(Api)), "HttpCache before")
          }
        }).pipe(Effect.scoped)
      )
    }

    it.live("what is the same for all is shared by all who may see it, and by no cache behind", () =>
      Effect.gen(function*() {
        for (const where of ["bearer", "cookie", "header", "query"] as const) {
          const { Api, live, revoked } = guarded(where, "cache inside", {
            ttl: "5 minutes",
            sameForAll: true,
            query: []
          })
          const ask = yield* served(Api, live, yield* fresh)
          const asks = (who: string) => {
            const [query, headers] = sent(where, who)
            return ask(`/profile${query}`, { headers })
          }
          assert.strictEqual((yield* asks("alice")).text, '"alice 1"')
          const hit = yield* asks("bob")
          assert.deepStrictEqual([hit.cache, hit.text], ["HIT", '"alice 1"'])
          assert.include(hit.headers.get("cache-control")!, "private")
          revoked.add("bob")
          assert.deepStrictEqual([(yield* asks("bob")).status, (yield* asks("mallory")).status], [401, 401])
        }
        for (const [policy, expected] of [
          [{}, "query of me.profile is not given"],
          [{ query: ["api_key"] }, 'query of me.profile is with "api_key"'],
          [{ key: "p:{api_key}" }, 'key of me.profile is with "api_key"']
        ] as const) {
          const { Api } = guarded("query", "cache inside", { ttl: "5 minutes", sameForAll: true, ...policy })
          assert.include(yield* refusal(HttpCache.check(Api)), expected)
        }
      }).pipe(Effect.scoped)
    )

    it.live("what is the same for all goes out to caches behind as what it is: for those who may see it", () =>
      Effect.gen(function*() {
        const policy = { ttl: "5 minutes", query: [], ignoreCookies: true } as const
        const says = (text: string) =>
          HttpServerResponse.text(text, { headers: { "cache-control": "public, max-age=60" } })
        const credentials = { bearer: "", basic: "", header: ", x-api-key", cookie: ", cookie", query: "" }
        for (const where of Object.keys(credentials) as ReadonlyArray<Where>) {
          for (const who of [{ sameForAll: true }, { sameFor: Effect.succeed("all") }]) {
            // What the policy says is for none of them.
            const cacheControl = () => "public, max-age=60"
            const one = guarded(where, "cache inside", { ...policy, ...who, cacheControl })
            // What a handler says is, by the credentials that the endpoint declares.
            const two = guarded(where, "cache inside", { ...policy, ...who }, says)
            const services = yield* fresh
            const [query, headers] = sent(where, "alice")
            const path = `/profile${query}`
            const ask = yield* served(one.Api, one.live, services)
            const asks = yield* served(two.Api, two.live, yield* fresh)
            for (const cache of ["MISS", "HIT"]) {
              const first = yield* ask(path, { headers })
              assert.deepStrictEqual([first.cache, first.headers.get("cache-control")], [cache, "private, no-cache"])
              const second = yield* asks(path, { headers })
              assert.deepStrictEqual(
                [second.cache, second.headers.get("cache-control"), second.headers.get("vary")],
                [cache, "public, max-age=60", `authorization${credentials[where]}`],
                where
              )
            }
          }
          const { Api } = guarded(where, "cache inside", { ...policy, sameForAll: true, cacheControl: "public" })
          assert.include(yield* refusal(HttpCache.check(Api)), 'cacheControl of me.profile is "public"')
        }
      }).pipe(Effect.scoped)
    )

    it.live("functions of a policy get path and query decoded", () =>
      Effect.gen(function*() {
        const seen: Array<unknown> = []
        const Page = HttpApiEndpoint.get("page", "/users/:id/pages", {
          params: { id: Schema.FiniteFromString },
          query: {
            at: Schema.optional(Schema.Array(Schema.FiniteFromString)),
            "lang-of": Schema.optional(Schema.String)
          },
          success: Schema.Number
        }).pipe(
          cachedEndpoint({
            ttl: ({ params, query, response }) => {
              seen.push([params, query, response.status])
              return "1 minute"
            },
            storeIf: ({ params }) => params.id !== 9,
            tags: ({ params, query }) => [`user:${params.id + 0}`, ...(query.at ?? []).map((at) => `at:${at * 2}`)]
          })
        )
        const Api = HttpApi.make("api").add(HttpApiGroup.make("users").add(Page))
        let runs = 0
        const live = HttpApiBuilder.group(Api, "users", (handlers) =>
          handlers.handle("page", () => Effect.sync(() => ++runs))
        )
        const services = yield* fresh
        const ask = yield* served(Api, live, services)
        for (const path of ["/users/7/pages?at=2", "/users/7.0/pages?at=2&at=3", "/users/8/pages"]) {
          assert.strictEqual((yield* ask(path)).cache, "MISS")
          assert.strictEqual((yield* ask(path)).cache, "HIT")
        }
        assert.deepStrictEqual(seen, [
          [{ id: 7 }, { at: [2] }, 200],
          [{ id: 7 }, { at: [2, 3] }, 200],
          [{ id: 8 }, {}, 200]
        ])
        yield* Effect.orDie(Effect.provideContext(invalidateTags(["user:7"]), services))
        const after = []
        for (const path of ["/users/7/pages?at=2", "/users/7.0/pages?at=2&at=3", "/users/8/pages"]) {
          after.push((yield* ask(path)).cache)
        }
        assert.deepStrictEqual(after, ["MISS", "MISS", "HIT"])
        assert.strictEqual((yield* ask("/users/x/pages")).status, 400)
        assert.deepStrictEqual(
          [(yield* ask("/users/9/pages")).cache, (yield* ask("/users/9/pages")).cache],
          ["BYPASS", "BYPASS"]
        )
        const { regions } = yield* Effect.orDie(Effect.provideContext(getCacheStats, services))
        assert.deepStrictEqual(
          regions.map(({ region }) => region),
          ["http:users.page"]
        )
      }).pipe(Effect.scoped)
    )
  })
