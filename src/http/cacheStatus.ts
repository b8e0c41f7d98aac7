/**
 * What is said of how a request went: `Cache-Status` (RFC 9211), and `X-Cache` before it.
 */
import { HttpServerResponse } from "effect/http"

/** What `X-Cache` says. */
export type CacheStatus = "HIT" | "MISS" | "BYPASS"

/** Why the handler was asked: `fwd` of `Cache-Status`, which is not there where it was not. */
export interface Forward {
  readonly fwd?: "bypass" | "method" | "miss" | "request" | "stale" | "uri-miss"
  readonly detail?: string | undefined
}

/** How one request went. */
export interface Told {
  /** `undefined`: it was answered from what is stored. */
  readonly forward: Forward | undefined
  /** What the handler answered, where that is known. */
  readonly forwardStatus?: number | undefined
  readonly stored?: boolean | undefined
  /** The handler ran once, for others as well. */
  readonly collapsed?: boolean | undefined
  /** Whole seconds that are left, below zero where the clocks of two processes disagree; `undefined` for no end. */
  readonly ttl?: number | undefined
  /** Where it is asked for. */
  readonly key?: string | undefined
}

export const statusOf = ({ forward, stored }: Told): CacheStatus =>
  forward === undefined ? "HIT" : stored === true ? "MISS" : "BYPASS"

const token = /^[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*$/

/** A string of a structured field (RFC 9651, 3.3.3) holds ASCII only: what is none stands as the escapes of URLs. */
const quoted = (text: string): string =>
  `"${text
    .replace(/\p{Surrogate}/gu, "\ufffd")
    .replace(/[^\x20-\x7e]/gu, encodeURIComponent)
    .replace(/["\\]/g, "\\$&")}"`

/** The highest integer of a structured field (RFC 9651, 3.3.1). */
const highestInteger = 999_999_999_999_999

/** One member of the list that `Cache-Status` is. */
export const memberOf = ({ collapsed, forward, forwardStatus, key, stored, ttl }: Told): string => {
  let member = "effect-cache"
  if (forward === undefined) member += "; hit"
  else {
    if (forward.fwd !== undefined) member += `; fwd=${forward.fwd}`
    if (forwardStatus !== undefined) member += `; fwd-status=${forwardStatus}`
    if (stored === true) member += "; stored"
    if (collapsed === true) member += "; collapsed"
  }
  if (ttl !== undefined) member += `; ttl=${Math.max(-highestInteger, Math.min(ttl, highestInteger))}`
  if (key !== undefined) member += `; key=${quoted(key)}`
  const detail = forward?.detail
  return detail === undefined ? member : `${member}; detail=${token.test(detail) ? detail : quoted(detail)}`
}

/** What is said before it was said by those nearer to the origin, so it stays in front. */
export const listWith = (before: string | undefined, told: Told): string =>
  before === undefined || before.trim() === "" ? memberOf(told) : `${before}, ${memberOf(told)}`

/** Whether a response says already how it went with a cache of this kind. */
export const isMarked = ({ headers }: HttpServerResponse.HttpServerResponse): boolean =>
  /(?:^|,)\s*effect-cache;/.test(headers["cache-status"] ?? "")

/** A response that was not made of what is stored, with both headers. */
export const marked = (response: HttpServerResponse.HttpServerResponse, told: Told) =>
  HttpServerResponse.setHeaders(response, {
    "x-cache": statusOf(told),
    "cache-status": listWith(response.headers["cache-status"], told)
  })
