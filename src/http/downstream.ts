/**
 * What caches behind this one may keep: those of browsers, proxies and networks. An invalidation does not reach them, and
 * they do not know which requests pass by this one.
 */
import { Effect, type Fiber } from "effect"
import { Cookies, HttpEffect, HttpServerResponse } from "effect/http"
import { isDone } from "../internal/isDone.ts"
import type { Policy } from "./options.ts"
import { directivesOf } from "./freshness.ts"
import { listOf } from "./semantics.ts"

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
 * Whether a header is for some caches alone, which then do not look at `Cache-Control`: `CDN-Cache-Control` and those of one CDN
 * (RFC 9213), and what there was before them.
 */
export const isTargeted = (name: string): boolean =>
  name.endsWith("-control")
    ? name.endsWith("-cache-control") || name === "surrogate-control" || name === "edge-control"
    : name === "x-accel-expires"

/** Whether they may keep a response because of it. */
const letsKeep = (name: string, value: string): boolean => {
  if (name === "x-accel-expires") return value.trim() !== "0"
  // Those before RFC 9213 say other things as well.
  return isKeepable(value) && (name.endsWith("-cache-control") || /max-?age/i.test(value))
}

/**
 * `Vary` with all that the policy tells apart, and, where caches for many may keep the response, with credentials: requests
 * with them get other ones, also where they pass by this cache.
 */
export const varyWith = (
  vary: string | undefined,
  policy: Policy,
  forMany: boolean,
  seesCookies = policy.ignoreCookies !== true
): string | undefined => {
  const names = new Set(listOf(vary))
  if (names.has("*")) return "*"
  for (const name of policy.covered) names.add(name)
  if (policy.secretCookies.length > 0) names.add("cookie")
  if (forMany) {
    names.add("authorization")
    if (seesCookies) names.add("cookie")
    for (const name of policy.credentials) names.add(name)
  }
  return names.size === 0 ? undefined : [...names].join(", ")
}

/** Changes in the headers of an answer what caches behind read, and says whether those for many may keep it. */
export const tellCaches = (headers: Record<string, string>, policy: Policy, seesCookies?: boolean): boolean => {
  let forMany = isKeepable(headers["cache-control"])
  for (const name in headers) {
    if (!isTargeted(name) || !letsKeep(name, headers[name]!)) continue
    // Hardly any of these caches looks at `Vary`. Who has to ask each time is told by us what is whose.
    if (!policy.personal || directivesOf(headers[name]).has("no-cache")) forMany = true
    else delete headers[name]
  }
  if (forMany) headers["vary"] = varyWith(headers["vary"], policy, true, seesCookies)!
  return forMany
}

/** The same for what passes by the cache; what says nothing of caches is for none. */
export const passing = (response: Response, policy: Policy, method: string): Response => {
  if (method !== "GET" && method !== "HEAD") return response
  const headers: Record<string, string> = { ...response.headers }
  if (headers["cache-control"] === undefined && headers["expires"] === undefined) headers["cache-control"] = askEachTime
  // What passes by was made by a handler that has seen all cookies, whatever makes no difference to what is stored.
  if (!tellCaches(headers, policy, true)) {
    const vary = varyWith(headers["vary"], policy, false)
    if (vary !== undefined) headers["vary"] = vary
  }
  return HttpServerResponse.setHeaders(
    without(response, (name) => !(name in headers)),
    headers
  )
}

const without = (response: Response, isGone: (name: string) => boolean): Response =>
  Object.keys(response.headers)
    .filter(isGone)
    .reduce((left, name) => HttpServerResponse.removeHeader(left, name), response)

const ofOne = (response: Response): boolean =>
  response.headers["set-cookie"] !== undefined || !Cookies.isEmpty(response.cookies)

/** The last look at a response: one that sets a cookie is for its client alone. */
export const guard: HttpEffect.PreResponseHandler = (_, response) => Effect.succeed(guardedOf(response))

const guardedOf = (response: Response): Response => {
  if (!ofOne(response)) return response
  const { headers } = response
  const rest = without(response, (name) => isTargeted(name) && letsKeep(name, headers[name]!))
  return isKeepable(headers["cache-control"])
    ? HttpServerResponse.removeHeader(HttpServerResponse.setHeader(rest, "cache-control", askEachTime), "expires")
    : rest
}

/**
 * Looks at a response once more before it is sent, when what is outside of the handler has had its say. `failed`: what is said of
 * the response that a failure becomes out there.
 */
export const guarded = <E, R>(
  { context }: Fiber.Fiber<unknown, unknown>,
  responded: Effect.Effect<Response, E, R>,
  failed: (response: Response) => Response
): Effect.Effect<Response, E, R> => {
  if (isDone(responded)) {
    HttpEffect.appendPreResponseHandlerUnsafe(context, guard)
    return responded
  }
  return Effect.matchCauseEffect(responded, {
    onSuccess: (response) => {
      HttpEffect.appendPreResponseHandlerUnsafe(context, guard)
      return Effect.succeed(response)
    },
    onFailure: (cause) => {
      HttpEffect.appendPreResponseHandlerUnsafe(context, (_, response) => Effect.succeed(guardedOf(failed(response))))
      return Effect.failCause(cause)
    }
  })
}
