/**
 * Requests that share a load, over real connections: the first client hangs up, and what its request opened is closed.
 */
import { createServer, get as request } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse as Response } from "effect/http"
import { cachedResponse } from "../../src/http/index.ts"
import { cacheAside, CacheMemory, type CacheServices } from "../../src/index.ts"
import { CacheTest } from "../../src/testing/index.ts"
import { connect, Connection, makeQuery } from "../support/connections.ts"

/** A client on a connection of its own, that may hang up. */
const client = (port: number, name: string, headers: Record<string, string>) => {
  const answer = Deferred.makeUnsafe<string>()
  const asked = request(
    { port, host: "127.0.0.1", headers: { ...headers, "x-name": name }, agent: false },
    (response) => {
      let text = ""
      response.on("data", (chunk) => (text += chunk)).on("end", () => Deferred.doneUnsafe(answer, Effect.succeed(text)))
    }
  ).on("error", (error) => Deferred.doneUnsafe(answer, Effect.die(error)))
  return { answer: Deferred.await(answer), hangUp: Effect.sync(() => asked.destroy()) }
}

/** A route of which each request opens a connection in its scope. `come`: when so many have done so. */
const served = Effect.fnUntraced(function* <E>(
  handler: Effect.Effect<
    Response.HttpServerResponse,
    E,
    Connection | CacheServices | HttpServerRequest.HttpServerRequest
  >,
  cache: Layer.Layer<CacheServices, unknown>,
  ...awaited: ReadonlyArray<number>
) {
  const come = new Map(awaited.map((count) => [count, Deferred.makeUnsafe<void>()]))
  let count = 0
  const route = HttpRouter.add(
    "GET",
    "/",
    Effect.gen(function*() {
      const { headers } = yield* HttpServerRequest.HttpServerRequest
      const connection = yield* connect(headers["x-name"]!)
      // Told while the last of them is on its way to the handler, which it reaches in this turn.
      const signal = come.get(++count)
      if (signal !== undefined) Deferred.doneUnsafe(signal, Effect.void)
      return yield* Effect.provideService(handler, Connection, connection)
    })
  )
  const services = yield* Layer.build(cache)
  const server = yield* Layer.build(
    HttpRouter.serve(route.pipe(HttpRouter.provideRequest(Layer.succeedContext(services))) as Layer.Layer<never>, {
      disableLogger: true,
      disableListenLog: true
    }).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })))
  )
  const { address } = Context.get(server, HttpServer.HttpServer)
  return {
    port: address._tag === "UnixPathAddress" ? 0 : address.port,
    come: (count: number) => Effect.andThen(Deferred.await(come.get(count)!), Effect.yieldNow)
  }
})

const caches = [
  ["memory", CacheMemory.layer()],
  ["copies", CacheMemory.layer({ isolation: "clone" })],
  ["bytes", CacheTest.layer]
] as const

const handlers = {
  cachedResponse: (text: Effect.Effect<string, never, Connection>) =>
    cachedResponse("lent", { ttl: "1 minute" })(Effect.map(text, (text) => Response.text(text))),
  "a cached function": (text: Effect.Effect<string, never, Connection>) =>
    Effect.map(cacheAside({ key: "lent", schema: Schema.String, ttl: "1 minute" })(text), (text) => Response.text(text))
}

const reload = { "cache-control": "no-cache" }

for (const [cache, layer] of caches) {
  describe(`lenders over HTTP, ${cache}`, () => {
    for (const [name, wrap] of Object.entries(handlers)) {
      it.live(`${name}: the first of 1,000 hangs up: 999 answers, none from what its request closed`, () =>
        Effect.scoped(
          Effect.gen(function*() {
            const { begun, open, query, state } = makeQuery({ quiet: true })
            const { come, port } = yield* served(wrap(query), layer, 1000)
            const first = client(port, "first", {})
            yield* begun(1)
            const others = Array.from({ length: 999 }, (_, i) => client(port, `${i}`, {}))
            yield* come(1000)
            yield* first.hangUp
            yield* begun(2)
            yield* open(1)
            yield* open(2)
            const answers = yield* Effect.forEach(others, ({ answer }) => answer)
            assert.strictEqual(answers.length, 999)
            assert.notInclude(answers[0], "first")
            assert.notInclude(answers[0], "closed")
            assert.strictEqual(new Set(answers).size, 1)
            assert.strictEqual(state.runs, 2)
            // It is stored.
            assert.strictEqual(yield* client(port, "late", {}).answer, answers[0])
          })
        )
      )
    }

    it.live("reloads that clients ask for", () =>
      Effect.scoped(
        Effect.gen(function*() {
          const { begun, open, query, state } = makeQuery({ quiet: true })
          const { come, port } = yield* served(handlers.cachedResponse(query), layer, 2, 22)
          // The first has the line to itself; those who come meanwhile share the next.
          const alone = client(port, "alone", reload)
          yield* begun(1)
          const first = client(port, "first", reload)
          yield* come(2)
          const others = Array.from({ length: 20 }, (_, i) => client(port, `${i}`, reload))
          yield* come(22)
          yield* open(1)
          assert.strictEqual(yield* alone.answer, "alone")
          yield* begun(2)
          yield* first.hangUp
          yield* begun(3)
          yield* open(2)
          yield* open(3)
          const answers = yield* Effect.forEach(others, ({ answer }) => answer)
          assert.notInclude(answers[0], "first")
          assert.strictEqual(new Set(answers).size, 1)
          assert.strictEqual(state.runs, 3)
          assert.strictEqual(yield* client(port, "late", {}).answer, answers[0])
        })
      )
    )
  })
}
