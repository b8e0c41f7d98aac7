/**
 * A response as it is stored, and how it becomes an answer.
 */
import { Effect, Result, Schema, SchemaGetter, SchemaIssue } from "effect"
import { Base64 } from "effect/encoding"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { sha256 } from "../platform/sha256.ts"
import { askEachTime, isTargeted, tellCaches, varyWith } from "./downstream.ts"
import type { Policy } from "./options.ts"
import { listWith, statusOf, type Told } from "./cacheStatus.ts"
import { goesWith304, isUnmodified, rangeCounts } from "./conditions.ts"
import { highestSeconds } from "./freshness.ts"
import { partOf } from "./range.ts"
import { dropped, headerName, headerValue, type Storable } from "./semantics.ts"
import { isBodiless, isStorableStatus } from "./status.ts"

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** Text stays text, so that it is small, compresses well and can be read in the store; other bytes are base64. */
const textOf = (bytes: Uint8Array): string => {
  try {
    return `t${decoder.decode(bytes)}`
  } catch {
    return `b${Base64.encode(bytes)}`
  }
}

const bytesOf = (text: string): Effect.Effect<Uint8Array, SchemaIssue.Issue> => {
  if (text.startsWith("t")) return Effect.succeed(encoder.encode(text.slice(1)))
  const bytes = text.startsWith("b") ? Result.getOrUndefined(Base64.decode(text.slice(1))) : undefined
  return bytes === undefined
    ? Effect.fail(new SchemaIssue.InvalidValue({ message: "expected a stored body" }))
    : Effect.succeed(bytes)
}

const Body = Schema.String.pipe(
  Schema.decodeTo(Schema.Uint8Array, {
    decode: SchemaGetter.transformEffect(bytesOf),
    encode: SchemaGetter.transform(textOf)
  })
)

const storableName = Schema.makeFilter((name: string) => !dropped.has(name) && name !== "set-cookie")

/**
 * The checks are on the way out of the store too: whoever can write there must not get to break header lines, to say where
 * a message ends, or to set cookies.
 */
export const StoredResponse = Schema.Struct({
  status: Schema.Finite.check(Schema.makeFilter(isStorableStatus)),
  headers: Schema.Array(
    Schema.Tuple([
      Schema.String.check(Schema.isPattern(headerName), storableName),
      Schema.String.check(Schema.isPattern(headerValue))
    ])
  ),
  body: Body,
  /** When it was generated, in milliseconds of the clock of the process that loaded it. */
  at: Schema.Finite,
  /** Milliseconds, `null` for no end. */
  lifetime: Schema.NullOr(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)))
})
export interface StoredResponse extends Schema.Schema.Type<typeof StoredResponse> {}

/** Adds what every answer made of it will carry. */
export const store = (storable: Storable, policy: Policy, lifetimeMillis: number, now: number): StoredResponse => {
  const headers = new Map(storable.headers)
  // Of others than 200 nobody asks whether it is still the same (RFC 9110, 13.2.1).
  if (storable.status === 200 && (headers.get("etag") ?? "").trim() === "")
    headers.set("etag", `"${sha256(storable.body).slice(0, 27)}"`)
  // Caches behind this one have to tell the variants apart too.
  const vary = varyWith(headers.get("vary"), policy, false)
  if (vary !== undefined) headers.set("vary", vary)
  return {
    status: storable.status,
    headers: [...headers],
    body: storable.body,
    at: now - storable.ageMillis,
    lifetime: lifetimeMillis === Infinity ? null : lifetimeMillis + storable.ageMillis
  }
}

/** Whole seconds since it was generated. Clocks of two hosts may disagree, but no age is negative. */
export const ageOf = (stored: StoredResponse, now: number): number =>
  Math.min(highestSeconds, Math.max(0, Math.floor((now - stored.at) / 1000)))

/** Whole seconds that are left of its lifetime, below zero where it has ended by this clock; `Infinity` for no end. */
export const leftOf = ({ at, lifetime }: StoredResponse, now: number): number =>
  lifetime === null ? Infinity : Math.floor((at + lifetime - Math.max(now, at)) / 1000)

const year = 31_536_000

