/**
 * Hosts of requests: one spelling or none, and on a server of Node, where they are part of what it makes of a URL.
 */
import { NodeHttpServerRequest } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Layer, Schema } from "effect"
import { HttpMiddleware, HttpRouter, HttpServerRequest, HttpServerResponse as Response } from "effect/http"
import { cachedResponse } from "../../src/http/index.ts"
import { canonicalHost, placeOf } from "../../src/http/place.ts"
import { CacheMemory } from "../../src/index.ts"
import { listen } from "../support/fronts.ts"
import { exchange } from "../support/rawHttp.ts"

const hostile = Arbitrary.map(
  Arbitrary.schema(
    Schema.Array(
      Schema.Literals([
        "a",
        "B",
        ".",
        ":",
        "80",
        "443",
        "[",
        "]",
        "::1",
        "/",
        "?",
        "#",
        "@",
        " ",
        "%2f",
        ",",
        "_",
        "-",
        "é"
      ])
    )
  ),
  (pieces) => pieces.join("")
)

describe("hosts", () => {
  it("have one spelling", () => {
    for (const host of [
      "example.com",
      "EXAMPLE.com",
      "example.com.",
      "example.com:80",
      "Example.Com.:080",
      "example.com:"
    ]) {
      assert.strictEqual(canonicalHost(host, "http"), "example.com", host)
    }
    assert.strictEqual(canonicalHost("example.com:443", "https"), "example.com")
    assert.strictEqual(canonicalHost("example.com:443", "http"), "example.com:443")
    for (const host of ["[::1]", "[0:0:0::1]", "[::0001]:80"])
      assert.strictEqual(canonicalHost(host, "http"), "[::1]", host)
    assert.strictEqual(canonicalHost("[::1]:8080", "http"), "[::1]:8080")
  })

  it("that are malformed are none", () => {
    const malformed = [
      "",
      ".",
      "a..",
      "a b",
      "a,b",
      "a, b",
      "u@a",
      "a/b",
      "a?b",
      "a#b",
      "a:0",
      "a:65536",
      "a:1:2",
      "::1",
      "[::1"
    ]
    for (const host of [
      ...malformed,
      "[zz]",
      "[::1]x",
      "a:x",
      "%61",
      "é",
      "a\u0000",
      "a".repeat(300),
      "a:".repeat(50_000)
    ]) {
      assert.isUndefined(canonicalHost(host, "http"), host.slice(0, 20))
    }
  })

  it.prop("of a spelling that is the one stay it, whatever is sent", [hostile], ([sent]) => {
    const host = canonicalHost(sent, "http")
    if (host !== undefined) {
      assert.strictEqual(canonicalHost(host, "http"), host)
      assert.match(host, /^[a-z0-9_.:[\]-]+$/)
    }
  })

  it("are those of the URL where no header names one, and a target that parsing changes is none", () => {
    const place = (originalUrl: string, headers = {}, source: object = {}) => {
      const found = placeOf({
        url: "/",
        originalUrl,
        headers,
        source
      } as unknown as HttpServerRequest.HttpServerRequest)
      return found === undefined ? undefined : `${found.scheme} ${found.host} ${found.path} ${found.query}`
    }
    assert.strictEqual(place("https://h/a?b"), "https h /a b")
    assert.strictEqual(place("https://h/a", { host: "other" }), "https other /a ")
    assert.strictEqual(place("/a"), "http  /a ")
    assert.strictEqual(place("http://h/x/a", { host: "h" }, { url: "/a" }), "http h /a ")
    assert.isUndefined(place("http://h/b/../a"))
    assert.isUndefined(place("http://h/a", { host: "h/b" }))
    assert.isUndefined(place("*"))
    assert.isUndefined(place("http://h?x/y"))
  })
})

