/**
 * The proxy of `examples/reverse-proxy`: whatever the target of a request looks like, it goes to the origin.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { reverseProxy } from "../../examples/reverse-proxy/proxy.ts"
import { CacheMemory } from "../../src/index.ts"
import { listen } from "../support/fronts.ts"
import { send } from "../support/rawHttp.ts"

/** A server that says who it is, and what it was asked for. */
const answering = (name: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const server = createServer((request, response) => {
          response.setHeader("cache-control", "max-age=60")
          const { cookie } = request.headers
          response.end(`${name} ${request.method} ${request.url}${cookie === undefined ? "" : ` with ${cookie}`}`)
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    ),
    (server) => (server.address() as AddressInfo).port
  )

describe("the caching proxy", () => {
  it.live("sends no cookie where cookies make no difference, and else all of them", () =>
    Effect.gen(function*() {
      const origin = yield* answering("origin")
      const cache = yield* Layer.build(CacheMemory.layer())
      for (const ignoreCookies of [true, false]) {
        const routes = reverseProxy({ origin: `http://127.0.0.1:${origin}`, ignoreCookies }).pipe(
          HttpRouter.provideRequest(NodeHttpClient.layerUndici)
        )
        const port = yield* listen(routes as never, cache)
        const seen = yield* Effect.forEach(
          [
            ["Accept", "*/*"],
            ["Range", "bytes=0-9999"],
            ["Cache-Control", "no-store"]
          ] as const,
          (header, i) => send(port, { target: `/${ignoreCookies}/${i}`, headers: [["Cookie", "sid=1"], header] })
        )
        assert.deepStrictEqual(
          seen.map(({ body }) => body.includes("sid=1")),
          seen.map(() => !ignoreCookies)
        )
      }
    }).pipe(Effect.scoped)
  )

  it.live("asks its origin alone", () =>
    Effect.gen(function*() {
      const [origin, other] = yield* Effect.all([answering("origin"), answering("other")])
      const cache = yield* Layer.build(CacheMemory.layer())
      const routes = reverseProxy({ origin: `http://127.0.0.1:${origin}` }).pipe(
        HttpRouter.provideRequest(NodeHttpClient.layerUndici)
      )
      const port = yield* listen(routes as never, cache)
      const ask = (target: string, headers: ReadonlyArray<readonly [string, string]> = []) =>
        Effect.map(send(port, { target, headers }), ({ body, headers, status }) => [status, body, headers["x-cache"]])
      assert.deepStrictEqual(yield* ask("/a?b=%2F"), [200, "origin GET /a?b=%2F", "MISS"])
      assert.deepStrictEqual(yield* ask("/a?b=%2F"), [200, "origin GET /a?b=%2F", "HIT"])
      for (const target of [
        `//127.0.0.1:${other}/admin`,
        `/\\127.0.0.1:${other}/admin`,
        `/\\/127.0.0.1:${other}/admin`,
        `///127.0.0.1:${other}/admin`,
        `http://127.0.0.1:${other}/admin`,
        `//user@127.0.0.1:${other}/admin`
      ]) {
        const [status, body] = yield* ask(target)
        assert.notMatch(`${body}`, /^other/, target)
        assert.isTrue(
          status === 400 || status === 404 || `${body}`.startsWith("origin "),
          `${target}: ${status} ${body}`
        )
      }
      const [, body] = yield* ask("/admin", [["Host", `127.0.0.1:${other}`]])
      assert.strictEqual(body, "origin GET /admin")
    }).pipe(Effect.scoped)
  )
})
