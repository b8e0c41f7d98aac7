/**
 * Who may see the response of an endpoint, as far as the API says.
 *
 * Middleware that is added later runs first, so what an endpoint has before `HttpCache` is inside of it: a response from the
 * cache goes without it. That may never be what authenticates. Not even where the key holds the credential: one that was
 * revoked, or has expired, would open the cache for as long as an entry lives.
 */
import { type HttpApiEndpoint, HttpApiMiddleware, type HttpApiSecurity } from "effect/http-api"
import { Effect, type Schema } from "effect"
import { invalidOption, invalidOptionAs } from "../internal/invalidOption.ts"
import { strings } from "../region/checks.ts"
import { statusesOf } from "./declaredErrors.ts"
import { compileName } from "./key.ts"
import type { CachePolicyOptions } from "./policies.ts"

type Middleware = HttpApiMiddleware.AnyService

/** What `authenticated` calls a credential. */
const credentialOf = (security: HttpApiSecurity.HttpApiSecurity): string => {
  switch (security._tag) {
    case "Http":
    case "Basic":
      return "authorization"
    case "ApiKey":
      return security.in === "header" ? security.key.toLowerCase() : `${security.in}:${security.key}`
  }
}

/** Answers that say that somebody may not see what he asked for. */
const refusals = [401, 403, 407]

const refuses = (schema: Schema.Top): boolean => statusesOf(schema).some((status) => refusals.includes(status))

/** Whether it decides who may go on. What it does not declare cannot be known. */
const guards = (one: Middleware): boolean => HttpApiMiddleware.isSecurity(one) || [...one.error].some(refuses)

const quoted = (all: ReadonlyArray<Middleware>): string => all.map(({ key }) => `"${key}"`).join(", ")

/** Middleware inside of the cache, and outside, innermost first. */
const sidesOf = (endpoint: HttpApiEndpoint.Top, cache: string) => {
  const all = [...endpoint.middlewares] as unknown as ReadonlyArray<Middleware>
  const at = all.findIndex(({ key }) => key === cache)
  return { inside: all.slice(0, at), outside: all.slice(at + 1) }
}

const checkInside = (name: string, inside: ReadonlyArray<Middleware>, options: CachePolicyOptions): void => {
  const guarding = inside.filter(guards)
  if (guarding.length > 0) {
    throw invalidOptionAs(
      `the order of middleware of ${name}`,
      `HttpCache before ${quoted(guarding)}`,
      "what decides who may see a response to run before HttpCache, which would answer in its place: what is added later " +
        "runs first, so add HttpCache first, and then the other: .middleware(HttpCache).middleware(...)"
    )
  }
  const named: ReadonlyArray<{ readonly key: string }> = options.skips ?? []
  if (!Array.isArray(named) || !named.every((one) => typeof one?.key === "string")) {
    throw invalidOption(`skips of ${name}`, named, "an array of middleware")
  }
  const skips = new Set(named.map(({ key }) => key))
  const skipped = inside.filter(({ key }) => !skips.has(key))
  if (skipped.length > 0) {
    throw invalidOptionAs(
      `the order of middleware of ${name}`,
      `HttpCache before ${quoted(skipped)}`,
      "other middleware to run before HttpCache: what is added later runs first, so add HttpCache first. Where a response " +
        "from the cache may go without it, name it in the `skips` of the policy"
    )
  }
}

/** Whose response is whose. */
export interface Audience {
  /** The credentials that are part of the key. */
  readonly authenticated: ReadonlyArray<string>
  /** The headers in which the endpoint declares credentials. */
  readonly headers: ReadonlyArray<string>
  /** The query parameters in which it does. */
  readonly parameters: ReadonlyArray<string>
  /** No credential is, though requests have some. */
  readonly shares: boolean
}

/** Throws `CacheError` (`InvalidOption`) where one could get the response of another, or one that he may not see. */
export const audienceOf = (
  name: string,
  endpoint: HttpApiEndpoint.Top,
  cache: string,
  options: CachePolicyOptions
): Audience => {
  const { sameFor, sameForAll = false } = options
  if (typeof sameForAll !== "boolean") throw invalidOption(`sameForAll of ${name}`, sameForAll, "true or false")
  if (sameFor !== undefined && (sameForAll || !Effect.isEffect(sameFor))) {
    const expected = "an effect that gives a text, and none beside `sameForAll`"
    throw invalidOptionAs(`sameFor of ${name}`, Effect.isEffect(sameFor) ? "an effect" : typeof sameFor, expected)
  }
  const shares = sameForAll || sameFor !== undefined
  const { inside, outside } = sidesOf(endpoint, cache)
  checkInside(name, inside, options)
  const declared = outside.filter(HttpApiMiddleware.isSecurity).flatMap(({ security }) => Object.values(security))
  const credentials = [...new Set(declared.map(credentialOf))]
  const headers = credentials.flatMap((one) =>
    one.startsWith("query:") ? [] : one.startsWith("cookie:") ? "cookie" : one
  )
  const parameters = credentials.filter((one) => one.startsWith("query:")).map((one) => one.slice(6))
  const named = strings("authenticated", options.authenticated ?? [])
  if (options.shared === true && (credentials.length > 0 || shares)) {
    throw invalidOptionAs(
      `shared of ${name}`,
      "true",
      "false where middleware authenticates: a cache that is shared would answer in its place"
    )
  }
  if (shares) {
    if (named.length > 0) {
      throw invalidOption(
        `authenticated of ${name}`,
        named,
        "none beside `sameForAll` and `sameFor`, which say that they make no difference"
      )
    }
    const counts = options.key?.includes("{") === true ? compileName(options.key).placeholders : options.query
    if (parameters.some((one) => counts === undefined || counts.includes(one))) {
      throw invalidOptionAs(
        counts === options.query ? `query of ${name}` : `key of ${name}`,
        counts === undefined ? "not given" : `with "${parameters.join('", "')}"`,
        "the names of the parameters that count, of which the credential is none: it is to make no difference"
      )
    }
    return { authenticated: [], headers, parameters, shares }
  }
  const known = [
    ...credentials,
    ...named,
    ...strings("vary", options.vary ?? []).filter((one) => /^(authorization|cookie)$/i.test(one))
  ]
  const deciding = outside.filter(guards)
  if (known.length === 0 && (deciding.length > 0 || [...endpoint.error].some(refuses))) {
    throw invalidOptionAs(
      `authenticated of ${name}`,
      "not given",
      `the credentials by which ${deciding.length > 0 ? quoted(deciding) : "its handler"} answers with 401 or 403 and which ` +
        'no `security` declares, such as ["x-api-key"]. Where the response is the same for all who may see it: `sameForAll: true`'
    )
  }
  return { authenticated: [...new Set([...named, ...credentials])], headers, parameters, shares }
}
