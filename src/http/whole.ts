/**
 * The request as a load sees it. The response is for the store, so it is to be a whole one, whatever the client asked for,
 * and made of nothing that the key does not hold: neither of other cookies, nor of another spelling of the host.
 */
import { Cookies, Headers, type HttpServerRequest } from "effect/http"
import { countedCookies } from "./cookies.ts"
import type { Policy } from "./options.ts"
import { placeOf } from "./place.ts"
import { headerValue } from "./semantics.ts"

type Request = HttpServerRequest.HttpServerRequest

/** What makes a response to GET less than the whole. */
const conditions = ["if-none-match", "if-modified-since", "if-range"]

/**
 * Whether a whole response can be had for this request. Handlers may look at `source` too: where that is a web `Request`,
 * it is replaced; where it is anything else (the `IncomingMessage` of Node), a HEAD stays one for who looks there.
 */
export const canBeWhole = ({ method, source }: Request): boolean =>
  method === "GET" || source instanceof globalThis.Request

const view = (request: Request, headers: Headers.Headers, originalUrl: string, source: object): Request =>
  Object.create(request, {
    method: { value: "GET" },
    headers: { value: headers },
    cookies: { value: Cookies.parseHeader(headers["cookie"] ?? "") },
    originalUrl: { value: originalUrl },
    source: { value: source },
    // The original would make a copy of itself, with its method and headers.
    modify: {
      value: (options: Parameters<Request["modify"]>[0]) => {
        const modified = request.modify({ ...options, headers: options.headers ?? headers })
        return view(modified, modified.headers, originalUrl, source)
      }
    }
  })

/** The changes to the headers: `undefined` takes one away. */
type Changes = Record<string, string | undefined>

const changesOf = (request: Request, policy: Policy, host: string | undefined): Changes => {
  const { headers, source } = request
  const web = source instanceof globalThis.Request ? source : undefined
  const changes: Changes = {}
  for (const name of conditions) {
    if (headers[name] !== undefined || web?.headers.has(name) === true) changes[name] = undefined
  }
  const counted = countedCookies(headers["cookie"], policy)
  // A middleware may have changed them in one place only.
  const there = web?.headers.get("cookie") ?? counted
  if (counted !== headers["cookie"] || counted !== there) changes["cookie"] = counted
  if (host !== undefined && host !== "" && headers["host"] !== host) changes["host"] = host
  return changes
}

/** Node's message with other headers. Its `rawHeaders` are left, for nobody takes those for what they say. */
const messageWith = (source: object, headers: Headers.Headers): object =>
  "headers" in source && "rawHeaders" in source
    ? Object.create(source, {
        headers: { value: { ...headers } },
        rawHeaders: { value: Object.entries(headers).flat() }
      })
    : source

/**
 * The request as a GET without conditions, with the cookies that count, and, where the key holds the host, with the host as
 * it stands there. Only where it `canBeWhole`.
 */
export const wholeOf = (request: Request, policy: Policy, byHost: boolean): Request => {
  const { method, originalUrl, source } = request
  const web = source instanceof globalThis.Request ? source : undefined
  const place = byHost ? placeOf(request) : undefined
  const changes = changesOf(request, policy, place?.host)
  const origin = place === undefined || place.host === "" ? "" : `${place.scheme}://${place.host}`
  const moved = origin !== "" && !originalUrl.startsWith("/") && !originalUrl.startsWith(`${origin}/`)
  const names = Object.keys(changes)
  if (method === "GET" && names.length === 0 && !moved) return request

  const url = moved ? origin + place!.path + (place!.query === "" ? "" : `?${place!.query}`) : originalUrl
  let headers = Headers.removeMany(request.headers, names)
  const sent = new globalThis.Headers(web?.headers)
  for (const [name, value] of Object.entries(changes)) {
    if (value !== undefined) headers = Headers.set(headers, name, value)
    if (value === undefined || !headerValue.test(value)) sent.delete(name)
    else sent.set(name, value)
  }
  if (web === undefined) return view(request, headers, url, names.length === 0 ? source : messageWith(source, headers))
  const whole = new globalThis.Request(web, { method: "GET", headers: sent })
  return view(request, headers, url, moved ? new globalThis.Request(url, whole) : whole)
}
