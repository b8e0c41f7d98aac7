/**
 * A caching reverse proxy: every request goes to one origin, with `cachedResponse` before it. How long a response is good for is what
 * the origin says of it, and what it says to caches goes out as it said it.
 */
import { Duration, Effect, Option, Result, Sink, Stream } from "effect"
import {
  Headers,
  HttpClient,
  HttpClientRequest,
  type HttpClientResponse,
  type HttpMethod,
  HttpRouter,
  type HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import { cachedResponse } from "effect-cache/http"

export interface ProxyOptions {
  /** Scheme, host and port of the origin, such as `http://127.0.0.1:8080`. */
  readonly origin: string
  /** Bodies of more bytes pass through as they come, and are not cached. Default 1 MiB. */
  readonly maxBodyBytes?: number | undefined
  /**
   * Cookies make no difference to the origin: it is never sent any, and requests with them are answered from the cache. Default
   * `false`: they pass by it.
   */
  readonly ignoreCookies?: boolean | undefined
}

/** Of one connection, not of the message (RFC 9110, 7.6.1). */
const ofConnection = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade"
]

const endToEnd = (headers: Headers.Headers): Headers.Headers => {
  const named = (headers["connection"] ?? "").split(",").map((name) => name.trim().toLowerCase())
  return Headers.removeMany(headers, [...ofConnection, ...named])
}

const appended = (headers: Headers.Headers, name: string, value: string): Headers.Headers =>
  Headers.set(headers, name, headers[name] === undefined ? value : `${headers[name]}, ${value}`)

/** What a request is for: Node's own server has the target alone, others a whole URL. */
const targetOf = ({ originalUrl }: HttpServerRequest.HttpServerRequest): URL =>
  new URL(originalUrl.startsWith("/") ? `http://localhost${originalUrl}` : originalUrl)

/** The request as the origin gets it. Its connection has a `Host` and an `Expect` of its own. */
const outgoing = (
  request: HttpServerRequest.HttpServerRequest,
  origin: string,
  ignoreCookies: boolean
): HttpClientRequest.HttpClientRequest => {
  const { pathname, search } = targetOf(request)
  // Part by part: of a path like `//host/` a URL that is put together would make another host.
  const url = new URL(origin)
  url.pathname = pathname
  url.search = search
  let headers = Headers.removeMany(endToEnd(request.headers), [
    "content-length",
    "expect",
    "host",
    ...(ignoreCookies ? ["cookie"] : [])
  ])
  headers = appended(headers, "via", "1.1 effect-cache")
  const client = Option.getOrUndefined(request.remoteAddress)
  if (client !== undefined) headers = appended(headers, "x-forwarded-for", client)
  const method = request.method as HttpMethod.HttpMethod
  const outgoing = HttpClientRequest.make(method)(url, { headers })
  const { "content-length": length, "transfer-encoding": encoding } = request.headers
  if (encoding === undefined && (length === undefined || length === "0")) return outgoing
  return HttpClientRequest.bodyStream(outgoing, request.stream, {
    contentType: request.headers["content-type"],
    contentLength: length === undefined ? undefined : Number(length)
  })
}

interface Read {
  readonly chunks: Array<Uint8Array>
  readonly bytes: number
}

/** What comes of a body until it has ended, or is larger than that. */
const upTo = (maxBytes: number) =>
  Sink.reduceWhile<Read, Uint8Array>(
    () => ({ chunks: [], bytes: 0 }),
    ({ bytes }) => bytes <= maxBytes,
    ({ bytes, chunks }, chunk) => {
      chunks.push(chunk)
      return { chunks, bytes: bytes + chunk.length }
    }
  )

const longest = Duration.days(365)
const heuristicShare = 0.1
const heuristicMost = Duration.days(1)
/** Statuses that may be kept where the origin says of no time (RFC 9110, 15.1). */
const heuristically = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])

const dateOf = (header: string | undefined): number | undefined => {
  const parsed = header === undefined ? undefined : Headers.parseHttpDate(header)
  return parsed === undefined || Result.isFailure(parsed) ? undefined : parsed.success.epochMilliseconds
}

/**
 * How long a response may be kept at most; `Cache-Control` and `Expires` shorten it. Without them it is a tenth of the time since it
 * was changed (RFC 9111, 4.2.2), and where the origin says nothing of either, there is no time for which it may.
 */
const lifetimeOf = (headers: Headers.Headers, status: number): Duration.Duration | undefined => {
  const control = headers["cache-control"] ?? ""
  if (/(^|[\s,])(s-maxage|max-age)=/i.test(control) || headers["expires"] !== undefined) return longest
  if (!heuristically.has(status) && !/(^|[\s,])public([\s,]|$)/i.test(control)) return undefined
  const changed = dateOf(headers["last-modified"])
  const sent = dateOf(headers["date"]) ?? Date.now()
  return changed === undefined || changed >= sent
    ? undefined
    : Duration.min(heuristicMost, Duration.millis((sent - changed) * heuristicShare))
}

