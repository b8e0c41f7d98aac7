/**
 * The part of HTTP caching (RFC 9111, RFC 9110) that decides: what a request asks of the cache, and what may be stored.
 *
 * `http-cache-semantics` is not used: it decides for a proxy that knows nothing of the handler (it stores other methods
 * and statuses, guesses lifetimes, has a clock of its own), and the rules here are stricter.
 */
import { DateTime, Result } from "effect"
import { Cookies, Headers, type HttpServerRequest, type HttpServerResponse } from "effect/http"
import { allIgnored } from "./cookies.ts"
import type { Policy } from "./options.ts"

/**
 * The directives of a `Cache-Control`, in lower case. Quotes are not looked into: what is inside a quoted list counts as
 * directives too, and so errs towards not storing. Exported for the test with headers of an attacker.
 */
export const directivesOf = (header: string | undefined): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  if (header === undefined) return found
  for (const piece of header.toLowerCase().split(",")) {
    const at = piece.indexOf("=")
    const name = (at === -1 ? piece : piece.slice(0, at)).trim()
    // The first of a repeated directive counts, unless a later one is stricter; `max-age` is the one with degrees.
    const value =
      at === -1
        ? ""
        : piece
            .slice(at + 1)
            .trim()
            .replace(/^"|"$/g, "")
    const before = found.get(name)
    if (name !== "" && (before === undefined || seconds(value) < seconds(before))) found.set(name, value)
  }
  return found
}

/** A number of seconds; what is none counts as zero, as RFC 9111 asks for. */
const seconds = (text: string): number => (/^\d+$/.test(text) ? Math.min(Number(text), 2_147_483_648) : 0)

/**
 * What a request asks for. `"bypass"`: neither read nor store. `"refresh"`: load anew and store. Otherwise read, and load
 * anew what is older than so many seconds.
 */
export type Wish = "bypass" | "refresh" | { readonly maxAge: number }

const anyAge: Wish = { maxAge: Infinity }

export const wishOf = (request: HttpServerRequest.HttpServerRequest, policy: Policy): Wish => {
  const { headers, method } = request
  if (method !== "GET" && method !== "HEAD") return "bypass"
  if (headers["authorization"] !== undefined && !policy.allowsAuthorization) return "bypass"
  const cookie = headers["cookie"]
  if (cookie !== undefined && !policy.allowsCookie && !allIgnored(cookie, policy)) return "bypass"
  // A part of a response is not the response; preconditions on changes are the handler's; and the key knows no bodies.
  if (
    headers["range"] !== undefined ||
    headers["if-match"] !== undefined ||
    headers["if-unmodified-since"] !== undefined ||
    headers["transfer-encoding"] !== undefined ||
    (headers["content-length"] ?? "0") !== "0" ||
    headers["upgrade"]?.toLowerCase().includes("websocket") === true
  )
    return "bypass"
  const control = headers["cache-control"]
  if (control === undefined) return headers["pragma"]?.toLowerCase().includes("no-cache") === true ? "refresh" : anyAge
  const directives = directivesOf(control)
  if (directives.has("no-store")) return "bypass"
  if (directives.has("no-cache")) return "refresh"
  const maxAge = directives.get("max-age")
  return maxAge === undefined ? anyAge : seconds(maxAge) === 0 ? "refresh" : { maxAge: seconds(maxAge) }
}

/** Of one connection, or made anew for each response: never stored, and never believed if a store holds them. */
export const dropped: ReadonlySet<string> = new Set([
  "age",
  "connection",
  "content-length",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "trailers",
  "transfer-encoding",
  "upgrade",
  "x-cache"
])

export const headerName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
/** What may be sent: no line breaks, no controls, nothing beyond a byte. */
export const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/

const listOf = (header: string | undefined): ReadonlyArray<string> =>
  header === undefined
    ? []
    : header
        .toLowerCase()
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "")

/** What of a response would be stored. */
export interface Storable {
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: Uint8Array
  /** What the response itself allows, in milliseconds; `Infinity` where it says nothing. */
  readonly maxMillis: number
  /** The age it had when it was loaded, in milliseconds. */
  readonly ageMillis: number
}

const noBytes = new Uint8Array(0)

/**
 * What may be stored of a response, or `undefined`. Only status 200 is: errors and redirects are short-lived, and a
 * handler that fails once must not fail for a whole TTL.
 */
export const storableOf = (
  response: HttpServerResponse.HttpServerResponse,
  policy: Policy,
  now: number
): Storable | undefined => {
  const { body, headers } = response
  if (response.status !== 200) return undefined
  // A cached cookie would log one user in as another.
  if (headers["set-cookie"] !== undefined || !Cookies.isEmpty(response.cookies)) return undefined
  if (body._tag !== "Uint8Array" && body._tag !== "Empty") return undefined
  if (body._tag === "Uint8Array" && body.contentLength > policy.maxBodyBytes) return undefined
  const control = directivesOf(headers["cache-control"])
  if (control.has("private") || control.has("no-store") || control.has("no-cache")) return undefined
  if (headers["cache-control"] === undefined && headers["pragma"]?.toLowerCase().includes("no-cache") === true) {
    return undefined
  }
  // `*` is never covered, because it is no header's name.
  if (listOf(headers["vary"]).some((name) => !policy.covered.has(name))) return undefined
  // Not every client can read it, and nothing in the key says which can.
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? ""
  if (encoding !== "" && encoding !== "identity" && !policy.covered.has("accept-encoding")) return undefined

  const ageMillis = seconds(headers["age"] ?? "") * 1000
  const allowed = control.get("s-maxage") ?? control.get("max-age")
  let maxMillis = Infinity
  if (allowed !== undefined) maxMillis = seconds(allowed) * 1000 - ageMillis
  else if (headers["expires"] !== undefined) {
    const expires = Headers.parseHttpDate(headers["expires"])
    maxMillis = Result.isSuccess(expires) ? DateTime.toEpochMillis(expires.success) - now : 0
  }
  if (!(maxMillis > 0)) return undefined

  const named = listOf(headers["connection"])
  const kept: Array<readonly [string, string]> = []
  for (const [name, value] of Object.entries(headers)) {
    if (dropped.has(name) || named.includes(name)) continue
    if (!headerName.test(name) || !headerValue.test(value)) return undefined
    kept.push([name, value])
  }
  const bytes = body._tag === "Empty" ? noBytes : body.body
  return { headers: kept, body: bytes, maxMillis, ageMillis }
}

const opaque = (etag: string): string => (etag.startsWith("W/") ? etag.slice(2) : etag)

/** Whether `If-None-Match` names this entity tag, by weak comparison. */
export const noneMatches = (header: string | undefined, etag: string): boolean => {
  if (header === undefined) return false
  const wanted = header.trim()
  if (wanted === "*" || opaque(wanted) === opaque(etag)) return true
  const tags: ReadonlyArray<string> = wanted.match(/"[^"]*"/g) ?? []
  return tags.includes(opaque(etag))
}

/** Whether a 304 carries the header: those that describe the body stay at home. */
export const goesWith304 = (name: string): boolean =>
  !name.startsWith("content-") || name === "content-location" || name === "content-security-policy"
