/**
 * Cached responses: an `HttpRouter` route and an `HttpApi` endpoint behind `cachedResponse` and `HttpCache`.
 *
 *   node --conditions=effect-cache-source examples/http.ts
 *
 * Starts a server on a free port, asks it as a client would, and checks the answers. With `CACHE_BACKEND` set it uses the
 * cache that the environment describes, else one in memory.
 */
import assert from "node:assert/strict"
import { createServer } from "node:http"
import { NodeHttpClient, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer, Option, Schema } from "effect"
import { HttpClient, HttpClientRequest, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { CacheLive, CacheMemory, getCacheStats, invalidateKey, invalidatePattern, invalidateTags } from "effect-cache"
import { cachedResponse, CachePolicy, HttpCache } from "effect-cache/http"

const runs = { expensive: 0, user: 0, me: 0 }

// A route: the handler runs once in ten minutes for each path and query.
const Expensive = HttpRouter.add(
  "GET",
  "/expensive",
  cachedResponse("expensive", { ttl: "10 minutes", stampede: true })(
    Effect.sync(() => HttpServerResponse.jsonUnsafe({ answer: 42, run: ++runs.expensive })).pipe(
      Effect.delay("50 millis")
    )
  )
)

// What caches behind may keep as well, such as a CDN; cookies make no difference here.
const Press = HttpRouter.add(
  "GET",
  "/press",
  cachedResponse("press", { ttl: "1 minute", shared: true, ignoreCookies: true })(
    Effect.succeed(HttpServerResponse.text("for all"))
  )
)

// What depends on who asks: the token is part of the key, as a hash. Without `authenticated` it would not be cached.
const Me = HttpRouter.add(
  "GET",
  "/me",
  cachedResponse("me", { ttl: "1 minute", authenticated: ["authorization"] })((request) =>
    Effect.sync(() => HttpServerResponse.text(`${request.headers["authorization"]}, run ${++runs.me}`))
  )
)

// An API: each endpoint says how it is cached.
class User extends Schema.Class<User>("User")({ id: Schema.String, run: Schema.Number }) {}
class Users extends HttpApiGroup.make("users")
  .add(
    HttpApiEndpoint.get("byId", "/users/:id", { params: { id: Schema.String }, success: User }).annotate(CachePolicy, {
      key: "page:user:{id}",
      ttl: "5 minutes",
      tags: ["users"]
    })
  )
  .middleware(HttpCache) {}
class Api extends HttpApi.make("api").add(Users) {}

const UsersLive = HttpApiBuilder.group(Api, "users", (handlers) =>
  handlers.handle("byId", ({ params }) => Effect.sync(() => new User({ id: params.id, run: ++runs.user })))
).pipe(Layer.provide(HttpCache.layer))

/** Made once, and used by the routes, the API and the code below. */
const Cache = Layer.unwrap(
  Effect.map(Config.option(Config.String("CACHE_BACKEND")), (backend) =>
    Option.isSome(backend) ? CacheLive : CacheMemory.layer()
  )
)

const Routes = Layer.mergeAll(Expensive, Press, Me).pipe(
  HttpRouter.provideRequest(Cache),
  Layer.merge(HttpApiBuilder.layer(Api).pipe(Layer.provide(UsersLive)))
)

const Server = HttpRouter.serve(Routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  Layer.provideMerge(Cache)
)

const program = Effect.gen(function*() {
  const { address } = yield* HttpServer.HttpServer
  assert(address._tag !== "UnixPathAddress")
  const client = (yield* HttpClient.HttpClient).pipe(
    HttpClient.mapRequest(HttpClientRequest.prependUrl(`http://127.0.0.1:${address.port}`))
  )
  const get = Effect.fnUntraced(function*(path: string, headers: Record<string, string> = {}) {
    const { headers: answered, status, text } = yield* client.get(path, { headers })
    const [age, cache, etag] = [answered["age"], answered["x-cache"] ?? "-", answered["etag"] ?? ""]
    return { status, cache, text: yield* text, etag, age, control: answered["cache-control"] }
  })
  const ask = (path: string, headers?: Record<string, string>) =>
    Effect.tap(get(path, headers), ({ age, cache, status, text }) =>
      Console.log(
        `GET ${path.padEnd(12)} ${status} ${cache.padEnd(6)} ${age === undefined ? "no age" : "an age"}  ${text}`
      )
    )

  // Entries of an earlier run of this program, when the cache is shared.
  yield* invalidatePattern("http:expensive:*")
  yield* invalidatePattern("http:press:*")
  yield* invalidatePattern("http:me:*")
  yield* invalidateTags(["users"])

  yield* Console.log("ten requests at once, one load")
  const burst = yield* Effect.all(
    Array.from({ length: 10 }, () => get("/expensive")),
    { concurrency: "unbounded" }
  )
  // Whether one came while the load was under way or after it, is a matter of time.
  yield* Console.log(`10 answers: ${[...new Set(burst.map(({ text }) => text))].join(", ")}`)
  assert.equal(runs.expensive, 1)
  assert.equal(new Set(burst.map(({ text }) => text)).size, 1)

  yield* Console.log("then from the cache; a client that has it gets no body")
  const hit = yield* ask("/expensive")
  assert.equal(hit.cache, "HIT")
  assert.equal((yield* ask("/expensive", { "if-none-match": hit.etag })).status, 304)
  assert.equal((yield* ask("/expensive", { "cache-control": "no-store" })).cache, "BYPASS")
  assert.equal((yield* ask("/expensive", { "cache-control": "no-cache" })).cache, "MISS")

  yield* Console.log("browsers ask each time; a page for all may be kept by caches behind")
  assert.equal(hit.control, "private, no-cache")
  assert.equal((yield* ask("/press", { cookie: "visitor=1" })).control, "public, max-age=60")
  assert.equal((yield* ask("/press", { cookie: "visitor=2" })).cache, "HIT")

  yield* Console.log("each user has a response of his own; unknown credentials are never cached")
  yield* ask("/me", { authorization: "alice" })
  assert.equal((yield* ask("/me", { authorization: "bob" })).text, "bob, run 2")
  assert.equal((yield* ask("/me", { authorization: "alice" })).text, "alice, run 1")
  assert.equal((yield* ask("/expensive", { cookie: "session=1" })).cache, "BYPASS")

  yield* Console.log("an endpoint of the API, invalidated by key and by tag")
  assert.equal((yield* ask("/users/7")).cache, "MISS")
  assert.equal((yield* ask("/users/7")).cache, "HIT")
  yield* invalidateKey("page:user:7")
  assert.equal((yield* ask("/users/7")).cache, "MISS")
  yield* invalidateTags(["users"])
  assert.equal((yield* ask("/users/7")).text, JSON.stringify({ id: "7", run: 3 }))

  const { regions } = yield* getCacheStats
  for (const { loads, region } of regions) yield* Console.log(`${region}: ${loads} loads`)
})

// Not `fetch`: given an `If-None-Match`, it adds `Cache-Control: no-cache`, which asks for a fresh load.
program.pipe(Effect.provide(Layer.merge(Server, NodeHttpClient.layerNodeHttp)), NodeRuntime.runMain)
