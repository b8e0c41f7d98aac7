/**
 * What may be stored of a response (RFC 9111, 3).
 *
 * `http-cache-semantics` is not used: it decides for a proxy that knows nothing of the handler (it stores other methods
 * and statuses, guesses lifetimes, has a clock of its own), and the rules here are stricter.
 */
import { Cookies, type HttpServerResponse } from "effect/http"
import { directivesOf, type Exchanged, freshnessOf } from "./freshness.ts"
import type { Policy } from "./options.ts"

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

/** The names in a header that is a list of them, in lower case. */
export const listOf = (header: string | undefined): ReadonlyArray<string> =>
  header === undefined
    ? []
    : header
        .toLowerCase()
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "")

/** What of a response would be stored. */
export interface Storable {
  readonly status: number
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: Uint8Array
  /** What the response itself allows, in milliseconds; `Infinity` where it says nothing. */
  readonly maxMillis: number
  /** The age it had when it was loaded, in milliseconds. */
  readonly ageMillis: number
}

const noBytes = new Uint8Array(0)

/** Whether requests with this header pass by, so that all that share a response have none. */
const passesWith = (name: string, { allowsAuthorization, allowsCookie, ignoreCookies }: Policy): boolean =>
  name === "authorization" ? !allowsAuthorization : name === "cookie" && !allowsCookie && ignoreCookies === undefined

/** What may be stored of a response, or in a word why it may not be. */
export const storableOf = (
  response: HttpServerResponse.HttpServerResponse,
  policy: Policy,
  exchanged: Exchanged
): Storable | string => {
  const { body, headers, status } = response
  if (!policy.statuses.has(status)) return "status"
  // A cached cookie would log one user in as another.
  if (headers["set-cookie"] !== undefined || !Cookies.isEmpty(response.cookies)) return "set-cookie"
  if (body._tag !== "Uint8Array" && body._tag !== "Empty") return "stream"
  if (body._tag === "Uint8Array" && body.contentLength > policy.maxBodyBytes) return "size"
  const control = directivesOf(headers["cache-control"])
  // Beside `must-understand`, `no-store` is for who does not know the status (RFC 9111, 5.2.2.3).
  const understood = status === 200 && control.has("must-understand")
  if (control.has("private") || control.has("no-cache") || (control.has("no-store") && !understood)) {
    return "cache-control"
  }
  if (headers["cache-control"] === undefined && headers["pragma"]?.toLowerCase().includes("no-cache") === true) {
    return "pragma"
  }
  // `*` is never covered, because it is no header's name.
  if (listOf(headers["vary"]).some((name) => !policy.covered.has(name) && !passesWith(name, policy))) return "vary"
  // Not every client can read it, and nothing in the key says which can.
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? ""
  if (encoding !== "" && encoding !== "identity" && !policy.covered.has("accept-encoding")) return "content-encoding"
  const { ageMillis, leftMillis } = freshnessOf(headers, exchanged)
  if (!(leftMillis > 0)) return "expired"

  const named = listOf(headers["connection"])
  const kept: Array<readonly [string, string]> = []
  for (const [name, value] of Object.entries(headers)) {
    if (dropped.has(name) || named.includes(name)) continue
    if (!headerName.test(name) || !headerValue.test(value)) return "header"
    kept.push([name, value])
  }
  // A copy, as they are the handler's: it may use the buffer again, and a small part would keep a large one in memory.
  const bytes = body._tag === "Empty" ? noBytes : new Uint8Array(body.body)
  return { status, headers: kept, body: bytes, maxMillis: leftMillis, ageMillis }
}
