/**
 * What is done where the router keeps the state of a request under another key.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse as Response } from "effect/http"
import { vi } from "vitest"
import { CacheMemory } from "../../src/index.ts"
import { cachedResponse } from "../../src/http/index.ts"
import { serve } from "../support/http.ts"

/** Where the handlers of the mocked router leave what they leave. */
const elsewhere = vi.hoisted(() => new WeakMap<object, unknown>())

vi.mock("effect/http", async (original) => {
  const http = await original<typeof import("effect/http")>()
  const append: typeof http.HttpEffect.appendPreResponseHandlerUnsafe = (context, handler) => {
    const request = Context.getOrUndefined(context, http.HttpServerRequest.HttpServerRequest)
    if (request === undefined) return
    const before = elsewhere.get(request.source) as typeof handler | undefined
    elsewhere.set(
      request.source,
      before === undefined
        ? handler
        : (request: never, response: never) =>
            Effect.flatMap(before(request, response), (left) => handler(request, left))
    )
  }
  return { ...http, HttpEffect: { ...http.HttpEffect, appendPreResponseHandlerUnsafe: append } }
})

describe("a router that keeps the state of a request elsewhere", () => {
  it.live("has no response stored, and says why once", () =>
    Effect.gen(function*() {
      const { HttpEffect } = yield* Effect.promise(() => import("effect/http"))
      const warnings: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel === "Warn") warnings.push(String(message))
      })
      let runs = 0
      const handler = Effect.withFiber<Response.HttpServerResponse, never, HttpServerRequest.HttpServerRequest>(
        (fiber) => {
          const user = `user ${++runs}`
          HttpEffect.appendPreResponseHandlerUnsafe(fiber.context, (_, response) =>
            Effect.succeed(Response.setCookieUnsafe(response, "session", user))
          )
          return Effect.succeed(Response.text(user))
        }
      )
      /** The rest of that router: what was left is done before the response is sent. */
      const sent = Effect.flatMap(
        Effect.all([HttpServerRequest.HttpServerRequest, cachedResponse("a", { ttl: "1 minute" })(handler)]),
        ([request, response]) => {
          const left = elsewhere.get(request.source) as
            | undefined
            | ((request: unknown, response: Response.HttpServerResponse) => Effect.Effect<Response.HttpServerResponse>)
          return left === undefined ? Effect.succeed(response) : left(request, response)
        }
      )
      const services = yield* Layer.build(CacheMemory.layer())
      const ask = yield* serve(HttpRouter.add("GET", "/", Effect.provide(sent, Logger.layer([logger]))), services)
      for (const user of ["user%201", "user%202", "user%203"]) {
        const { cache, headers } = yield* ask("/")
        assert.strictEqual(cache, "BYPASS")
        assert.include(headers.get("set-cookie")!, user)
      }
      assert.lengthOf(warnings, 1)
      assert.include(warnings[0]!, "appendPreResponseHandler")
    }).pipe(Effect.scoped)
  )
})
