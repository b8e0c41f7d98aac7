/**
 * An API behind authentication: what each user gets from the cache, what a tenant and what all share, and what is refused.
 *
 *   node --conditions=effect-cache-source examples/http-api.ts
 *
 * Checks itself. With `CACHE_BACKEND` set it uses the cache that the environment describes, else one in memory.
 */
import assert from "node:assert/strict"
import { createServer } from "node:http"
import { NodeHttpClient, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Context, Effect, Layer, Option, Redacted, Schema } from "effect"
import { HttpClient, HttpClientRequest, HttpRouter, HttpServer } from "effect/http"
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiError,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSecurity
} from "effect/http-api"
import { CacheLive, CacheMemory, invalidatePattern, invalidateTags } from "effect-cache"
import { cachedEndpoint, HttpCache } from "effect-cache/http"

// Who asks: a token, which this middleware knows or not.
interface User {
  readonly name: string
  readonly tenant: string
}
class CurrentUser extends Context.Service<CurrentUser, User>()("CurrentUser") {}
class Auth extends HttpApiMiddleware.Service<Auth, { provides: CurrentUser }>()("Auth", {
  security: { token: HttpApiSecurity.bearer },
  error: HttpApiError.Unauthorized
}) {}

const tokens = new Map([
  ["token-a", { name: "alice", tenant: "acme" }],
  ["token-b", { name: "bob", tenant: "acme" }],
  ["token-c", { name: "carol", tenant: "other" }]
])
const AuthLive = Layer.succeed(Auth, {
  token: (handler, { credential }) => {
    const user = tokens.get(Redacted.value(credential))
    return user === undefined
      ? Effect.fail(new HttpApiError.Unauthorized())
      : Effect.provideService(handler, CurrentUser, user)
  }
})

// Per user: the token is in the key, as a hash. `params.id` is the number that the handler gets, so "7" and "7.0" have one tag.
const Order = HttpApiEndpoint.get("order", "/orders/:id", {
  params: { id: Schema.FiniteFromString },
  success: Schema.String
}).pipe(cachedEndpoint({ ttl: "5 minutes", tags: ({ params }) => [`order:${params.id}`] }))

// The same for all of a tenant, whatever their tokens. A 404 that the handler fails with is stored as well.
const Stock = HttpApiEndpoint.get("stock", "/stock/:item", {
  params: { item: Schema.String },
  success: Schema.String,
  error: HttpApiError.NotFound
}).pipe(
  cachedEndpoint({
    ttl: "5 minutes",
    sameFor: Effect.map(CurrentUser, ({ tenant }) => tenant),
    statuses: [200, 404]
  })
)

// The same for everybody who is let in: no token in the key, and still nobody else gets it.
const Prices = HttpApiEndpoint.get("prices", "/prices/:currency", {
  params: { currency: Schema.String },
  success: Schema.String
}).pipe(cachedEndpoint({ key: "prices:{currency}", ttl: "5 minutes", sameForAll: true }))

const Ship = HttpApiEndpoint.post("ship", "/orders/:id/ship", { params: { id: Schema.FiniteFromString } })

// Added last, so it runs first: ahead of the cache.
class Shop extends HttpApiGroup.make("shop").add(Order, Stock, Prices, Ship).middleware(Auth) {}
class Api extends HttpApi.make("api").add(Shop) {}

let loads = 0
const ShopLive = HttpApiBuilder.group(Api, "shop", (handlers) =>
  handlers.handleAll({
    order: ({ params }) => Effect.map(CurrentUser, ({ name }) => `order ${params.id} of ${name}, load ${++loads}`),
    stock: ({ params }) =>
      Effect.flatMap(CurrentUser, ({ tenant }) => {
        loads++
        return params.item === "tea" ? Effect.succeed(`tea of ${tenant}`) : Effect.fail(new HttpApiError.NotFound())
      }),
    prices: ({ params }) => Effect.sync(() => `prices in ${params.currency}, load ${++loads}`),
    ship: ({ params }) => Effect.orDie(invalidateTags([`order:${params.id}`]))
  })
)

