/**
 * Attacks on who asks: credentials of each kind, at each place, and sessions that are made outside.
 */
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse as Response } from "effect/http"
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiError,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSecurity
} from "effect/http-api"
import { CachePolicy, HttpCache } from "../../../src/http/index.ts"
import type { RawRequest } from "../../support/rawHttp.ts"
import { type Attack, policy } from "./attack.ts"

type Header = readonly [name: string, value: string]

const each = (target: string, ...given: ReadonlyArray<ReadonlyArray<Header>>): ReadonlyArray<RawRequest> =>
  given.map((headers) => ({ target, headers }))

const cookies = (target: string) =>
  each(
    target,
    [],
    [["Cookie", "sid=ada"]],
    [["Cookie", "sid=bob"]],
    [["Cookie", "sid=ada; sid=bob"]],
    [["Cookie", "sid=bob; sid=ada"]],
    [
      ["Cookie", "sid=ada"],
      ["Cookie", "sid=bob"]
    ],
    [["Cookie", 'sid="ada"']],
    [["Cookie", "sid=%61da"]],
    [["Cookie", "SID=ada"]],
    [["Cookie", "sid="]],
    [["Cookie", ""]],
    [["Cookie", "theme=dark"]],
    [["Cookie", "theme=dark; sid=ada"]],
    [["Cookie", "sid=ada\u00a0"]]
  )

const authorizations = (target: string) =>
  each(
    target,
    [],
    [["Authorization", "Bearer ada"]],
    [["Authorization", "Bearer bob"]],
    [["authorization", "bearer ada"]],
    [["Authorization", "Bearer  ada"]],
    [["Authorization", "Basic YWRhOg=="]],
    [["Authorization", ""]],
    [
      ["Authorization", "Bearer ada"],
      ["Authorization", "Bearer bob"]
    ],
    [["Proxy-Authorization", "Bearer ada"]],
    [
      ["Authorization", "Bearer ada"],
      ["Connection", "authorization"]
    ]
  )

const keys = [
  ...each("/header", [], [["X-Api-Key", "ada"]], [["x-api-key", "bob"]], [["X-API-KEY", "ADA"]], [["X-Api-Key", ""]]),
  ...each("/header", [["X-Api-Key", "ada, bob"]], [["X-Api-Key", "ada\u00a0"]]),
  ...[
    "",
    "?api_key=ada",
    "?api_key=bob",
    "?api_key=",
    "?api_key",
    "?api%5Fkey=ada",
    "?api_key=%61da",
    "?API_KEY=ada"
  ].map((query) => ({ target: `/query${query}` })),
  ...[
    "?api_key=ada&api_key=bob",
    "?api_key=bob&api_key=ada",
    "?x=1&api_key=ada",
    "?api_key=ada%26x=1",
    "?api_key=%ff"
  ].map((query) => ({ target: `/query${query}` })),
  ...each("/cookie", [], [["Cookie", "key=ada"]], [["Cookie", "key=bob"]], [["Cookie", "key=ada; key=bob"]])
]

/** An API that says how clients prove who they are, and a cache that nobody told about it. */
const secured =
  (kind: keyof typeof securities, inside: boolean): Attack["site"] =>
  ({ isCached, tell }) => {
    class User extends Context.Service<User, string>()("attack/User") {}
    class Auth extends HttpApiMiddleware.Service<Auth, { provides: User }>()("attack/Auth", {
      security: securities[kind],
      error: HttpApiError.Unauthorized
    }) {}
    const page = HttpApiEndpoint.get("page", "/page", { success: Schema.Unknown }).annotate(CachePolicy, policy)
    const plain = HttpApiGroup.make("pages").add(page)
    const group = !isCached
      ? plain.middleware(Auth)
      : inside
        ? plain.middleware(HttpCache).middleware(Auth)
        : plain.middleware(Auth).middleware(HttpCache)
    const api = HttpApi.make("attacked").add(group as unknown as typeof plain)
    const known = Layer.succeed(
      Auth,
      Auth.of({
        key: (app, { credential }) => {
          const name = Redacted.value(credential as Redacted.Redacted<string>)
          return name === "ada" || name === "bob"
            ? Effect.provideService(app, User, name)
            : Effect.fail(new HttpApiError.Unauthorized({}))
        }
      })
    )
    const handlers = HttpApiBuilder.group(api, "pages", (all) =>
      all.handle("page", () => Effect.map(User, (name) => tell(name)) as never)
    )
    return HttpApiBuilder.layer(api).pipe(
      Layer.provide(handlers),
      Layer.provide(known),
      Layer.provide(HttpCache.layer as Layer.Layer<HttpCache>),
      Layer.provide(HttpServer.layerServices)
    ) as Layer.Layer<never>
  }

