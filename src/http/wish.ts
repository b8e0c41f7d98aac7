/**
 * What a request asks of the cache (RFC 9111, 5.2.1).
 */
import type { HttpServerRequest } from "effect/http"
import type { Forward } from "./cacheStatus.ts"
import { allIgnored } from "./cookies.ts"
import { directivesOf, seconds } from "./freshness.ts"
import type { Policy } from "./options.ts"
import { isOfBytes } from "./range.ts"

export interface Wish {
  /** Why the request goes by the cache: neither read nor stored. */
  readonly around: Forward | undefined
  /** Load anew, and store. */
  readonly refresh: boolean
  /** A part of what is stored; where nothing is, the request is the handler's. */
  readonly part: boolean
  /** Load anew what is older than so many seconds, or has fewer left. */
  readonly maxAge: number
  readonly minFresh: number
  /** Rather than asking the handler, answer 504. */
  readonly onlyIfCached: boolean
}

const anything: Wish = {
  around: undefined,
  refresh: false,
  part: false,
  maxAge: Infinity,
  minFresh: 0,
  onlyIfCached: false
}

const none: ReadonlyMap<string, string> = new Map()

const aroundOf = (
  { headers, method }: HttpServerRequest.HttpServerRequest,
  policy: Policy,
  control: ReadonlyMap<string, string>
): Forward | undefined => {
  if (method !== "GET" && method !== "HEAD") return { fwd: "method" }
  if (headers["authorization"] !== undefined && !policy.allowsAuthorization) {
    return { fwd: "bypass", detail: "authorization" }
  }
  const cookie = headers["cookie"]
  if (cookie !== undefined && !policy.allowsCookie && !allIgnored(cookie, policy)) {
    return { fwd: "bypass", detail: "cookie" }
  }
  // Preconditions on changes are the handler's; and the key knows no bodies.
  if (headers["if-match"] !== undefined || headers["if-unmodified-since"] !== undefined) {
    return { fwd: "bypass", detail: "precondition" }
  }
  if (headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0") {
    return { fwd: "bypass", detail: "body" }
  }
  if (headers["upgrade"]?.toLowerCase().includes("websocket") === true) return { fwd: "bypass", detail: "upgrade" }
  if (headers["range"] !== undefined && !isOfBytes(headers["range"])) return { fwd: "bypass", detail: "range" }
  return control.has("no-store") ? { fwd: "request", detail: "no-store" } : undefined
}

/** `max-stale` is not looked at: nothing stale is ever handed out. */
export const wishOf = (request: HttpServerRequest.HttpServerRequest, policy: Policy): Wish => {
  const { headers } = request
  const header = headers["cache-control"]
  const control = header === undefined ? none : directivesOf(header)
  const around = aroundOf(request, policy, control)
  const part = headers["range"] !== undefined
  if (header === undefined) {
    const refresh = headers["pragma"]?.toLowerCase().includes("no-cache") === true
    return around === undefined && !refresh && !part ? anything : { ...anything, around, part, refresh }
  }
  const maxAge = control.get("max-age")
  const least = maxAge === undefined ? Infinity : seconds(maxAge)
  return {
    around,
    refresh: control.has("no-cache") || least === 0,
    part,
    maxAge: least,
    minFresh: seconds(control.get("min-fresh") ?? ""),
    onlyIfCached: around?.fwd !== "method" && control.has("only-if-cached")
  }
}
