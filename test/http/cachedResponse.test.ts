/**
 * What needs a clock in hand or a cache that fails.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Fiber, Layer, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse as Response } from "effect/http"
import { TestClock } from "effect/testing"
import { cachedResponse } from "../../src/http/index.ts"
import { CacheBackend, CacheClient, CacheError, CacheMemory, Unavailable } from "../../src/index.ts"
import { makeClient } from "../../src/engine/client.ts"
import { TagIndex } from "../../src/services/TagIndex.ts"
import { all, counted, gated, serve } from "../support/http.ts"
import { listen } from "../support/fronts.ts"
import { exchange } from "../support/rawHttp.ts"

/** A handler that counts its runs, under the clock of the test. */
const timed = (
  options: Parameters<typeof cachedResponse>[1] | any,
  make: (n: number) => Response.HttpServerResponse = (n) => Response.text(`${n}`)
) =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    let runs = 0
    const services = yield* Layer.build(CacheMemory.layer())
    const handler = cachedResponse("timed", options)(Effect.sync(() => make(++runs)))
    return yield* serve(HttpRouter.add("GET", "/", Effect.provideService(handler, Clock.Clock, clock)), services)
  })

describe("lifetimes", () => {
  it.effect("age counts up to the TTL", () =>
    Effect.gen(function*() {
      const ask = yield* timed({ ttl: "1 minute" })
      const seen: Array<unknown> = []
      for (const seconds of [0, 10, 49, 1]) {
        yield* TestClock.adjust(seconds * 1000)
        const { cache, headers, text } = yield* ask("/")
        seen.push([cache, text, headers.get("age"), headers.get("cache-control")])
      }
      assert.deepStrictEqual(seen, [
        ["MISS", "1", "0", "private, no-cache"],
        ["HIT", "1", "10", "private, no-cache"],
        ["HIT", "1", "59", "private, no-cache"],
        ["MISS", "2", "0", "private, no-cache"]
      ])
    })
  )

  it.effect("a shorter lifetime of the response counts, a longer one does not", () =>
    Effect.gen(function*() {
      for (const [headers, seconds] of [
        [{ "cache-control": "max-age=20" }, 20],
        [{ "cache-control": "max-age=20, s-maxage=30" }, 30],
        [{ "cache-control": "max-age=20", age: "5" }, 15],
        [{ "cache-control": "max-age=1000" }, 60],
        [{ expires: new Date(25_000 + (yield* Clock.currentTimeMillis)).toUTCString() }, 25]
      ] as ReadonlyArray<readonly [Record<string, string>, number]>) {
        const ask = yield* timed({ ttl: "1 minute" }, (n) => Response.text(`${n}`, { headers }))
        yield* ask("/")
        yield* TestClock.adjust(seconds * 1000 - 1)
        assert.strictEqual((yield* ask("/")).cache, "HIT", JSON.stringify(headers))
        yield* TestClock.adjust(1)
        assert.notStrictEqual((yield* ask("/")).cache, "HIT", JSON.stringify(headers))
        yield* TestClock.setTime(0)
      }
    })
  )

  it.effect("a request may ask for a younger response", () =>
    Effect.gen(function*() {
      const ask = yield* timed({ ttl: "1 minute" })
      yield* ask("/")
      yield* TestClock.adjust("20 seconds")
      const young = (seconds: number) => ask("/", { headers: { "cache-control": `max-age=${seconds}` } })
      assert.strictEqual((yield* young(20)).cache, "HIT")
      const renewed = yield* young(19)
      assert.deepStrictEqual([renewed.cache, renewed.text], ["MISS", "2"])
      assert.strictEqual((yield* young(19)).cache, "HIT")
    })
  )

  it.live("those who ask for a younger response share the loads that make it", () =>
    Effect.gen(function*() {
      const { begun, end, handler, state } = gated(3)
      const aged = Effect.map(handler, (response) => Response.setHeader(response, "age", "10"))
      const { arrives, come } = counted(cachedResponse("young", { ttl: "1 minute" })(aged), 21)
      const services = yield* Layer.build(CacheMemory.layer())
      const ask = yield* serve(HttpRouter.add("GET", "/", arrives), services)
      yield* end(1)
      yield* ask("/")
      const young = ask("/", { headers: { "cache-control": "max-age=5" } })
      const answers = yield* Effect.forkChild(all(Array.from({ length: 20 }, () => young)))
      yield* Effect.andThen(come, begun(2))
      yield* end(2)
      yield* end(3)
      // One that began before a request came is not for it, however young: an invalidation may have come in between.
      const seen = new Set((yield* Fiber.join(answers)).map(({ cache, text }) => `${cache} ${text}`))
      assert.isTrue(
        [...seen].every((answer) => answer === "MISS 2" || answer === "MISS 3"),
        [...seen].join()
      )
      assert.isAtMost(state.runs, 3)
    }).pipe(Effect.scoped)
  )

  it.effect("ttl and cacheControl may be functions; a TTL that is none leaves the response unstored", () =>
    Effect.gen(function*() {
      const ask = yield* timed(
        {
          ttl: ({ response }: any) => Number(response.headers["x-ttl"]) * 1000,
          shared: true,
          cacheControl: ({ age, maxAge, scope }: any) => `${scope}, max-age=${maxAge - age}, must-revalidate`
        },
        (n) => Response.text(`${n}`, { headers: { "x-ttl": n === 1 ? "0" : "40" } })
      )
      assert.strictEqual((yield* ask("/")).cache, "BYPASS")
      assert.strictEqual((yield* ask("/")).cache, "MISS")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* ask("/")).headers.get("cache-control"), "public, max-age=30, must-revalidate")
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* ask("/")).cache, "MISS")
      const forever = yield* timed({ ttl: Infinity, shared: true })
      yield* forever("/")
      yield* TestClock.adjust("1000 days")
      const old = yield* forever("/")
      assert.deepStrictEqual([old.cache, old.headers.get("cache-control")], ["HIT", "public, max-age=31536000"])
    })
  )

  it("options out of range are refused where they are given", () => {
    const bad: ReadonlyArray<readonly [string, any]> = [
      ["a", { ttl: 0 }],
      ["a", { ttl: "-1 second" }],
      ["a", { ttl: 1000, vary: ["a b"] }],
      ["a", { ttl: 1000, vary: ["*"] }],
      ["a", { ttl: 1000, authenticated: ["a\r\nb"] }],
      ["a", { ttl: 1000, maxBodyBytes: -1 }],
      ["a", { ttl: 1000, stampede: { lockTtl: 0 } }],
      ["a", { ttl: 1000, shared: true, authenticated: ["authorization"] }],
      ["a", { ttl: 1000, shared: true, vary: ["cookie"] }],
      ["a", { ttl: 1000, shared: true, authenticated: ["query:key"] }],
      ["a", { ttl: 1000, shared: "yes" }],
      ["a", { ttl: 1000, anyHost: 1 }],
      ["a", { ttl: 1000, ignoreCookies: "_ga" }],
      ["a", { ttl: 1000, ignoreCookies: ["s"], authenticated: ["cookie:s"] }],
      ["a", { ttl: 1000, ignoreCookies: true, authenticated: ["cookie"] }],
      ["a:{key}", { ttl: 1000, authenticated: ["query:key"] }],
      ["", { ttl: 1000 }],
      ["a b", { ttl: 1000 }],
      ["a*", { ttl: 1000 }],
      ["a%b", { ttl: 1000 }],
      ["a#b", { ttl: 1000 }],
      ["\u00e9", { ttl: 1000 }],
      ["a:{0}", { ttl: 1000 }],
      ["a:{b", { ttl: 1000 }]
    ]
    for (const [name, options] of bad) {
      assert.throws(() => cachedResponse(name, options)(Effect.succeed(Response.empty())), CacheError, undefined, name)
    }
  })
})

