/**
 * The service of `examples/service` as its page says that it behaves: without Redis, in its metrics and traces, and when it is told
 * to end.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, layer } from "@effect/vitest"
import { ConfigProvider, Context, Deferred, Effect, Exit, Fiber, Layer, Logger, Schedule, Scope } from "effect"
import { CacheLive, CacheMemory, type CacheServices } from "effect-cache"
import { HttpClient } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { Api } from "../../examples/service/api.ts"
import { Database } from "../../examples/service/database.ts"
import { Product, ProductId, ProductInput } from "../../examples/service/model.ts"
import { Products } from "../../examples/service/products.ts"
import { Server } from "../../examples/service/server.ts"
import { Telemetry } from "../../examples/service/telemetry.ts"
import { RedisServer } from "../support/redisServer.ts"

const environment = (variables: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromUnknown(variables))

/** The server on a free port, and its client. */
const On = <E>(products: Layer.Layer<Products, E>) =>
  Server.pipe(Layer.provideMerge(NodeHttpServer.layerTest), Layer.provide(products), Layer.provide(Logger.layer([])))

const start = <E>(cache: Layer.Layer<CacheServices, E>) =>
  Effect.gen(function*() {
    const database = yield* Effect.context<Layer.Success<typeof Database>>()
    const products = Products.layer.pipe(Layer.provide([cache, Layer.succeedContext(database)]))
    const services = yield* Layer.build(On(products).pipe(Layer.provide(Layer.succeedContext(database))))
    const http = Context.get(services, HttpClient.HttpClient)
    const client = yield* Effect.provide(HttpApiClient.make(Api), services)
    const text = (path: string) => Effect.flatMap(http.get(path), ({ text }) => text)
    return { client, text }
  })

/** As OTLP has it. */
interface Span {
  readonly name: string
  readonly kind: number
  readonly spanId: string
  readonly parentSpanId?: string
}
const serverKind = 2

const tea = new ProductInput({ name: "tea", price: 450, stock: 3 })