const securities = {
  header: { key: HttpApiSecurity.apiKey({ key: "x-api-key" }) },
  query: { key: HttpApiSecurity.apiKey({ key: "api_key", in: "query" }) },
  cookie: { key: HttpApiSecurity.apiKey({ key: "sid", in: "cookie" }) },
  bearer: { key: HttpApiSecurity.bearer }
}

const asked = {
  header: (name: string): RawRequest => ({ target: "/page", headers: [["X-Api-Key", name]] }),
  query: (name: string): RawRequest => ({ target: `/page?api_key=${name}` }),
  cookie: (name: string): RawRequest => ({ target: "/page", headers: [["Cookie", `sid=${name}`]] }),
  bearer: (name: string): RawRequest => ({ target: "/page", headers: [["Authorization", `Bearer ${name}`]] })
}

const apis = (["header", "query", "cookie", "bearer"] as const).flatMap((kind) =>
  [true, false].map(
    (inside): Attack => ({
      name: `HttpApi with a key in ${kind}, cache ${inside ? "inside" : "outside"} of authentication`,
      mayBeRefused: true,
      site: secured(kind, inside),
      requests: [{ target: "/page" }, ...["ada", "bob", "mallory", ""].map(asked[kind])]
    })
  )
)

export const identityAttacks: ReadonlyArray<Attack> = [
  {
    name: "cookies that the policy does not name",
    site: ({ cached, telling }) =>
      HttpRouter.add("GET", "/", cached("page", policy)(telling(({ cookies }) => cookies["sid"]))),
    requests: cookies("/")
  },
  {
    name: "cookies that it names",
    site: ({ cached, telling }) =>
      HttpRouter.add(
        "GET",
        "/",
        cached("page", { ...policy, authenticated: ["cookie:sid"] })(telling(({ cookies }) => cookies["sid"]))
      ),
    requests: cookies("/")
  },
  {
    name: "Authorization that the policy does not name",
    site: ({ cached, telling }) =>
      HttpRouter.add("GET", "/", cached("page", policy)(telling(({ headers }) => headers["authorization"]))),
    requests: authorizations("/")
  },
  {
    name: "Authorization that it names",
    site: ({ cached, telling }) =>
      HttpRouter.add(
        "GET",
        "/",
        cached("page", { ...policy, authenticated: ["authorization"] })(
          telling(({ headers }) => headers["authorization"])
        )
      ),
    requests: authorizations("/")
  },
  {
    name: "API keys in header, query and cookie",
    site: ({ cached, telling }) =>
      Layer.mergeAll(
        HttpRouter.add(
          "GET",
          "/header",
          cached("header", { ...policy, authenticated: ["x-api-key"] })(telling(({ headers }) => headers["x-api-key"]))
        ),
        HttpRouter.add(
          "GET",
          "/query",
          cached("query", policy)(telling(({ url }) => new URL(url, "http://site").searchParams.getAll("api_key")))
        ),
        HttpRouter.add(
          "GET",
          "/cookie",
          cached("cookie", { ...policy, authenticated: ["cookie:key"] })(telling(({ cookies }) => cookies["key"]))
        )
      ),
    requests: keys
  },
  {
    name: "sessions that are set outside of the cache",
    sessions: true,
    site: ({ cached, telling }) => {
      let visitors = 0
      const Visitor = HttpRouter.middleware((app) =>
        Effect.map(app, (response) => Response.setCookieUnsafe(response, "sid", `visitor-${++visitors}`))
      ).layer
      return HttpRouter.add("GET", "/", cached("page", policy)(telling(() => "anybody"))).pipe(Layer.provide(Visitor))
    },
    requests: each("/", [], [["Accept", "text/html"]], [["Cache-Control", "max-age=5"]])
  },
  ...apis
]