describe("a cache that fails", () => {
  const down = new CacheError({
    reason: new Unavailable({ backend: "test", operation: "any", cause: new Error("down") })
  })

  /** Memory, behind a switch, as bytes would be. */
  const broken = Effect.gen(function*() {
    const services = yield* Layer.build(CacheMemory.layer())
    const state = { down: false, downFor: undefined as string | undefined }
    const fails = (args: ReadonlyArray<unknown>) =>
      state.down || (state.downFor !== undefined && args.flat().includes(state.downFor))
    const guard = <A extends object>(service: A): A =>
      Object.fromEntries(
        Object.entries(service)
          .filter(([name]) => name !== "local")
          .map(([name, value]) => [
            name,
            typeof value === "function"
              ? (...args: ReadonlyArray<unknown>) =>
                  Effect.suspend(() => (fails(args) ? Effect.fail(down) : value(...args)))
              : Effect.isEffect(value)
                ? Effect.suspend(() => (state.down ? Effect.fail(down) : (value as Effect.Effect<unknown>)))
                : value
          ])
      ) as A
    const primitives = {
      backend: guard(Context.get(services, CacheBackend)),
      tags: guard(Context.get(services, TagIndex))
    }
    const client = yield* makeClient({
      primary: primitives,
      settings: { defaultTtl: "5 minutes", lockTtl: "30 seconds", sweepInterval: false } as never
    } as never)
    return { state, cache: Context.make(CacheClient, client) }
  })

  it.live("does not undo a change, and fails it only where it is to", () =>
    Effect.gen(function*() {
      const { cache, state } = yield* broken
      const changed: Array<string> = []
      const handler = (request: HttpServerRequest.HttpServerRequest) =>
        Effect.sync(() => {
          if (request.method === "POST") changed.push(request.url)
          return Response.text(`${changed.length}`)
        })
      const ask = yield* serve(
        Layer.mergeAll(
          HttpRouter.add("*", "/a", cachedResponse("a", { ttl: "1 minute" })(handler)),
          HttpRouter.add(
            "*",
            "/strict",
            cachedResponse("b", { ttl: "1 minute", onCacheError: "fail" })(handler).pipe(
              Effect.catchTag("CacheError", ({ reason }) => Effect.succeed(Response.text(reason._tag, { status: 503 })))
            )
          )
        ),
        cache
      )
      for (const path of ["/a", "/strict"]) assert.strictEqual((yield* ask(path)).text, "0")
      state.down = true
      assert.deepStrictEqual([(yield* ask("/a", { method: "POST" })).status, changed], [200, ["/a"]])
      const strict = yield* ask("/strict", { method: "POST" })
      assert.deepStrictEqual([strict.status, strict.text, changed], [503, "Unavailable", ["/a", "/strict"]])
    }).pipe(Effect.scoped)
  )

  it.live("one invalidation of a change that fails keeps none of the others from being tried", () =>
    Effect.gen(function*() {
      const { cache, state } = yield* broken
      let runs = 0
      const handler = (request: HttpServerRequest.HttpServerRequest) =>
        Effect.sync(() =>
          Response.text(`${++runs}`, {
            headers: request.method === "POST" ? { location: "/b", "content-location": "/c" } : {}
          })
        )
      const ask = yield* serve(
        HttpRouter.add(
          "*",
          "/*",
          cachedResponse("n", { ttl: "1 minute", onCacheError: "fail", anyHost: true })(handler).pipe(
            Effect.catchTag("CacheError", () => Effect.succeed(Response.empty({ status: 503 })))
          )
        ),
        cache
      )
      const all = Effect.forEach(["/a", "/b", "/c"], (path) => Effect.map(ask(path), ({ cache }) => cache))
      assert.deepStrictEqual(yield* all, ["MISS", "MISS", "MISS"])
      state.downFor = "http:n:/a"
      assert.strictEqual((yield* ask("/a", { method: "POST" })).status, 503)
      state.downFor = undefined
      assert.deepStrictEqual(yield* all, ["HIT", "MISS", "MISS"])
    }).pipe(Effect.scoped)
  )

  it.live("is never in the way, unless asked to be", () =>
    Effect.gen(function*() {
      const { cache, state } = yield* broken
      let runs = 0
      const handler = Effect.sync(() => Response.text(`${++runs}`))
      const ask = yield* serve(
        Layer.mergeAll(
          HttpRouter.add("GET", "/a", cachedResponse("a", { ttl: "1 minute" })(handler)),
          HttpRouter.add(
            "GET",
            "/strict",
            cachedResponse("b", { ttl: "1 minute", onCacheError: "fail" })(handler).pipe(
              Effect.catchTag("CacheError", ({ reason }) => Effect.succeed(Response.text(reason._tag, { status: 503 })))
            )
          )
        ),
        cache
      )
      assert.deepStrictEqual([(yield* ask("/a")).cache, (yield* ask("/a")).cache, runs], ["MISS", "HIT", 1])
      state.down = true
      for (let i = 0; i < 3; i++) {
        const { cache, status } = yield* ask("/a")
        assert.deepStrictEqual([status, cache], [200, "BYPASS"])
        assert.strictEqual((yield* ask("/a", { headers: { "cache-control": "no-cache" } })).cache, "BYPASS")
      }
      assert.strictEqual(runs, 7)
      const strict = yield* ask("/strict")
      assert.deepStrictEqual([strict.status, strict.text, runs], [503, "Unavailable", 7])
      state.down = false
      assert.strictEqual((yield* ask("/a")).text, "1")
    }).pipe(Effect.scoped)
  )

  it.live("what it holds under the key may be anything", () =>
    Effect.gen(function*() {
      const services = yield* Layer.build(CacheMemory.layer())
      const ask = yield* serve(
        HttpRouter.add("GET", "/a", cachedResponse("a", { ttl: "1 minute" })(Effect.succeed(Response.text("ok")))),
        services
      )
      yield* Context.get(services, CacheClient).set("http:a:http://localhost/a", "junk", {
        schema: Schema.String,
        ttl: "1 minute"
      })
      assert.deepStrictEqual([(yield* ask("/a")).text, (yield* ask("/a")).cache], ["ok", "HIT"])
    }).pipe(Effect.scoped)
  )
})

