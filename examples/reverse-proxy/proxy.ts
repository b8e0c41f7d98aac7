/**
 * A caching reverse proxy: every request goes to one origin, with `cachedResponse` before it. How long a response is good for is what
 * the origin says of it.
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

/** The request as the origin gets it. Its connection has a `Host` and an `Expect` of its own. */
const outgoing = (
  request: HttpServerRequest.HttpServerRequest,
  origin: string
): HttpClientRequest.HttpClientRequest => {
  const { pathname, search } = new URL(request.originalUrl, "http://localhost")
  let headers = Headers.removeMany(endToEnd(request.headers), ["content-length", "expect", "host"])
  headers = appended(headers, "via", "1.1 effect-cache")
  const client = Option.getOrUndefined(request.remoteAddress)
  if (client !== undefined) headers = appended(headers, "x-forwarded-for", client)
  const method = request.method as HttpMethod.HttpMethod
  const outgoing = HttpClientRequest.make(method)(new URL(pathname + search, origin), { headers })
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

/** What the origin says to caches before it alone (RFC 9213): no more than what it says to all. */
const told = (headers: Headers.Headers, most: Duration.Duration): Duration.Duration | undefined => {
  const control = headers["cdn-cache-control"] ?? ""
  if (/(^|[\s,])(no-store|no-cache|private)/i.test(control)) return undefined
  const seconds = /(?:^|[\s,])max-age=(\d+)/i.exec(control)?.[1]
  if (seconds === undefined) return most
  const left = Duration.seconds(Number(seconds) - (Number.parseInt(headers["age"] ?? "0", 10) || 0))
  return Duration.toMillis(left) > 0 ? Duration.min(left, most) : undefined
}

/**
 * How long a response may be kept at most; `Cache-Control` and `Expires` shorten it. Without them it is a tenth of the time since it
 * was changed (RFC 9111, 4.2.2), and where the origin says nothing of either, there is no time for which it may.
 */
const lifetimeOf = (headers: Headers.Headers, status: number): Duration.Duration | undefined => {
  if (/(^|[\s,])(s-maxage|max-age)=/i.test(headers["cache-control"] ?? "")) return told(headers, longest)
  if (headers["expires"] !== undefined) return told(headers, longest)
  const changed = dateOf(headers["last-modified"])
  const sent = dateOf(headers["date"]) ?? Date.now()
  return changed === undefined || changed >= sent || !heuristically.has(status)
    ? undefined
    : told(headers, Duration.min(heuristicMost, Duration.millis((sent - changed) * heuristicShare)))
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
  const headers = endToEnd(streamed.headers)
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
export const reverseProxy = ({ origin, maxBodyBytes = 1_048_576 }: ProxyOptions) => {
  const forward = (request: HttpServerRequest.HttpServerRequest) =>
    HttpClient.execute(outgoing(request, origin)).pipe(
      Effect.flatMap((response) => incoming(response, request.method, maxBodyBytes)),
      Effect.catchTag("HttpClientError", () => Effect.succeed(HttpServerResponse.empty({ status: 502 })))
    )
  return HttpRouter.add(
    "*",
    "*",
    cachedResponse("proxy", {
      ttl: ({ response }) => lifetimeOf(response.headers, response.status)!,
      storeIf: ({ response }) => lifetimeOf(response.headers, response.status) !== undefined,
      statuses,
      // Origins compress for who can read it.
      vary: ["accept-encoding"],
      maxBodyBytes
    })(forward)
  )
}