/** The answer to a request: the stored response, 304 when the client has it already, or the part that it asks for. */
export const answer = (
  stored: StoredResponse,
  request: HttpServerRequest.HttpServerRequest,
  policy: Policy,
  told: Told,
  now: number
): HttpServerResponse.HttpServerResponse => {
  const headers: Record<string, string> = Object.fromEntries(stored.headers)
  const age = ageOf(stored, now)
  const left = leftOf(stored, now)
  headers["age"] = String(age)
  headers["x-cache"] = statusOf(told)
  headers["cache-status"] = listWith(
    headers["cache-status"],
    told.forward === undefined || told.stored === true ? { ...told, ttl: left === Infinity ? undefined : left } : told
  )
  const { cacheControl, shared } = policy
  // What the handler says of caches stays as it is; an `Expires` alone does too, where the policy says nothing.
  if (headers["cache-control"] === undefined && (cacheControl !== undefined || shared || !("expires" in headers))) {
    const maxAge = Math.min(year, Math.floor((stored.lifetime ?? Infinity) / 1000))
    headers["cache-control"] =
      cacheControl === undefined
        ? shared
          ? `public, max-age=${maxAge}`
          : askEachTime
        : typeof cacheControl === "string"
          ? cacheControl
          : cacheControl({ maxAge, age, scope: shared ? "public" : "private" })
  }
  tellCaches(headers, policy)
  const unmodified = stored.status === 200 && isUnmodified(request.headers, headers)
  // `Expires` counts from `Date` (RFC 9111, 4.2.1). If that were when this is sent, caches behind would take the time that it was
  // here off twice, with `Age`. There may have been two responses in a second, so no condition goes by a date of ours.
  if ("expires" in headers && !("date" in headers)) {
    headers["date"] = new Date(Math.max(0, Math.min(stored.at, now))).toUTCString()
  }
  // Conditions and ranges are of what would be a success.
  if (stored.status === 200) {
    if (unmodified) {
      return HttpServerResponse.empty({ status: 304, headers: filtered(headers, goesWith304) })
    }
    const { "if-range": ifRange, range } = request.headers
    if (range !== undefined && request.method === "GET" && rangeCounts(ifRange, headers, stored.at)) {
      return partly(stored.body, headers, range)
    }
  }
  return withBody(stored.body, stored.status, headers)
}

/**
 * What the handler made for the request alone. It was asked for the whole, because nobody knew that it is not for others: 304 where
 * the client has it. A raw body stays as it is, for nobody else would close it.
 */
export const ownAnswer = (
  response: HttpServerResponse.HttpServerResponse,
  request: HttpServerRequest.HttpServerRequest
): HttpServerResponse.HttpServerResponse => {
  const { body, cookies, headers, status } = response
  const isTold = headers["etag"] !== undefined || headers["last-modified"] !== undefined
  return status === 200 && isTold && body._tag !== "Raw" && isUnmodified(request.headers, headers)
    ? HttpServerResponse.empty({ status: 304, headers: filtered(headers, goesWith304), cookies })
    : response
}

const filtered = (
  headers: Readonly<Record<string, string>>,
  keeps: (name: string) => boolean
): Record<string, string> => Object.fromEntries(Object.entries(headers).filter(([name]) => keeps(name)))

const withBody = (body: Uint8Array, status: number, headers: Record<string, string>) =>
  body.length === 0 || isBodiless(status)
    ? HttpServerResponse.empty({ status, headers })
    : HttpServerResponse.uint8Array(body, { status, headers })

const partly = (body: Uint8Array, headers: Record<string, string>, range: string) => {
  const part = partOf(range, body.length)
  if (part === "whole") return withBody(body, 200, headers)
  if (part === "none") {
    // It is no answer to any other request, and caches that know no ranges could keep it for one.
    return HttpServerResponse.empty({
      status: 416,
      headers: {
        ...filtered(headers, (name) => goesWith304(name) && !ofTheWhole.has(name) && !isTargeted(name)),
        "content-range": `bytes */${body.length}`,
        "cache-control": "no-store"
      }
    })
  }
  const { first, last } = part
  return withBody(body.subarray(first, last + 1), 206, {
    ...filtered(headers, (name) => !ofTheContent.has(name)),
    "content-range": `bytes ${first}-${last}/${body.length}`
  })
}
/** Of what there is, of which a 416 has nothing. */
const ofTheWhole = new Set(["content-location", "digest", "etag", "expires", "last-modified", "repr-digest"])
/** Of the very bytes that are sent, which in a 206 are others (RFC 9530). */
const ofTheContent = new Set(["content-digest", "content-md5"])