describe("on a Node server", () => {
  it.live("hosts and cookies that do not count are not seen by a load, nor in what it is given of Node's own", () =>
    Effect.gen(function*() {
      const handler = Effect.map(HttpServerRequest.HttpServerRequest, (request) => {
        const node = NodeHttpServerRequest.toIncomingMessage(request)
        const { cookie, host } = request.headers
        return Response.jsonUnsafe([
          host,
          cookie ?? "",
          request.originalUrl,
          node.headers.host,
          node.headers.cookie ?? ""
        ])
      })
      const routes = HttpRouter.add(
        "GET",
        "/*",
        cachedResponse("a", { ttl: "1 minute", ignoreCookies: ["_ga"] })(handler)
      )
      const port = yield* listen(routes, yield* Layer.build(CacheMemory.layer()))
      const ask = (head: string) =>
        Effect.map(
          exchange(port, `${head}\r\nConnection: close\r\n\r\n`),
          (all) =>
            `${/x-cache: (.*)\r/i.exec(all)?.[1] ?? "-"} ${all.split("\r\n")[0]!.slice(9, 12)} ${all.split("\r\n\r\n")[1]}`
        )
      const seen = '["h","","http://h/a","h",""]'
      assert.strictEqual(yield* ask("GET /a HTTP/1.1\r\nHost: H.:80\r\nCookie: _ga=1"), `MISS 200 ${seen}`)
      assert.strictEqual(yield* ask("GET /a HTTP/1.1\r\nHost: h\r\nCookie: _ga=2"), `HIT 200 ${seen}`)
      assert.strictEqual(yield* ask("GET /a HTTP/1.1\r\nHost: h"), `HIT 200 ${seen}`)
      assert.match(yield* ask("GET /a HTTP/1.1\r\nHost: h\r\nCookie: _ga=2; sid=1"), /^BYPASS 200 \["h","_ga=2; sid=1"/)
      // What is in Host does not become a path.
      assert.match(yield* ask("GET /b HTTP/1.1\r\nHost: h/a"), /^BYPASS 200/)
      assert.match(yield* ask("GET /a HTTP/1.1\r\nHost: a b"), /^BYPASS 200|400/)
      assert.match(yield* ask("GET /a HTTP/1.1\r\nHost: h\r\nHost: i"), /^(HIT|BYPASS|MISS) 200|400/)
      assert.match(yield* ask("GET /a HTTP/1.1\r\nHost:"), /^BYPASS 200|400/)
      assert.match(yield* ask("GET /a HTTP/1.0"), /^MISS 200/)
      assert.match(yield* ask(`GET /a HTTP/1.1\r\nHost: ${"a".repeat(5000)}`), /^BYPASS 200/)
      assert.match(yield* ask("GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-Host: i"), /^HIT 200/)
      assert.strictEqual(yield* ask("GET /a HTTP/1.1\r\nHost: h"), `HIT 200 ${seen}`)
    }).pipe(Effect.scoped)
  )

  it.live("forwarded hosts and schemes count where the router trusts who sends them", () =>
    Effect.gen(function*() {
      const asked = cachedResponse("t", { ttl: "1 minute" })((request) =>
        Effect.sync(() => Response.text(String(HttpServerRequest.toURL(request).pipe((url) => (url as any).value))))
      )
      const trusting = HttpMiddleware.xForwardedHeaders({ trustedProxies: (peer) => peer !== undefined })(asked)
      const services = yield* Layer.build(CacheMemory.layer())
      const say = (app: typeof asked, host: string, forwarded: string, proto: string) =>
        Effect.map(
          Effect.provide(app, services).pipe(
            Effect.provideService(
              HttpServerRequest.HttpServerRequest,
              HttpServerRequest.fromWeb(
                new Request(`http://${host}/a`, {
                  headers: {
                    host,
                    "x-forwarded-for": "9.9.9.9",
                    "x-forwarded-host": forwarded,
                    "x-forwarded-proto": proto
                  }
                })
              ).modify({ remoteAddress: { _tag: "Some", value: "10.0.0.1" } as never })
            )
          ),
          (response) => `${response.headers["x-cache"]} ${new TextDecoder().decode((response.body as any).body)}`
        )
      assert.deepStrictEqual(
        [
          yield* say(asked, "inner", "shop.example", "https"),
          yield* say(asked, "inner", "evil.example", "https"),
          yield* say(trusting, "inner", "shop.example", "https"),
          yield* say(trusting, "other", "shop.example", "https"),
          yield* say(trusting, "inner", "shop.example", "http"),
          yield* say(trusting, "inner", "blog.example", "https")
        ],
        [
          "MISS http://inner/a",
          "HIT http://inner/a",
          "MISS https://shop.example/a",
          "HIT https://shop.example/a",
          "MISS http://shop.example/a",
          "MISS https://blog.example/a"
        ]
      )
    }).pipe(Effect.scoped, Effect.orDie)
  )
})
