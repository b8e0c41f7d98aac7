/**
 * What a request with an unsafe method makes old (RFC 9111, 4.4): what is stored for its URL, in all variants, and for those
 * that `Location` and `Content-Location` name.
 */
import type { Context } from "effect"
import type { HttpServerRequest, HttpServerResponse } from "effect/http"
import { CacheError } from "../CacheError.ts"
import type { CompiledKey } from "../CacheKey.ts"
import { headOfShortened } from "../key/encoding.ts"
import { hasVariants, keyUnsafe } from "./key.ts"
import type { Policy } from "./options.ts"

type Request = HttpServerRequest.HttpServerRequest

/** The registered methods that change nothing. Of any other it is not known. */
const safe = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PRI", "PROPFIND", "QUERY", "REPORT", "SEARCH"])

export const isUnsafe = (method: string): boolean => !safe.has(method)

/** What is to be invalidated of one URL. */
export type Made = { readonly key: string } | { readonly pattern: string }

/** The key of a request without its variants, and then all of them. A long key shows its head only, so what shares that goes too. */
const allOf = (
  compiled: CompiledKey,
  policy: Policy,
  request: Request,
  context: Context.Context<never>
): ReadonlyArray<Made> => {
  try {
    const base = keyUnsafe(compiled, policy, request, context, null)
    if (!hasVariants(policy)) return [{ key: base }]
    const head = headOfShortened(base)
    return [{ pattern: head === undefined ? `${base}#*` : `${head}*` }]
  } catch (error) {
    // It lacks a parameter of the key, so nothing is stored of it.
    if (error instanceof CacheError) return []
    throw error
  }
}

/** A host without the port that its scheme has anyway: which scheme that is, a server behind a proxy does not know. */
const hostOf = ({ hostname, port }: URL): string =>
  port === "" || port === "80" || port === "443" ? hostname : `${hostname}:${port}`

/** The request for a URL that a response names; `undefined` where that is of another host, or is none. */
const namedBy = (request: Request, name: string): Request | undefined => {
  try {
    const { headers, originalUrl, source } = request
    const isPath = originalUrl.startsWith("/")
    const own = new URL(isPath ? `http://${headers["host"] ?? "localhost"}${originalUrl}` : originalUrl)
    const url = new URL(name, own)
    if (!/^https?:$/.test(url.protocol) || hostOf(url) !== hostOf(own)) return undefined
    const target = url.pathname + url.search
    return Object.create(request, {
      url: { value: target },
      originalUrl: { value: isPath ? target : `${own.protocol}//${own.host}${target}` },
      // Where a server has a message of its own, the target is taken from that.
      source: { value: source instanceof globalThis.Request ? source : { url: target } }
    })
  } catch {
    return undefined
  }
}

/**
 * What is old once a request has ended in this response. A template is filled by the route, so only a name gives keys of
 * other URLs.
 */
export const madeOldBy = (
  compiled: CompiledKey,
  policy: Policy,
  request: Request,
  context: Context.Context<never>,
  { headers, status }: HttpServerResponse.HttpServerResponse
): ReadonlyArray<Made> => {
  if (status < 200 || status >= 400) return []
  const requests = [request]
  if (compiled.placeholders.length === 0) {
    for (const name of [headers["location"], headers["content-location"]]) {
      const named = name === undefined ? undefined : namedBy(request, name)
      if (named !== undefined) requests.push(named)
    }
  }
  const made = requests.flatMap((one) => allOf(compiled, policy, one, context))
  return made.filter((one, i) => made.findIndex((other) => JSON.stringify(other) === JSON.stringify(one)) === i)
}