const Cache = Layer.unwrap(
  Effect.map(Config.option(Config.String("CACHE_BACKEND")), (backend) =>
    Option.isSome(backend) ? CacheLive : CacheMemory.layer()
  )
)

const Routes = HttpApiBuilder.layer(Api).pipe(
  Layer.provide(ShopLive),
  Layer.provide([AuthLive, HttpCache.layer]),
  HttpRouter.provideRequest(Cache)
)
const Server = HttpRouter.serve(Routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  Layer.provideMerge(Cache)
)

// A mistake: the cache would run first, and whoever asks would get what is stored.
class Wrong extends HttpApi.make("wrong").add(
  HttpApiGroup.make("shop").add(
    HttpApiEndpoint.get("order", "/orders", { success: Schema.String })
      .middleware(Auth)
      .pipe(cachedEndpoint({ ttl: "1 minute" }))
  )
) {}

const program = Effect.gen(function*() {
  const { address } = yield* HttpServer.HttpServer
  assert(address._tag !== "UnixPathAddress")
  const client = (yield* HttpClient.HttpClient).pipe(
    HttpClient.mapRequest(HttpClientRequest.prependUrl(`http://127.0.0.1:${address.port}`))
  )
  const ask = Effect.fnUntraced(function*(method: "GET" | "POST", path: string, token: string) {
    const headers = { authorization: `Bearer ${token}` }
    const response = yield* method === "GET" ? client.get(path, { headers }) : client.post(path, { headers })
    const [cache, text] = [response.headers["x-cache"] ?? "-", yield* response.text]
    yield* Console.log(`${method.padEnd(4)} ${path.padEnd(14)} ${token}  ${response.status} ${cache.padEnd(4)} ${text}`)
    return { status: response.status, cache, text }
  })

  // Entries of an earlier run of this program, when the cache is shared.
  yield* invalidatePattern("http:shop.order:*")
  yield* invalidatePattern("http:shop.stock:*")
  yield* invalidatePattern("prices:*")

  yield* Console.log("each user has an order of his own; without a token that is known there is none")
  assert.equal((yield* ask("GET", "/orders/7", "token-a")).cache, "MISS")
  assert.equal((yield* ask("GET", "/orders/7", "token-b")).text, '"order 7 of bob, load 2"')
  assert.equal((yield* ask("GET", "/orders/7", "token-a")).cache, "HIT")
  assert.equal((yield* ask("GET", "/orders/7", "token-x")).status, 401)

  yield* Console.log("the stock is the same for a tenant, and so is that there is none")
  assert.equal((yield* ask("GET", "/stock/tea", "token-a")).cache, "MISS")
  assert.equal((yield* ask("GET", "/stock/tea", "token-b")).cache, "HIT")
  assert.equal((yield* ask("GET", "/stock/tea", "token-c")).text, '"tea of other"')
  yield* ask("GET", "/stock/ink", "token-a")
  const none = yield* ask("GET", "/stock/ink", "token-b")
  assert.deepEqual([none.status, none.cache], [404, "HIT"])

  yield* Console.log("prices are the same for all")
  assert.equal((yield* ask("GET", "/prices/eur", "token-a")).cache, "MISS")
  assert.equal((yield* ask("GET", "/prices/eur", "token-b")).cache, "HIT")
  assert.equal((yield* ask("GET", "/prices/eur", "token-x")).status, 401)

  yield* Console.log("a handler invalidates by tag what was cached for anybody")
  yield* ask("POST", "/orders/7/ship", "token-a")
  assert.equal((yield* ask("GET", "/orders/7", "token-b")).cache, "MISS")

  yield* Console.log("a token that is revoked opens nothing, not even what was cached with it")
  tokens.delete("token-a")
  assert.equal((yield* ask("GET", "/orders/7", "token-a")).status, 401)

  yield* HttpCache.check(Api)
  const refused = yield* Effect.flip(HttpCache.check(Wrong))
  assert.match(refused.message, /the order of middleware of shop.order is HttpCache before "Auth"/)
  yield* Console.log("refused: HttpCache ahead of Auth")
})

program.pipe(Effect.provide(Layer.merge(Server, NodeHttpClient.layerNodeHttp)), NodeRuntime.runMain)
