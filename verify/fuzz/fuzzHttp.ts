/**
 * Requests and stored responses as an attacker would make them, through `cachedResponse`.
 *
 * The handler answers with everything it may look at by its policy: path, query, the headers that are named, the credentials.
 * **What counts as wrong**: a body other than the handler's own for that very request; a response that is for one request
 * (private, with a cookie, with a `Vary` that is not covered) given to another; a 304 for an entity tag that the client did
 * not name; a header line that is not one; a failure of any kind. Of stored responses that were tampered with: a status, a
 * header name or a value that may not be sent, and a failure.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { Context, Effect, Exit } from "effect"
import { Base64Url } from "effect/encoding"
import { Cookies, Headers, HttpServerRequest, HttpServerResponse } from "effect/http"
import { decode, encode } from "../../src/CacheEntry.ts"
import { cachedResponse, type ResponseOptions } from "../../src/http/index.ts"
import { placeOf } from "../../src/http/place.ts"
import type { CacheServices } from "../../src/index.ts"
import { nodeCompressor } from "../../src/platform/nodeCompressor.ts"
import type { FuzzReport } from "./report.ts"
import type { Dice } from "../../test/support/dice.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

interface Site {
  readonly name: string
  readonly options: ResponseOptions
  /** The headers that its handler reads. */
  readonly reads: ReadonlyArray<string>
  readonly readsSession: boolean
}

const ttl = "1 minute"
const sites: ReadonlyArray<Site> = [
  { name: "plain", options: { ttl }, reads: [], readsSession: false },
  {
    name: "varied",
    options: { ttl, vary: ["x-v", "Accept-Language", "host"] },
    reads: ["x-v", "accept-language", "host"],
    readsSession: false
  },
  { name: "signed", options: { ttl, authenticated: ["authorization"] }, reads: ["authorization"], readsSession: false },
  { name: "session", options: { ttl, authenticated: ["cookie:session"] }, reads: [], readsSession: true },
  {
    name: "both",
    options: { ttl, authenticated: ["cookie", "authorization", "x-api-key"], query: ["a", "b"] },
    reads: ["cookie", "authorization", "x-api-key"],
    readsSession: false
  }
]

const paths = [
  "/",
  "/a",
  "/a/",
  "/%61",
  "/a//b",
  "/a%2Fb",
  "/a/b",
  "/%00",
  "/a;b",
  "/a:b",
  "/A",
  "/private",
  "/cookie",
  "/vary",
  "/star",
  "/missing",
  "/nostore",
  "/aged"
]
const pairs = [
  "a=1",
  "a=2",
  "a",
  "a=",
  "b=1",
  "b=2",
  "%61=1",
  "?a=1",
  "=",
  "",
  "a=%31",
  "a=+",
  "a=%20",
  "__proto__=1",
  "constructor=1",
  "a=%ff",
  "%ff=1",
  "a[]=1",
  "a=1#b",
  "c=1",
  "a=1%26b=2"
]
const texts = [
  "",
  "a",
  "b",
  "a ",
  "a\u00a0",
  "A",
  "a,b",
  "a, b",
  "*",
  "{a}",
  "a%20",
  "\u00e9",
  "\ud800",
  "a#b",
  "a&x-v=b",
  "a=b"
]
const pool: Readonly<Record<string, ReadonlyArray<string>>> = {
  "x-v": texts,
  "accept-language": ["en", "de", "de;q=0.5", "*", ...texts],
  host: ["localhost", "evil.example", "localhost:80", "LOCALHOST", "localhost.", "[::1]:1", "a/b", "a, b"],
  authorization: ["Bearer a", "Bearer b", "bearer a", "Bearer a ", "Basic YTpi", ...texts],
  "x-api-key": texts,
  cookie: [
    "session=a",
    "session=b",
    "session=a; session=b",
    "session=b; session=a",
    "theme=1",
    "session=a; theme=2",
    'session="a"',
    "session=%61",
    "Session=a",
    "session",
    "session=",
    " session=a",
    "__proto__=a",
    "a=b;session=a",
    ...texts
  ],
  "cache-control": [
    "no-cache",
    "no-store",
    "max-age=0",
    "max-age=5",
    "max-age=99999999999",
    'max-age="0"',
    "private",
    "only-if-cached",
    "max-age=-1",
    "max-age=a, no-cache",
    ",,,",
    "no-cache=x"
  ],
  pragma: ["no-cache", "x"],
  range: ["bytes=0-1", "bytes=-1", "x"],
  "if-none-match": ["*", '"x"', 'W/"x"', '"', '""', ",", `${'"a",'.repeat(50)}"b"`],
  "if-modified-since": ["Thu, 01 Jan 2099 00:00:00 GMT", "x"],
  "if-match": ["*"],
  "if-range": ['"x"'],
  "content-length": ["0", "5", "+0", "0x0", "0, 0"],
  "transfer-encoding": ["chunked", "identity"],
  upgrade: ["websocket", "h2c"],
  connection: ["x-v", "close", "authorization"],
  "x-forwarded-host": ["evil.example"],
  "x-http-method-override": ["POST"],
  accept: ["text/html", "*/*"],
  "accept-encoding": ["gzip", "identity"],
  vary: ["*"],
  "x-cache": ["HIT"],
  age: ["1"],
  __proto__: ["x"],
  constructor: ["x"]
}
const identifying = ["x-v", "authorization", "cookie", "host"]
const names = Object.keys(pool).concat("__proto__", "x-other")