describe("on a Node server", () => {
  it.live("HEAD, 304, lengths, absolute targets and broken lines", () =>
    Effect.gen(function*() {
      let runs = 0
      const handler = Effect.map(HttpServerRequest.HttpServerRequest, (request) => {
        runs++
        return Response.text(`${request.method} ${request.headers["x-v"] ?? "-"}`)
      })
      const routes = HttpRouter.add("GET", "/a", cachedResponse("a", { ttl: "1 minute", vary: ["x-v"] })(handler))
      const port = yield* listen(routes, yield* Layer.build(CacheMemory.layer()))
      const ask = (head: string) => exchange(port, `${head}\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
      // What is not there yet is not loaded for a HEAD: the handler could look at Node's own request.
      assert.match(yield* ask("HEAD /a HTTP/1.1"), /x-cache: BYPASS/i)
      const get = yield* ask("GET /a HTTP/1.1")
      assert.match(get, /x-cache: MISS/i)
      const head = yield* ask("HEAD /a HTTP/1.1")
      assert.match(head, /^HTTP\/1.1 200/)
      assert.match(head, /x-cache: HIT/i)
      assert.match(head, /content-length: 5\r\n/i)
      assert.isTrue(head.endsWith("\r\n\r\n"))
      assert.match(get, /\r\n\r\nGET -$/)
      const etag = /etag: (.*)\r\n/i.exec(get)![1]!
      const not = yield* ask(`GET /a HTTP/1.1\r\nIf-None-Match: ${etag}`)
      assert.match(not, /^HTTP\/1.1 304/)
      assert.isTrue(not.endsWith("\r\n\r\n"))
      assert.notMatch(not, /content-(length|type)/i)
      assert.match(yield* ask("GET http://localhost/a HTTP/1.1"), /x-cache: HIT/i)
      assert.match(yield* ask("GET http://other/a HTTP/1.1"), /x-cache: MISS/i)
      assert.match(yield* ask("GET /a HTTP/1.1\r\nX-V: \u00ff\tx"), /x-cache: MISS/i)
      assert.match(yield* ask(`GET /a HTTP/1.1\r\nX-V: ${"y".repeat(10_000)}`), /x-cache: MISS/i)
      assert.match(yield* ask("GET /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX: y"), /x-cache: BYPASS|400 Bad/i)
      assert.strictEqual(runs >= 3, true)
    }).pipe(Effect.scoped)
  )
})
