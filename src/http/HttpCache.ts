/**
 * Cached responses for `HttpApi`: one middleware, and a policy on each endpoint that wants it.
 */
import { Effect, Layer } from "effect"
import type { HttpServerResponse } from "effect/http"
import { type HttpApi, type HttpApiEndpoint, type HttpApiGroup, HttpApiMiddleware } from "effect/http-api"
import type { CacheError } from "../CacheError.ts"
import { invalidOption, invalidOptionAs } from "../internal/invalidOption.ts"
import { checked } from "../region/checks.ts"
import { CacheClient } from "../services/CacheClient.ts"
import { makeCache } from "./cache.ts"
import { cachedWith, endpointOptions } from "./cachedResponse.ts"
import { declared } from "./declaredErrors.ts"
import { checkInputs } from "./inputs.ts"
import { optionsOf, type Policy, type ResponseOptions } from "./options.ts"
import { CachePolicy, type CachePolicyOptions, type ExchangeOf, leavesMore, policyOf, toldMore } from "./policies.ts"
import { audienceOf } from "./security.ts"

/**
 * The middleware that caches the responses of endpoints annotated with a `CachePolicy`; others it leaves alone. See
 * `cachedResponse` for what is stored and what is added.
 *
 * A hit skips everything inside of this middleware, so **add it before any other**: what is added later runs first. An order
 * in which it would answer ahead of middleware that declares `security`, or an error with status 401 or 403, is refused, and
 * so is one ahead of other middleware that the policy does not name in `skips`.
 *
 * What the endpoint declares as security is part of its key, as a hash, unless the policy says `sameForAll` or `sameFor`. The key must
 * have what else the endpoint declares: parameters of path and query, and headers. Provide the layer while the group is
 * built: that is when a policy is checked, and one that cannot be kept is a defect (`CacheError`).
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { HttpRouter, HttpServer } from "effect/http"
 * import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
 * import { CacheMemory } from "effect-cache"
 * import { CachePolicy, HttpCache } from "effect-cache/http"
 *
 * class Users extends HttpApiGroup.make("users").add(
 *   HttpApiEndpoint.get("byId", "/users/:id", { params: { id: Schema.String }, success: Schema.String })
 *     .annotate(CachePolicy, { key: "page:user:{id}", ttl: "1 minute", tags: ["users"] })
 * ).middleware(HttpCache) {}
 * class Api extends HttpApi.make("api").add(Users) {}
 *
 * let runs = 0
 * const UsersLive = HttpApiBuilder.group(Api, "users", (handlers) =>
 *   handlers.handle("byId", ({ params }) => Effect.sync(() => `${params.id}, run ${++runs}`))
 * ).pipe(Layer.provide(HttpCache.layer), Layer.provide(CacheMemory.layer()))
 * const web = HttpRouter.toWebHandler(
 *   HttpApiBuilder.layer(Api).pipe(Layer.provide(UsersLive), Layer.provide(HttpServer.layerServices)),
 *   { disableLogger: true }
 * )
 *
 * await web.handler(new Request("http://localhost/users/7"))
 * const again = await web.handler(new Request("http://localhost/users/7"))
 * assert.deepEqual([again.headers.get("x-cache"), await again.json()], ["HIT", "7, run 1"])
 * await web.dispose()
 * ```
 */
export class HttpCache extends HttpApiMiddleware.Service<HttpCache>()("effect-cache/http/HttpCache") {
  /** Needs the cache to use. A policy that cannot be kept is a defect while the routes are built. */
  static readonly layer: Layer.Layer<HttpCache, never, CacheClient> = Layer.effect(
    HttpCache,
    Effect.map(CacheClient, (client) =>
      HttpCache.of((handler, { endpoint, group }) => {
        checkGroup(group)
        const policy = policyOf(endpoint)
        return policy === undefined ? handler : cached(client, handler, nameOf(group, endpoint), endpoint, policy)
      })
    )
  )

  /**
   * Checks each policy of an API: what is checked while its routes are built, and that none is where nobody sees it, in a group
   * without this middleware, which only the whole API tells. For a test, or for the start of a server.
   *
   * Fails with `CacheError` (`InvalidOption` or `InvalidKey`).
   */
  static readonly check = (api: HttpApi.Constraint): Effect.Effect<void, CacheError> =>
    checked(() => {
      const { annotations, groups, identifier } = api as HttpApi.Top
      const keys = new Map<string, string>()
      if (policyOf({ annotations }) !== undefined) throw misplaced(`the API ${identifier}`)
      for (const group of Object.values(groups)) {
        checkGroup(group, keys)
        for (const endpoint of Object.values(group.endpoints)) {
          const policy = policyOf(endpoint)
          if (policy === undefined) continue
          const name = nameOf(group, endpoint)
          const { granted, key, options } = readyUnsafe(name, endpoint, policy)
          makeCache(name, unasked, key, options, () => unasked, endpointOptions, granted)
        }
      }
    })
}