const requestOf = (dice: Dice, id: string, etags: ReadonlyArray<string>): Request => {
  const query = Array.from({ length: dice.below(3) }, () => dice.pick(pairs)).join("&")
  // Often the same, so that the rest must tell requests apart.
  const url = `${dice.chance(0.6) ? "/a" : dice.pick(paths)}${dice.chance(0.7) ? "" : `?${query}`}`
  const given: Array<readonly [string, string]> = [["x-id", id]]
  for (let n = dice.pick([0, 1, 1, 1, 2, 3]); n > 0; n--) {
    const name = dice.chance(0.5) ? dice.pick(identifying) : dice.pick(names)
    const values = Object.hasOwn(pool, name) ? pool[name]! : texts
    let value = dice.chance(0.5) ? dice.pick(values.slice(0, 6)) : dice.pick(values)
    if (dice.chance(0.05)) value += String.fromCharCode(dice.below(256))
    if (dice.chance(0.01)) value = value.repeat(500)
    given.push([name, value])
  }
  if (etags.length > 0 && dice.chance(0.1)) given.push(["if-none-match", dice.pick(etags)])
  const headers = Headers.fromInput(given)
  const method = dice.chance(0.85) ? "GET" : dice.pick(["HEAD", "HEAD", "POST", "PUT", "get", "PROPFIND", ""])
  const source = dice.chance(0.5) ? new globalThis.Request("http://localhost/") : {}
  return Object.create(HttpServerRequest.fromWeb(new globalThis.Request("http://localhost/")), {
    method: { value: method },
    headers: { value: headers },
    url: { value: url },
    originalUrl: { value: url },
    cookies: { value: Cookies.parseHeader(headers["cookie"] ?? "") },
    source: { value: source }
  })
}

const own = (record: Readonly<Record<string, string>>, name: string) =>
  Object.hasOwn(record, name) ? record[name] : null

/** What the handler of a site sees of a request: requests that differ here must never share a response. */
const seenBy = ({ name, options, reads, readsSession }: Site, request: Request): string => {
  const [path, query = ""] = request.url.split(/\?(.*)/s)
  const params = [...new URLSearchParams(`&${query}`)]
    .filter(([key]) => options.query === undefined || options.query.includes(key))
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  // A load sees the host in its one spelling; what has none passes by the cache.
  const host = placeOf(request)?.host || own(request.headers, "host")
  const headers = reads.map((header) => (header === "host" ? host : own(request.headers, header)))
  return JSON.stringify([name, path, params, headers, readsSession ? own(request.cookies, "session") : null])
}

/** Credentials that the policy does not name, and yet the handler looks at. */
const strangers = ({ options: { authenticated = [] } }: Site, request: Request): boolean =>
  (Object.hasOwn(request.headers, "authorization") && !authenticated.includes("authorization")) ||
  (Object.hasOwn(request.headers, "cookie") && !authenticated.some((name) => name.startsWith("cookie")))

