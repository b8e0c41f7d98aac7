/**
 * Where a request goes: scheme, host, path and query. All of it is written by whoever sends it, so what is malformed has
 * no place, and no key.
 */
import type { HttpServerRequest } from "effect/http"

type Request = HttpServerRequest.HttpServerRequest

/** Path and query of an absolute URL or a request target, as sent. */
export const split = (url: string): readonly [path: string, query: string] => {
  const from = url.startsWith("/") ? 0 : Math.max(0, url.indexOf("/", url.indexOf("//") + 2))
  const at = url.indexOf("?", from)
  return at === -1 ? [url.slice(from), ""] : [url.slice(from, at), url.slice(at + 1)]
}

const authority = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9_](?:[a-z0-9_.-]{0,253}))(?::(\d{0,5}))?$/i

/**
 * The one spelling of a host: in lower case, without the port of its scheme and without a dot at its end. `undefined` for
 * what is none: two of them, user names, spaces, escapes, what is too long.
 */
export const canonicalHost = (sent: string, scheme: "http" | "https"): string | undefined => {
  const found = authority.exec(sent)
  if (found === null) return undefined
  let host = found[1]!.toLowerCase()
  if (host.startsWith("[")) {
    try {
      host = new URL(`http://${host}`).hostname
    } catch {
      return undefined
    }
  } else {
    if (host.endsWith(".")) host = host.slice(0, -1)
    if (host.length > 253 || host.endsWith(".") || host.includes("..")) return undefined
  }
  if (found[2] === undefined || found[2] === "") return host
  const port = Number(found[2])
  if (port === 0 || port > 65_535) return undefined
  return port === (scheme === "https" ? 443 : 80) ? host : `${host}:${port}`
}

/** The request target as the server got it: a path and a query. `undefined` where it is anything else. */
const targetOf = ({ originalUrl, source }: Request): string | undefined => {
  if (source instanceof globalThis.Request) return split(originalUrl).join("?")
  // Node's own, where `originalUrl` is put together of this and of `Host`, which may hold a `/`.
  const own: unknown = (source as { readonly url?: unknown } | undefined)?.url
  if (typeof own === "string" && own.startsWith("/")) return own
  if (originalUrl.startsWith("/")) return originalUrl
  try {
    // What parsing changes would be another path to the router than it is here.
    return new URL(originalUrl).href === originalUrl ? split(originalUrl).join("?") : undefined
  } catch {
    return undefined
  }
}

/** What a request is for. */
export interface Place {
  readonly scheme: "http" | "https"
  /** In its one spelling; empty where the request names none. */
  readonly host: string
  readonly path: string
  readonly query: string
}

/**
 * The place of a request, or `undefined` where a part is malformed. Host and scheme are what the router takes for them:
 * forwarded headers count where `HttpMiddleware.xForwardedHeaders` has put their values in `host` and `protocol`.
 */
export const placeOf = (request: Request, anyHost = false): Place | undefined => {
  const { headers, originalUrl } = request
  const scheme = request.protocol ?? (/^https:/i.test(originalUrl) ? "https" : "http")
  const target = targetOf(request)
  if (target === undefined) return undefined
  const sent = headers["host"] ?? /^[^:/?#]+:\/\/([^/?#]*)/.exec(originalUrl)?.[1]
  const host = sent === undefined || anyHost ? "" : canonicalHost(sent, scheme)
  if (host === undefined) return undefined
  const [path, query] = split(target)
  return { scheme, host, path, query }
}
