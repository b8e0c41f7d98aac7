/**
 * Conditions of a request on what is stored (RFC 9110, 13). Those on changes (`If-Match`, `If-Unmodified-Since`) are the
 * handler's.
 */
import type { Headers } from "effect/http"
import { dateOf } from "./freshness.ts"

/** The headers of what is stored, by name. */
export type StoredHeaders = Readonly<Record<string, string>>

const opaque = (etag: string): string => (etag.startsWith("W/") ? etag.slice(2) : etag)

const listedTag = /[ \t]*(?:(?:W\/)?("[^"]*")[ \t]*)?(?:,|$)/y

/** Whether `If-None-Match` names this entity tag, by weak comparison. Behind what is no tag nothing is read. */
export const noneMatches = (header: string | undefined, etag: string): boolean => {
  if (header === undefined) return false
  const wanted = header.trim()
  if (wanted === "*") return true
  // A tag without its quotes is none, but who was given one may give it back.
  if (opaque(wanted) !== "" && opaque(wanted) === opaque(etag)) return true
  listedTag.lastIndex = 0
  while (listedTag.lastIndex < wanted.length) {
    const found = listedTag.exec(wanted)
    if (found === null) return false
    if (found[1] === opaque(etag)) return true
  }
  return false
}

/**
 * Whether the client has what is stored: by the entity tags that it names, or else by `If-Modified-Since`. Where the
 * response does not say when it was modified, its `Date` counts.
 */
export const isUnmodified = (request: Headers.Headers, stored: StoredHeaders): boolean => {
  if (request["if-none-match"] !== undefined) return noneMatches(request["if-none-match"], stored["etag"] ?? "")
  const since = dateOf(request["if-modified-since"])
  const modified = dateOf(stored["last-modified"] ?? stored["date"])
  return since !== undefined && modified !== undefined && modified <= since
}

/**
 * Whether a `Range` counts: by `If-Range` it does for the very bytes that the client has. So its entity tag is strong, or its
 * date is that of a modification a second before the response was made, as others may have come in that second.
 */
export const rangeCounts = (ifRange: string | undefined, stored: StoredHeaders, madeAt: number): boolean => {
  if (ifRange === undefined) return true
  const wanted = ifRange.trim()
  if (wanted.startsWith('"')) return wanted === stored["etag"]
  const modified = dateOf(stored["last-modified"])
  return modified !== undefined && modified === dateOf(wanted) && modified + 1000 <= (dateOf(stored["date"]) ?? madeAt)
}

/** Whether a 304 carries the header: those that describe the body stay at home. */
export const goesWith304 = (name: string): boolean =>
  !name.startsWith("content-") || name === "content-location" || name === "content-security-policy"
