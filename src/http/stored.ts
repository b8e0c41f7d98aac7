/**
 * A response as it is stored, and how it becomes an answer.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { Effect, Result, Schema, SchemaGetter, SchemaIssue } from "effect"
import { Base64, Base64Url } from "effect/encoding"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { askEachTime, tellCaches } from "./downstream.ts"
import type { Policy } from "./options.ts"
import { dropped, goesWith304, headerName, headerValue, noneMatches, type Storable } from "./semantics.ts"

/** What `X-Cache` says. */
export type CacheStatus = "HIT" | "MISS" | "BYPASS"

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
  status: Schema.Literal(200),
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
  if (!headers.has("etag")) headers.set("etag", `"${Base64Url.encode(sha256(storable.body)).slice(0, 27)}"`)
  // Caches behind this one have to tell the variants apart too.
  const vary = new Set((headers.get("vary") ?? "").split(",").map((name) => name.trim().toLowerCase()))
  for (const name of policy.covered) vary.add(name)
  if (policy.secretCookies.length > 0) vary.add("cookie")
  vary.delete("")
  if (vary.size > 0) headers.set("vary", [...vary].join(", "))
  return {
    status: 200,
    headers: [...headers],
    body: storable.body,
    at: now - storable.ageMillis,
    lifetime: lifetimeMillis === Infinity ? null : lifetimeMillis + storable.ageMillis
  }
}

/** The highest age there is (RFC 9111, 1.2.2). */
const highestAge = 2_147_483_648

/** Whole seconds since it was generated. Clocks of two hosts may disagree, but no age is negative. */
export const ageOf = (stored: StoredResponse, now: number): number =>
  Math.min(highestAge, Math.max(0, Math.floor((now - stored.at) / 1000)))

const year = 31_536_000

/** The answer to a request: the stored response, or 304 when the client has it already. */
export const answer = (
  stored: StoredResponse,
  request: HttpServerRequest.HttpServerRequest,
  policy: Policy,
  status: CacheStatus,
  now: number
): HttpServerResponse.HttpServerResponse => {
  const headers: Record<string, string> = Object.fromEntries(stored.headers)
  const age = ageOf(stored, now)
  headers["age"] = String(age)
  headers["x-cache"] = status
  const { cacheControl, scope, shared } = policy
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
          : cacheControl({ maxAge, age, scope })
  }
  tellCaches(headers, policy)
  if (noneMatches(request.headers["if-none-match"], headers["etag"] ?? "")) {
    return HttpServerResponse.empty({
      status: 304,
      headers: Object.fromEntries(Object.entries(headers).filter(([name]) => goesWith304(name)))
    })
  }
  return stored.body.length === 0
    ? HttpServerResponse.empty({ status: stored.status, headers })
    : HttpServerResponse.uint8Array(stored.body, { status: stored.status, headers })
}
