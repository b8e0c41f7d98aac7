/**
 * Attacks by the message itself: hosts, forwarded headers, negotiation, ranges, conditions, methods, paths.
 */
import { Effect, Layer } from "effect"
import { HttpMiddleware, HttpRouter, HttpServerResponse as Response } from "effect/http"
import * as IpNetwork from "effect/net/IpNetwork"
import type { RawRequest } from "../../support/rawHttp.ts"
import { type Attack, policy } from "./attack.ts"

type Header = readonly [name: string, value: string]

const each = (target: string, ...given: ReadonlyArray<ReadonlyArray<Header>>): ReadonlyArray<RawRequest> =>
  given.map((headers) => ({ target, headers }))

const one = (target: string, name: string, ...values: ReadonlyArray<string>): ReadonlyArray<RawRequest> =>
  each(target, [], ...values.map((value) => [[name, value] as const]))

const forwarded = (host: string, proto: string): ReadonlyArray<Header> => [
  ["X-Forwarded-For", "203.0.113.7"],
  ["X-Forwarded-Host", host],
  ["X-Forwarded-Proto", proto]
]

const forwardedHeaders = HttpMiddleware.xForwardedHeaders({
  trustedProxies: [IpNetwork.fromStringUnsafe("127.0.0.0/8")]
})
const Trusting = HttpRouter.middleware((app) => forwardedHeaders(app)).layer

/** A path as it was sent, and the parameters: their order makes no difference, but among those of one name. */
const seenOf = (url: string): unknown => {
  const [path, query = ""] = url.split(/\?(.*)/s)
  return [path, [...new URLSearchParams(`&${query}`)].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))]
}

const long = "x".repeat(6000)
const targets = [
  "/files/a",
  "/files/%61",
  "/files/A",
  "/files/a/",
  "/files//a",
  "/files/a;b",
  "/files/a;v=1",
  "/files/a%3Bb",
  "/files/a/b",
  "/files/a%2Fb",
  "/files/a%2fb",
  "/files/a%252Fb",
  "/files/%2e%2e/files/a",
  "/files/./a",
  "/files/a%00",
  "/files/%ff",
  "/files/%C3%A9",
  "/files/\u00e9",
  "/files/e%CC%81",
  "/files/a:b",
  "/files/a?",
  "/files/a?x=1",
  "/files/a?x=1&x=2",
  "/files/a?x=2&x=1",
  "/files/a?y=1&x=1",
  "/files/a?x=1&y=1",
  "/files/a?%78=1",
  "/files/a?X=1",
  "/files/a??x=1",
  "/files/a?x=1%23b",
  "/files/a%3Fx=1",
  "/files/a%23b",
  "/files/{a}",
  "/files/*",
  "/FILES/a",
  "//files/a",
  "/user/a",
  "/user/%61",
  "/user/A",
  "/user/a%2Fb",
  "/user/b",
  "/user/%C3%A9",
  "/user/e%CC%81",
  "/user/a%20",
  "/user/a+",
  "/user/a%3Ab",
  "/user/%7Bid%7D",
  `/files/${long}`,
  `/files/${long}y`
]

/** In capitals, with the port of the scheme and with a dot at its end a host is the same. */
const oneSpelling = (host = "") => host.toLowerCase().replace(/:80$/, "").replace(/\.$/, "")

