/**
 * What caches behind this one may keep: those of browsers, proxies and networks. An invalidation does not reach them, and
 * they do not know which requests pass by this one.
 */
import { Effect, type Fiber } from "effect"
import { Cookies, HttpEffect, HttpServerResponse } from "effect/http"
import type { Policy } from "./options.ts"
import { directivesOf } from "./freshness.ts"

type Response = HttpServerResponse.HttpServerResponse

/** Browsers keep it and ask each time; nobody else does. */
export const askEachTime = "private, no-cache"

/** Whether a cache for many may keep a response with this `Cache-Control`. Without any, some do. */
export const isKeepable = (control: string | undefined): boolean => {
  if (control === askEachTime) return false
  const directives = directivesOf(control)
  // With names, `private` is of these headers alone.
  return (!directives.has("no-store") || directives.has("must-understand")) && directives.get("private") !== ""
}

/**
 * The `Vary` of a response that caches behind may keep: requests with credentials get other ones, also where they pass by
 * this cache.
 */
const withCredentials = (vary: string | undefined, { credentials, ignoreCookies }: Policy): string => {
  const names = new Set((vary ?? "").split(",").map((name) => name.trim().toLowerCase()))
  names.delete("")
  if (names.has("*")) return "*"
  names.add("authorization")
  if (ignoreCookies !== true) names.add("cookie")
  for (const name of credentials) names.add(name)
  return [...names].join(", ")
}

/** Adds to the headers of an answer what caches behind need to know. */
export const tellCaches = (headers: Record<string, string>, policy: Policy): void => {
  if (isKeepable(headers["cache-control"])) headers["vary"] = withCredentials(headers["vary"], policy)
}

/** The same for what passes by the cache; what says nothing of caches is for none. */
export const passing = (response: Response, policy: Policy, method: string): Response => {
  const { headers } = response
  if (method !== "GET" && method !== "HEAD") return response
  if (headers["cache-control"] === undefined && headers["expires"] === undefined) {
    return HttpServerResponse.setHeader(response, "cache-control", askEachTime)
  }
  return isKeepable(headers["cache-control"])
    ? HttpServerResponse.setHeader(response, "vary", withCredentials(headers["vary"], policy))
    : response
}

const ofOne = (response: Response): boolean =>
  response.headers["set-cookie"] !== undefined || !Cookies.isEmpty(response.cookies)

/** The last look at a response: one that sets a cookie is for its client alone. */
const guard: HttpEffect.PreResponseHandler = (_, response) =>
  Effect.succeed(
    ofOne(response) && isKeepable(response.headers["cache-control"])
      ? HttpServerResponse.removeHeader(HttpServerResponse.setHeader(response, "cache-control", askEachTime), "expires")
      : response
  )

/** Looks at a response once more before it is sent, when what is outside of the handler has had its say. */
export const guarded = <E, R>({ context }: Fiber.Fiber<unknown, unknown>, responded: Effect.Effect<Response, E, R>) =>
  Effect.map(responded, (response) => {
    if (isKeepable(response.headers["cache-control"])) HttpEffect.appendPreResponseHandlerUnsafe(context, guard)
    return response
  })