/** Whether the response is for this request alone; then it says for which. */
const isPersonal = (site: Site, request: Request): boolean =>
  strangers(site, request) || /^\/(private|cookie|vary|star|missing|nostore)(\?|$)/.test(request.url)

const answerOf = (site: Site, request: Request): Response => {
  const id = request.headers["x-id"]!
  const body = isPersonal(site, request) ? `${seenBy(site, request)} for ${id}` : seenBy(site, request)
  const path = request.url.split("?")[0]
  const headers: Record<string, string> =
    path === "/private"
      ? { "cache-control": "private" }
      : path === "/nostore"
        ? { "cache-control": "max-age=9, no-store" }
        : path === "/vary"
          ? { vary: "X-Other" }
          : path === "/star"
            ? { vary: "*" }
            : path === "/aged"
              ? { age: "5", "cache-control": "max-age=60" }
              : {}
  const response = HttpServerResponse.text(body, { status: path === "/missing" ? 404 : 200, headers })
  return path === "/cookie" ? HttpServerResponse.setCookieUnsafe(response, "id", id) : response
}

const bodyOf = ({ body }: Response): string =>
  body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : body._tag === "Empty" ? "" : body._tag

const bytesOf = ({ body }: Response): number => (body._tag === "Uint8Array" ? body.body.length : 0)

const etagOf = (body: string): string => `"${Base64Url.encode(sha256(new TextEncoder().encode(body))).slice(0, 27)}"`

const sendable = ({ headers }: Response): boolean =>
  Object.entries(headers).every(
    ([name, value]) => /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
  )

const complaint = (site: Site, request: Request, exit: Exit.Exit<Response, unknown>): string | undefined => {
  if (Exit.isFailure(exit)) return `failed with ${String(exit.cause)}`
  const response = exit.value
  const expected = answerOf(site, request)
  if (!sendable(response)) return "a header that may not be sent"
  if (!["HIT", "MISS", "BYPASS"].includes(response.headers["x-cache"] ?? "")) return "no X-Cache"
  if (response.status === 304) {
    const asked = request.headers["if-none-match"] ?? ""
    const etag = etagOf(bodyOf(expected))
    if (isPersonal(site, request)) return "a 304 for a response that is not shared"
    if (response.headers["etag"] !== etag) return "a 304 of another response"
    return asked.trim() === "*" || asked.includes(etag) ? undefined : "a 304 that nobody asked for"
  }
  if (response.status !== expected.status) return `status ${response.status}`
  if (bodyOf(response) !== bodyOf(expected)) return `the response of another: ${bodyOf(response)}`
  const personal = isPersonal(site, request)
  return personal && response.headers["x-cache"] !== "BYPASS" ? "a personal response from the cache" : undefined
}

/** What forged entries of responses are made of. */
const forgedNames = [
  "x-a",
  "set-cookie",
  "content-length",
  "transfer-encoding",
  "connection",
  "x a",
  "x\r\ny",
  "",
  "X-A",
  "etag",
  "vary",
  "cache-control",
  "content-type",
  "age",
  "__proto__",
  "constructor",
  "x-cache",
  "location",
  "\u00e9"
]
const forgedValues = [
  "",
  "x",
  "x\r\nset-cookie: a=b",
  "\u0000",
  "\u0100",
  "5",
  "chunked",
  "no-store",
  '"x"',
  "*",
  "a".repeat(9000)
]

const compressor = nodeCompressor({ threshold: 1024 })