layer(Database, { excludeTestServices: true })("the service", (it) => {
  it.effect(
    "answers as ever while Redis is killed, says that it is well, and goes on with Redis when that is back",
    () =>
      Effect.gen(function*() {
        const redis = yield* RedisServer.scoped()
        const { client, text } = yield* start(
          CacheLive.pipe(
            Layer.provide(environment({ REDIS_URL: redis.url, CACHE_NAMESPACE: "shop", CACHE_TIMEOUT: "500 millis" }))
          )
        )
        const { products } = client
        const { id } = yield* products.create({ payload: tea })
        const params = { id }
        const inRedis = Effect.map(redis.raw("KEYS", `shop:*product:${id}*`), (keys) => keys.includes(`product:${id}`))
        yield* products.find({ params })
        assert.isTrue(yield* inRedis)

        yield* redis.stop
        assert.strictEqual((yield* products.find({ params })).price, 450)
        yield* products.update({ params, payload: new ProductInput({ ...tea, price: 500 }) })
        assert.strictEqual((yield* products.find({ params })).price, 500)
        yield* client.health()
        assert.include(yield* text("/metrics"), "effect_cache_errors_total")

        yield* redis.start
        yield* Effect.andThen(products.find({ params }), inRedis).pipe(
          Effect.repeat({ until: (there) => there, schedule: Schedule.spaced("50 millis") })
        )
        assert.strictEqual((yield* products.find({ params })).price, 500)
      }),
    { timeout: 60_000 }
  )

  it.effect("shows in /metrics what the cache did, by region", () =>
    Effect.gen(function*() {
      const { client, text } = yield* start(CacheMemory.layer())
      const count = (metrics: string, name: string, ...labels: ReadonlyArray<string>) =>
        metrics
          .split("\n")
          .filter((line) => line.startsWith(name) && labels.every((label) => line.includes(label)))
          .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0)
      const hits = (metrics: string) =>
        count(metrics, "effect_cache_requests_total{", 'region="product:{id}"', 'outcome="hit"', 'layer="memory"')
      const { id } = yield* client.products.create({ payload: tea })
      yield* client.products.find({ params: { id } })
      const before = hits(yield* text("/metrics"))
      yield* client.products.find({ params: { id } })
      yield* client.products.find({ params: { id } })
      const after = yield* text("/metrics")
      assert.strictEqual(hits(after), before + 2)
      assert.isAbove(count(after, "effect_cache_load_count", 'region="product:{id}"'), 0)
      assert.isAbove(count(after, "effect_cache_invalidations_total"), 0)
    })
  )

  it.effect("tells a collector of a request, of the load in it and of the query in that, as one trace", () =>
    Effect.gen(function*() {
      const sent: Array<Span> = []
      const collector = createServer((request, response) => {
        let body = ""
        request.on("data", (data) => (body += data))
        request.on("end", () => {
          for (const { scopeSpans } of JSON.parse(body).resourceSpans)
            for (const { spans } of scopeSpans) sent.push(...spans)
          response.end("{}")
        })
      }).listen(0, "127.0.0.1")
      yield* Effect.promise(() => once(collector, "listening"))
      yield* Effect.addFinalizer(() => Effect.sync(() => collector.close()))
      const { port } = collector.address() as AddressInfo
      const variables = environment({
        OTEL_TRACES_EXPORTER: "otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`
      })
      yield* Effect.gen(function*() {
        const { client } = yield* start(CacheMemory.layer())
        const { id } = yield* client.products.create({ payload: tea })
        yield* client.products.find({ params: { id } })
      }).pipe(Effect.scoped, Effect.provide(Telemetry.pipe(Layer.provide(variables))))
      const query = sent.find(({ name, parentSpanId }) => name === "postgresql" && loadOf(parentSpanId) !== undefined)
      assert.isDefined(query)
      const request = sent.find(({ spanId }) => spanId === loadOf(query!.parentSpanId)!.parentSpanId)
      assert.deepStrictEqual([request?.name, request?.kind], ["GET", serverKind])
      function loadOf(id: string | undefined) {
        return sent.find(({ name, spanId }) => name === "cache.load" && spanId === id)
      }
    })
  )

  it.effect("answers what is under way before it ends, and takes nothing new", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      const product = new Product({ id: ProductId.make(1), ...tea })
      const slow = Layer.mock(Products, {
        find: () => Deferred.succeed(begun, undefined).pipe(Effect.andThen(Deferred.await(gate)), Effect.as(product))
      })
      const scope = yield* Scope.make()
      const database = yield* Effect.context<Layer.Success<typeof Database>>()
      const services = yield* Layer.buildWithScope(On(slow).pipe(Layer.provide(Layer.succeedContext(database))), scope)
      const http = Context.get(services, HttpClient.HttpClient)
      const answer = yield* Effect.forkChild(http.get("/products/1"))
      yield* Deferred.await(begun)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* Effect.exit(http.get("/health")).pipe(
        Effect.repeat({ until: Exit.isFailure, schedule: Schedule.spaced("10 millis") })
      )
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* Fiber.join(answer)).status, 200)
      yield* Fiber.join(closing)
    })
  )

  it.effect(
    "is one program, which ends by itself when it is told to",
    () =>
      Effect.promise(async () => {
        const probe = createServer().listen(0)
        const { port } = probe.address() as AddressInfo
        await new Promise((resolve) => probe.close(resolve))
        const child = spawn(process.execPath, ["--conditions=effect-cache-source", "examples/service/main.ts"], {
          cwd: fileURLToPath(new URL("../../", import.meta.url)),
          env: { PATH: process.env["PATH"], CACHE_BACKEND: "memory", PORT: `${port}` },
          stdio: ["ignore", "pipe", "inherit"]
        })
        let output = ""
        const url = `http://127.0.0.1:${port}`
        await new Promise<void>((resolve, reject) => {
          child.stdout.on("data", (data) => {
            output += data
            if (output.includes("Listening on")) resolve()
          })
          child.once("exit", () => reject(new Error(output)))
        })
        const made = await fetch(`${url}/products`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(tea)
        })
        const { id } = (await made.json()) as { readonly id: number }
        assert.deepStrictEqual(await (await fetch(`${url}/products/${id}`)).json(), { id, ...tea })
        assert.strictEqual((await fetch(`${url}/products/999`)).status, 404)
        assert.strictEqual((await fetch(`${url}/health`)).status, 204)
        const ended = once(child, "exit")
        child.kill("SIGTERM")
        // What a shell says of a program that was interrupted, and not that a signal has ended it.
        assert.deepStrictEqual(await ended, [130, null])
      }),
    { timeout: 60_000 }
  )
})