/** A check asks no handler. */
const unasked = () => Effect.never

const nameOf = (group: HttpApiGroup.Top, endpoint: HttpApiEndpoint.Top): string =>
  `${group.identifier}.${endpoint.identifier}`

const misplaced = (where: string): CacheError =>
  invalidOptionAs(
    "the place of a CachePolicy",
    where,
    "an endpoint. For all endpoints that a group has: .annotateEndpoints(CachePolicy, ...)"
  )

/** Two responses under one key: who asks for one would get the other. A name has the path in its key. `keys`: whose they are so far. */
const checkKey = (group: HttpApiGroup.Top, endpoint: HttpApiEndpoint.Top, keys: Map<string, string>): void => {
  const key: unknown = policyOf(endpoint)?.key
  if (endpoint.method !== "GET" || typeof key !== "string" || !key.includes("{")) return
  // The names of placeholders stand in no key.
  const kind = key.replace(/\{[^{}]*\}/g, "{}")
  const other = keys.get(kind)
  if (other !== undefined) {
    throw invalidOptionAs(
      `key of ${nameOf(group, endpoint)}`,
      `${JSON.stringify(key)}, as that of ${other} is`,
      "one for each endpoint with GET, for one would be answered with the response of the other: give it its own text, " +
        'such as "user-name:{id}"'
    )
  }
  keys.set(kind, nameOf(group, endpoint))
}

/** A policy that nobody sees is one that somebody relies on. */
const checkGroup = (group: HttpApiGroup.Top, keys = new Map<string, string>()): void => {
  if (policyOf(group) !== undefined) throw misplaced(`the group ${group.identifier}`)
  for (const endpoint of Object.values(group.endpoints)) {
    if (policyOf(endpoint) === undefined) continue
    checkKey(group, endpoint, keys)
    if ([...endpoint.middlewares].some(({ key }) => key === HttpCache.key)) continue
    throw invalidOptionAs(
      `the middleware of ${nameOf(group, endpoint)}`,
      "without HttpCache",
      "HttpCache, for it has a CachePolicy. A middleware of a group is on the endpoints that were there when it was added: " +
        "add it after them, or make the endpoint with `cachedEndpoint`"
    )
  }
}

/** What `cachedResponse` is told of an endpoint. Throws `CacheError`. */
const readyUnsafe = (name: string, endpoint: HttpApiEndpoint.Top, policy: CachePolicyOptions) => {
  const { ignore: _, key = name, sameFor, sameForAll: __, skips: ___, ...rest } = policy
  if (typeof key !== "string") throw invalidOption(`key of ${name}`, key, "a text")
  const audience = optionsOf(name, () => {
    const found = audienceOf(name, endpoint, HttpCache.key, policy)
    checkInputs(name, endpoint, policy, found.authenticated)
    return found
  })
  // Its functions take more than an exchange, and are given it.
  const options = toldMore(name, {
    ...(rest as unknown as ResponseOptions),
    authenticated: audience.authenticated
  })
  const granted: Partial<Policy> = audience.shares
    ? {
        allowsAuthorization: true,
        allowsCookie: true,
        personal: true,
        credentials: audience.headers,
        credentialQuery: audience.parameters,
        sameFor
      }
    : {}
  return { key, options, granted }
}

const cached = <E, R>(
  client: CacheClient["Service"],
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  name: string,
  endpoint: HttpApiEndpoint.Top,
  policy: CachePolicyOptions
) => {
  const { granted, key, options } = readyUnsafe(name, endpoint, policy)
  const stored = (policy: Policy) => leavesMore(endpoint, declared(handler, policy, endpoint), options)
  return cachedWith(name, client, handler, key, options, granted, stored)
}

/** The signature of `cachedEndpoint`: curried or data-first. */
export interface CachedEndpoint {
  <E extends HttpApiEndpoint.Constraint>(
    policy: CachePolicyOptions<ExchangeOf<E>>
  ): (endpoint: E) => HttpApiEndpoint.AddMiddleware<E, HttpCache>
  <E extends HttpApiEndpoint.Constraint>(
    endpoint: E,
    policy: CachePolicyOptions<ExchangeOf<E>>
  ): HttpApiEndpoint.AddMiddleware<E, HttpCache>
}

/**
 * An endpoint with a policy and the middleware that keeps to it. The functions of the policy have path and query in the types
 * of the endpoint. Use it before other middleware is added, which then runs ahead of it.
 */
export const cachedEndpoint: CachedEndpoint = ((first: unknown, second?: CachePolicyOptions) => {
  const add = (endpoint: unknown, policy: CachePolicyOptions) =>
    (endpoint as HttpApiEndpoint.Top).annotate(CachePolicy, policy).middleware(HttpCache)
  return second === undefined ? (endpoint: unknown) => add(endpoint, first as CachePolicyOptions) : add(first, second)
}) as never