const forge = (dice: Dice, bytes: Uint8Array): Uint8Array => {
  const { json, ...header } = decode(bytes, compressor)!
  const stored = json as Record<string, unknown>
  const headers = Array.from({ length: dice.below(4) }, () => [dice.pick(forgedNames), dice.pick(forgedValues)])
  const changes: ReadonlyArray<Record<string, unknown>> = [
    { headers: [...(stored["headers"] as ReadonlyArray<unknown>), ...headers] },
    { headers: [["x-a"]] },
    { status: dice.pick([100, 101, 204, 301, 404, 500, 0, -1, "200", null]) },
    { body: dice.pick(["", "x", "bAAAA", "b=", "b****", "t\ud800", "t" + "x".repeat(2_000_000), 5, null]) },
    { at: dice.pick([0, -1e300, 1e300, "x", null, Number.MAX_VALUE]) },
    { lifetime: dice.pick([0, -1, 1e300, null, "x"]) },
    { __proto__: null, extra: 1 }
  ]
  return encode(header, { ...stored, ...dice.pick(changes) }, undefined)
}

const tampered = (response: Response): string | undefined =>
  !sendable(response)
    ? "a header that may not be sent"
    : ![200, 304].includes(response.status)
      ? `status ${response.status}`
      : response.status === 200 && response.headers["content-length"] !== String(bytesOf(response))
        ? "another length"
        : ["set-cookie", "transfer-encoding", "connection"].find((name) => name in response.headers)

/** Runs so many requests, some of them on stored responses that were tampered with. `entries`: where they are. */
export const fuzzHttp = (
  entries: Map<string, Uint8Array>,
  dice: Dice,
  inputs: number
): Effect.Effect<FuzzReport, never, CacheServices> =>
  Effect.gen(function*() {
    const context = yield* Effect.context<CacheServices>()
    const wrong: Array<string> = []
    const outcomes: Record<string, number> = { HIT: 0, MISS: 0, BYPASS: 0, "304": 0, forged: 0 }
    let slowestMillis = 0
    const handlers = sites.map((site) =>
      // A load takes a moment, so that requests share it.
      cachedResponse(site.name, site.options)((request) => Effect.as(Effect.yieldNow, answerOf(site, request)))
    )
    const ask = (which: number, request: Request): Effect.Effect<Exit.Exit<Response, unknown>> =>
      Effect.exit(
        Effect.scoped(
          Effect.provideContext(handlers[which]!, Context.add(context, HttpServerRequest.HttpServerRequest, request))
        ) as Effect.Effect<Response, unknown>
      )
    let etags: ReadonlyArray<string> = []
    for (let done = 0; done < inputs; ) {
      const startedAt = performance.now()
      if (dice.chance(0.3)) {
        done++
        const which = dice.below(sites.length)
        const request = requestOf(dice, `${done}`, etags)
        const kept = [...entries]
        entries.clear()
        yield* ask(which, request)
        for (const [key, bytes] of entries) {
          entries.set(key, forge(dice, bytes))
          const exit = yield* ask(which, request)
          outcomes["forged"]!++
          const problem = Exit.isFailure(exit) ? String(exit.cause) : tampered(exit.value)
          if (problem !== undefined) wrong.push(`forged: ${problem}: ${String(entries.get(key))}`)
        }
        entries.clear()
        for (const [key, bytes] of kept) entries.set(key, bytes)
        continue
      }
      const count = Math.min(8, inputs - done)
      const batch = Array.from({ length: count }, (_, n) => ({
        which: dice.below(sites.length),
        request: requestOf(dice, `${done + n}`, etags)
      }))
      const exits = yield* Effect.forEach(batch, ({ request, which }) => ask(which, request), {
        concurrency: "unbounded"
      })
      exits.forEach((exit, n) => {
        const { request, which } = batch[n]!
        const problem = complaint(sites[which]!, request, exit)
        if (problem !== undefined) {
          wrong.push(
            `${problem}: ${sites[which]!.name} ${request.method} ${JSON.stringify([request.url, request.headers])}`
          )
        }
        if (Exit.isSuccess(exit)) {
          const { headers, status } = exit.value
          outcomes[status === 304 ? "304" : headers["x-cache"]!]!++
          if (headers["etag"] !== undefined && dice.chance(0.2)) etags = [headers["etag"], ...etags.slice(0, 4)]
        }
      })
      done += count
      // The store forgets, so that there is always something to load.
      if (dice.chance(0.02)) entries.clear()
      slowestMillis = Math.max(slowestMillis, performance.now() - startedAt)
    }
    return { inputs, outcomes, wrong, slowestMillis }
  })