export const messageAttacks: ReadonlyArray<Attack> = [
  {
    name: "Host",
    site: ({ cached, telling }) =>
      HttpRouter.add("GET", "/", cached("page", policy)(telling(({ headers }) => oneSpelling(headers["host"])))),
    requests: one(
      "/",
      "Host",
      "a.example",
      "b.example",
      "A.EXAMPLE",
      "a.example:80",
      "a.example.",
      "evil@a.example",
      ""
    )
  },
  {
    name: "X-Forwarded-* where the router trusts them",
    site: ({ cached, telling }) =>
      HttpRouter.add(
        "GET",
        "/",
        cached("page", policy)(telling(({ headers, protocol }) => [headers["host"], protocol]))
      ).pipe(Layer.provide(Trusting)),
    requests: each(
      "/",
      [],
      forwarded("a.example", "https"),
      forwarded("a.example", "http"),
      forwarded("b.example", "https"),
      forwarded("a.example, b.example", "https"),
      [["X-Forwarded-Host", "evil.example"]],
      [["Forwarded", "for=203.0.113.7;host=evil.example;proto=https"]]
    )
  },
  {
    name: "X-Forwarded-* where it does not",
    site: ({ cached, telling }) =>
      HttpRouter.add(
        "GET",
        "/",
        cached("page", policy)(telling(({ headers, protocol }) => [headers["host"], protocol]))
      ),
    requests: each(
      "/",
      [],
      forwarded("evil.example", "https"),
      [["X-Forwarded-Proto", "https"]],
      [["Host", "b.example"]]
    )
  },
  {
    name: "Accept-* and Origin",
    site: ({ cached, tell, telling }) =>
      Layer.mergeAll(
        HttpRouter.add(
          "GET",
          "/",
          cached("page", { ...policy, vary: ["accept", "accept-language", "accept-encoding", "origin"] })(
            telling(({ headers }) =>
              ["accept", "accept-language", "accept-encoding", "origin"].map((name) => headers[name])
            )
          )
        ),
        // A handler that says itself by what it varies, and a policy that does not know.
        HttpRouter.add(
          "GET",
          "/cors",
          cached(
            "cors",
            policy
          )(({ headers }) => Effect.sync(() => Response.setHeader(tell(headers["origin"]), "vary", "origin")))
        )
      ),
    requests: [
      ...one(
        "/",
        "Accept",
        "text/html",
        "application/json",
        "text/html, */*",
        "text/html,*/*",
        "TEXT/HTML",
        "*/*;q=0.1"
      ),
      ...one("/", "Accept-Language", "de", "en", "de, en", "de,en", "DE", "*", ""),
      ...one("/", "Accept-Encoding", "gzip", "br", "identity", "gzip;q=0"),
      ...one("/cors", "Origin", "https://a.example", "https://b.example", "null"),
      ...one("/", "Origin", "https://a.example", "https://b.example", "null", "https://A.example")
    ]
  },
  {
    name: "ranges and conditions",
    site: ({ cached, telling }) =>
      HttpRouter.add(
        "GET",
        "/",
        cached("page", { ...policy, authenticated: ["authorization"] })(
          telling(({ headers }) => headers["authorization"])
        )
      ),
    requests: ["ada", "bob"].flatMap((name) =>
      [
        [],
        [["Range", "bytes=0-3"]],
        [["Range", "bytes=-5"]],
        [["Range", "bytes=3-"]],
        [["Range", "bytes=0-1,3-4"]],
        [["Range", "bytes=9999-"]],
        [["Range", "bytes=5-1"]],
        [["Range", "lines=1-2"]],
        [
          ["Range", "bytes=0-3"],
          ["If-Range", '"x"']
        ],
        [["If-None-Match", "*"]],
        [["If-None-Match", '"x", "y"']],
        [["If-None-Match", 'W/"x']],
        [["If-Modified-Since", "Thu, 01 Jan 2099 00:00:00 GMT"]],
        [["If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"]],
        [["If-Match", '"x"']],
        [["If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"]],
        [["Cache-Control", "no-store"]],
        [["Cache-Control", "no-cache"]],
        [["Cache-Control", "only-if-cached"]],
        [["Cache-Control", "max-stale, min-fresh=99999"]],
        [["Pragma", "no-cache"]]
      ].map(
        (more): RawRequest => ({
          target: "/",
          headers: [["Authorization", name], ...(more as unknown as ReadonlyArray<Header>)]
        })
      )
    )
  },
  {
    name: "methods",
    site: ({ cached, tell }) =>
      HttpRouter.add(
        "*",
        "/",
        cached(
          "page",
          policy
        )((request) =>
          Effect.map(Effect.orDie(request.text), (body) =>
            // What HEAD says is what GET would have said.
            tell([request.method === "HEAD" ? "GET" : request.method, body])
          )
        )
      ),
    requests: [
      ...["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"].map((method) => ({
        method,
        target: "/"
      })),
      ...["POST", "PUT", "GET", "DELETE"].map((method) => ({ method, target: "/", body: `by ${method}` })),
      { target: "/", headers: [["X-HTTP-Method-Override", "DELETE"]] },
      { method: "POST", target: "/", headers: [["X-HTTP-Method-Override", "GET"]], body: "x" }
    ]
  },
  {
    name: "paths and encodings",
    site: ({ cached, tell, telling }) =>
      Layer.mergeAll(
        HttpRouter.add("GET", "/files/*", cached("files", policy)(telling(({ url }) => seenOf(url)))),
        HttpRouter.add(
          "GET",
          "/user/:id",
          cached("user:{id}", policy)(Effect.map(HttpRouter.params, ({ id }) => tell(id)))
        )
      ),
    requests: [
      ...targets.map((target) => ({ target })),
      { target: "http://other.example/files/a" },
      { target: "http://other.example/user/a", headers: [["Host", "a.example"]] }
    ]
  }
]
