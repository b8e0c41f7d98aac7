/**
 * What requests for one response share on any cache, and what they do not.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Context, Deferred, Effect, Fiber, Latch, Layer, Schema, Stream } from "effect"
import { HttpEffect, HttpRouter, HttpServerRequest, HttpServerResponse as Response } from "effect/http"
import { CacheClient, type CacheServices } from "../../../src/index.ts"
import { cachedResponse } from "../../../src/http/index.ts"
import { all, counted as arrivals, countingHandler as counted, serve } from "../../support/http.ts"

const ttl = "10 minutes"

const settleRound = CacheClient.use((client) => Effect.andThen(client.get("settle", Schema.String), Effect.yieldNow))

/** Trips are answered in order: what had begun one before has its answer, and has joined the load it shares. */
const settle = (services: Context.Context<CacheServices>) =>
  Effect.orDie(Effect.provideContext(Effect.replicateEffect(settleRound, 12, { discard: true }), services))

export const sharingSuite = (name: string, cacheLayer: Layer.Layer<CacheServices, any>) =>
  describe(`cachedResponse on ${name}`, () => {
    /** A cache of its own for each test, in the scope of the test. */
    const fresh = Effect.orDie(Layer.build(cacheLayer))

    it.live("concurrent requests share one load", () =>
      Effect.gen(function*() {
        const open = yield* Latch.make()
        const body = counted((n) => Response.text(`${n}`))
        const { arrives, come } = arrivals(
          cachedResponse("a", { ttl, stampede: { lockTtl: "5 seconds" } })(Effect.andThen(open.await, body.handler)),
          50
        )
        const ask = yield* serve(HttpRouter.add("GET", "/a", arrives), yield* fresh)
        const [answers] = yield* Effect.all(
          [all(Array.from({ length: 50 }, () => ask("/a"))), Effect.andThen(come, open.open)],
          { concurrency: "unbounded" }
        )
        assert.strictEqual(body.runs, 1)
        assert.deepStrictEqual(new Set(answers.map(({ text }) => text)), new Set(["1"]))
        // Where each caller gets a copy, those who joined cannot tell a load from a hit.
        const copies = name.includes("copies")
        assert.deepStrictEqual(new Set(answers.map(({ cache }) => cache)), new Set(copies ? ["MISS", "HIT"] : ["MISS"]))
      }).pipe(Effect.scoped)
    )

    it.live("what may not be stored is shared with nobody", () =>
      Effect.gen(function*() {
        const services = yield* fresh
        const users = 20
        for (const [what, make] of Object.entries({
          cookie: (user: string) => Effect.succeed(Response.setCookieUnsafe(Response.text(user), "session", user)),
          private: (user: string) => Effect.succeed(Response.text(user, { headers: { "cache-control": "private" } })),
          stream: (user: string) => Effect.succeed(Response.stream(Stream.succeed(new TextEncoder().encode(user)))),
          failure: (user: string) => Effect.fail(user),
          pending: (user: string) =>
            Effect.as(
              HttpEffect.appendPreResponseHandler((_, response) =>
                Effect.succeed(Response.setHeader(Response.setCookieUnsafe(response, "session", user), "x-user", user))
              ),
              Response.text(user)
            )
        })) {
          const open = yield* Latch.make()
          let arrived = 0
          const handler = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
            arrived++
            const user = request.headers["x-user"]!
            return Effect.andThen(open.await, make(user)) as Effect.Effect<Response.HttpServerResponse, string>
          })
          const { arrives, come } = arrivals(
            Effect.catch(cachedResponse(what, { ttl })(handler), (user) => Effect.succeed(Response.text(user))),
            users
          )
          const ask = yield* serve(HttpRouter.add("GET", "/", arrives), services)
          const answers = yield* Effect.all(
            [
              all(Array.from({ length: users }, (_, i) => ask("/", { headers: { "x-user": `user${i}` } }))),
              Effect.andThen(come, open.open)
            ],
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(
            answers[0].map(({ text }) => text),
            Array.from({ length: users }, (_, i) => `user${i}`),
            what
          )
          // The one that loaded did not run twice.
          assert.strictEqual(arrived, users, what)
          for (const [i, { cache, headers }] of answers[0].entries()) {
            if (what !== "failure") assert.strictEqual(cache, "BYPASS")
            if (what === "cookie" || what === "pending") assert.include(headers.get("set-cookie")!, `user${i}`)
            if (what === "pending") assert.strictEqual(headers.get("x-user"), `user${i}`)
          }
        }
      }).pipe(Effect.scoped)
    )

    it.live("a request that goes away takes nothing from the others", () =>
      Effect.gen(function*() {
        const open = yield* Latch.make()
        const started = yield* Deferred.make<void>()
        const closed: Array<string> = []
        const handler = Effect.gen(function*() {
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => {
              closed.push(`closed after ${closed.length}`)
            })
          )
          yield* Deferred.succeed(started, undefined)
          yield* open.await
          closed.push("load")
          return Response.text("shared")
        })
        const services = yield* fresh
        const { arrives, come } = arrivals(cachedResponse("gone", { ttl })(handler), 3)
        const ask = yield* serve(HttpRouter.add("GET", "/", arrives), services)
        const controller = new AbortController()
        const leaving = yield* Effect.forkChild(Effect.exit(ask("/", { signal: controller.signal })))
        yield* Deferred.await(started)
        const others = yield* Effect.forkChild(all([ask("/"), ask("/")]))
        yield* come
        yield* settle(services)
        controller.abort()
        yield* Fiber.join(leaving)
        yield* open.open
        const answers = yield* Fiber.join(others)
        assert.deepStrictEqual(
          answers.map(({ text }) => text),
          ["shared", "shared"]
        )
        // It began again in the context of another, and the scope of a load is its own: it ends with that load.
        assert.deepStrictEqual(closed, ["closed after 0", "load", "closed after 2"])
      }).pipe(Effect.scoped)
    )

    it.live("a stream that passes through keeps its resources until it ends", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const handler = Effect.gen(function*() {
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => {
              log.push("closed")
            })
          )
          return Response.stream(
            Stream.fromEffect(
              Effect.sync(() => {
                log.push("read")
                return new Uint8Array([120])
              })
            )
          )
        })
        const ask = yield* serve(HttpRouter.add("GET", "/", cachedResponse("stream", { ttl })(handler)), yield* fresh)
        assert.strictEqual((yield* ask("/")).text, "x")
        assert.deepStrictEqual(log, ["read", "closed"])
      }).pipe(Effect.scoped)
    )
  })
