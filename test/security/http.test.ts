/**
 * HTTP: what a client sends, and what whoever can write to the store puts there. The fuzzer tries the rest.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse as Response } from "effect/http"
import { decode, encode } from "../../src/CacheEntry.ts"
import { cachedResponse } from "../../src/http/index.ts"
import { CacheClient, CacheLayer, CacheMemory } from "../../src/index.ts"
import { nodeCompressor } from "../../src/platform/nodeCompressor.ts"
import { serve } from "../support/http.ts"
import { makeBytesBackend } from "../support/bytesBackend.ts"

const ttl = "1 minute"

describe("HTTP", () => {
  it.live("a header that only looks the same is another variant", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(CacheMemory.layer())
      const handler = Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) =>
        Response.text(JSON.stringify(headers["x-tenant"]))
      )
      const ask = yield* serve(
        HttpRouter.add("GET", "/", cachedResponse("tenant", { ttl, vary: ["x-tenant"] })(handler)),
        context
      )
      // U+00A0 is a byte that may be sent, and no space to a handler.
      for (const tenant of ["a", "a\u00a0", "\u00a0a", "A"]) {
        const { cache, text } = yield* ask("/", { headers: { "x-tenant": tenant } })
        assert.deepStrictEqual([cache, text], ["MISS", JSON.stringify(tenant)])
      }
    }).pipe(Effect.scoped)
  )

  it.live("a stored response that was tampered with sets no cookie, and does not say where a message ends", () =>
    Effect.gen(function*() {
      const store = yield* makeBytesBackend
      const context = yield* Layer.build(CacheLayer.make(Effect.succeed(store.primitives)))
      const ask = yield* serve(
        HttpRouter.add("GET", "/", cachedResponse("page", { ttl })(Effect.succeed(Response.text("own")))),
        context
      )
      yield* ask("/")
      const [[key, bytes]] = [...store.entries] as [[string, Uint8Array]]
      const { json, ...header } = decode(bytes, nodeCompressor({ threshold: 1024 }))!
      const plant = (changes: object) =>
        store.entries.set(key, encode(header, { ...(json as object), ...changes }, undefined))
      // The test is worth something: what is not refused is served.
      plant({ body: "tforged", headers: [["x-a", "b"]] })
      assert.deepStrictEqual([(yield* ask("/")).text, (yield* ask("/")).cache], ["forged", "HIT"])
      for (const line of [
        ["set-cookie", "session=evil"],
        ["content-length", "1"],
        ["transfer-encoding", "chunked"],
        ["connection", "close"],
        ["x-a", "b\r\nset-cookie: session=evil"],
        ["x a", "b"],
        ["X-A", "b"]
      ]) {
        plant({ body: "tforged", headers: [line] })
        const { cache, headers, text } = yield* ask("/")
        assert.deepStrictEqual([cache, text, headers.get("set-cookie")], ["MISS", "own", null], line[0]!)
      }
      for (const at of [-1e300, 1e300]) {
        plant({ at })
        assert.match((yield* ask("/")).headers.get("age")!, /^\d+$/)
      }
      plant({ lifetime: -5000 })
      assert.strictEqual((yield* ask("/")).cache, "MISS")
    }).pipe(Effect.scoped)
  )

  it.live("variations without bound take no more room than there is", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(CacheMemory.layer({ maxEntries: 100, maxBytes: "1 MiB" }))
      let runs = 0
      const ask = yield* serve(
        Layer.mergeAll(
          HttpRouter.add("GET", "/all", cachedResponse("all", { ttl })(Effect.succeed(Response.text("x".repeat(100))))),
          HttpRouter.add(
            "GET",
            "/some",
            cachedResponse("some", { ttl, query: ["page"] })(Effect.sync(() => Response.text(`${++runs}`)))
          )
        ),
        context
      )
      const stats = Context.get(context, CacheClient).stats
      for (let i = 0; i < 600; i++) yield* ask(`/all?${"n".repeat(i % 500)}=${i}`)
      const { memoryMb, size } = yield* stats
      assert.isAtMost(size!, 100)
      assert.isAtMost(memoryMb!, 1)
      // With the parameters named, what nobody asked for makes no variation.
      for (let i = 0; i < 50; i++) yield* ask(`/some?page=1&cachebuster=${i}`)
      assert.strictEqual(runs, 1)
    }).pipe(Effect.scoped)
  )
})
