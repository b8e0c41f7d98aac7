/**
 * A caching reverse proxy before an origin that knows nothing of it; the proxy is `reverse-proxy/proxy.ts`.
 *
 *   node --conditions=effect-cache-source examples/reverse-proxy.ts
 *
 * Starts both on free ports, asks the proxy as clients would, and checks the answers. With `CACHE_BACKEND` set it uses the cache that
 * the environment describes, else one in memory.
 */
import assert from "node:assert/strict"
import { createServer } from "node:http"
import { NodeHttpClient, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Context, Effect, Layer, Option, Stream } from "effect"
import { HttpClient, HttpClientRequest, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { CacheLive, CacheMemory, invalidatePattern } from "effect-cache"
import { reverseProxy } from "./reverse-proxy/proxy.ts"

let runs = 0
const block = new Uint8Array(64 * 1024)

const Origin = Layer.mergeAll(
  HttpRouter.add(
    "GET",
    "/page",
    Effect.sync(() => HttpServerResponse.text(`run ${++runs}`, { headers: { "cache-control": "max-age=60" } }))
  ),
  HttpRouter.add(
    "GET",
    "/silent",
    Effect.sync(() => HttpServerResponse.text(`run ${++runs}`))
  ),
  HttpRouter.add("POST", "/echo", (request) =>
    Effect.succeed(HttpServerResponse.stream(request.stream, { headers: { connection: "x-hop", "x-hop": "1" } }))
  ),
  HttpRouter.add(
    "GET",
    "/large",
    Effect.sync(() => {
      runs++
      return HttpServerResponse.stream(Stream.fromIterable(Array.from({ length: 32 }, () => block)), {
        headers: { "cache-control": "max-age=60" }
      })
    })
  )
)

const Cache = Layer.unwrap(
  Effect.map(Config.option(Config.String("CACHE_BACKEND")), (backend) =>
    Option.isSome(backend) ? CacheLive : CacheMemory.layer()
  )
)

/** Serves the routes on a free port until the scope closes. */
const listen = Effect.fnUntraced(function*(routes: Layer.Layer<never, never, HttpRouter.HttpRouter>) {
  const Server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
  )
  const { address } = Context.get(yield* Layer.build(Layer.fresh(Server)), HttpServer.HttpServer)
  assert(address._tag !== "UnixPathAddress")
  return `http://127.0.0.1:${address.port}`
})

/** One request, and what came of it. */
const fetchAs = Effect.fnUntraced(function*(method: "GET" | "POST", url: string, body?: string) {
  const client = yield* HttpClient.HttpClient
  const request = HttpClientRequest.make(method)(url)
  const response = yield* client.execute(body === undefined ? request : HttpClientRequest.bodyText(request, body))
  const bytes = Buffer.from(yield* response.arrayBuffer)
  const cache = response.headers["x-cache"] ?? "-"
  return { status: response.status, headers: response.headers, cache, bytes: bytes.length, text: bytes.toString() }
})

const program = Effect.gen(function*() {
  const services = Layer.succeedContext(yield* Layer.build(Layer.merge(Cache, NodeHttpClient.layerUndici)))
  const origin = yield* listen(Origin)
  const proxy = yield* listen(
    reverseProxy({ origin, maxBodyBytes: 1_048_576 }).pipe(HttpRouter.provideRequest(services))
  )

  const ask = Effect.fnUntraced(function*(method: "GET" | "POST", path: string, body?: string) {
    const response = yield* fetchAs(method, `${proxy}${path}`, body)
    const shown = response.bytes > 100 ? `${response.bytes} bytes` : response.text
    yield* Console.log(`${method} ${path.padEnd(8)} ${response.status} ${response.cache.padEnd(6)} ${shown}`)
    return response
  })

  // Entries of an earlier run of this program, when the cache is shared.
  yield* Effect.provide(invalidatePattern("http:proxy:*"), services)

  yield* Console.log("what the origin gives a lifetime is kept for as long")
  assert.equal((yield* ask("GET", "/page")).cache, "MISS")
  assert.equal((yield* ask("GET", "/page")).text, "run 1")

  yield* Console.log("what it says nothing of is not")
  yield* ask("GET", "/silent")
  assert.equal((yield* ask("GET", "/silent")).text, "run 3")

  yield* Console.log("other methods pass, and headers of one connection stay on it")
  const echo = yield* ask("POST", "/echo", "a body")
  assert.deepEqual([echo.text, echo.headers["x-hop"]], ["a body", undefined])

  yield* Console.log("what is large passes as it comes")
  yield* ask("GET", "/large")
  assert.deepEqual([(yield* ask("GET", "/large")).bytes, runs], [32 * block.length, 5])
}).pipe(Effect.scoped)

program.pipe(Effect.provide(NodeHttpClient.layerUndici), NodeRuntime.runMain)