/** A directive as RFC 9213 has it. A list with any other says nothing. */
const directive = /^(?:max-age|s-maxage)=\d{1,15}$|^(?!max-age|s-maxage)[a-z*][a-z0-9_.*-]*(?:=[^\s,;]+)?$/
const isTargeted = (header: string): boolean => header.split(",").every((one) => directive.test(one.trim()))

/** What the origin tells all caches, and where its words are while ours has its own. */
const words = ["cache-control", "content-encoding", "expires", "vary"] as const
const originally = (name: string): string => `x-origin-${name}`

/**
 * The headers as our cache is to see them: what `CDN-Cache-Control` says is for it, and counts in place of the rest (RFC 9213). What
 * the origin said to all is kept beside it. An encoding without a `Vary` is for all who ask: `cachedResponse` would doubt that.
 */
const forUs = (headers: Headers.Headers): Headers.Headers => {
  let told = headers
  for (const name of words) told = Headers.set(told, originally(name), headers[name] ?? "")
  told = Headers.remove(told, "content-encoding")
  const ours = headers["cdn-cache-control"]
  return ours === undefined || !isTargeted(ours)
    ? told
    : Headers.set(Headers.removeMany(told, ["expires", "pragma"]), "cache-control", ours)
}

/**
 * The response as it goes out: with the origin's own words, because it knows caches, and which pages are for whom. Other handlers
 * do not, so `cachedResponse` has put its own in their place.
 */
const forOthers = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse => {
  let out = response
  for (const name of words) {
    const said = response.headers[originally(name)]
    if (said === undefined) return response
    out = HttpServerResponse.removeHeader(out, originally(name))
    // A 416 is for nobody else, whatever may be done with the whole; and a 304 has no content.
    if (response.status === 416 || (response.status === 304 && name === "content-encoding")) continue
    out = said === "" ? HttpServerResponse.removeHeader(out, name) : HttpServerResponse.setHeader(out, name, said)
  }
  return out
}

/**
 * The response of the origin as one of ours: whole where it is small and has a lifetime, so that it can be stored. Any other passes as it
 * comes, and a stream is not stored.
 */
const incoming = Effect.fnUntraced(function*(
  response: HttpClientResponse.HttpClientResponse,
  method: string,
  maxBodyBytes: number
) {
  const streamed = HttpServerResponse.fromClientResponse(response)
  const headers = forUs(endToEnd(streamed.headers))
  const passed = (body: Stream.Stream<Uint8Array, unknown>) =>
    HttpServerResponse.stream(body, { status: response.status, headers, cookies: response.cookies })
  const large = Number(headers["content-length"] ?? "0") > maxBodyBytes
  if (method === "HEAD" || large || lifetimeOf(headers, response.status) === undefined) return passed(response.stream)
  const [{ bytes, chunks }, rest] = yield* Stream.peel(response.stream, upTo(maxBodyBytes))
  if (bytes > maxBodyBytes) return passed(Stream.concat(Stream.fromIterable(chunks), rest))
  const options = { status: response.status, headers, cookies: response.cookies }
  return bytes === 0 ? HttpServerResponse.empty(options) : HttpServerResponse.uint8Array(Buffer.concat(chunks), options)
})

/** Final statuses, but for those that answer a range or a condition: the origin says whether they may be kept. */
const statuses = Array.from({ length: 400 }, (_, i) => 200 + i).filter(
  (status) => ![206, 304, 412, 416].includes(status)
)

/** All methods and paths, sent to the origin. Its failures are 502. */
export const reverseProxy = ({ ignoreCookies = false, origin, maxBodyBytes = 1_048_576 }: ProxyOptions) => {
  const forward = (request: HttpServerRequest.HttpServerRequest) =>
    HttpClient.execute(outgoing(request, origin, ignoreCookies)).pipe(
      Effect.flatMap((response) => incoming(response, request.method, maxBodyBytes)),
      Effect.catchTag("HttpClientError", () => Effect.succeed(HttpServerResponse.empty({ status: 502 })))
    )
  const cached = cachedResponse("proxy", {
    ttl: ({ response }) => lifetimeOf(response.headers, response.status)!,
    storeIf: ({ response }) => lifetimeOf(response.headers, response.status) !== undefined,
    statuses,
    ignoreCookies: ignoreCookies || undefined,
    maxBodyBytes
  })(forward)
  return HttpRouter.add("*", "*", Effect.map(cached, forOthers))
}
