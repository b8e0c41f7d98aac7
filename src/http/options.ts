/**
 * What a response cache is told, checked and made ready once per wrapped handler.
 */
import type { Duration, Effect } from "effect"
import type { HttpServerRequest, HttpServerResponse } from "effect/http"
import type { OnCacheError } from "../CacheRegion.ts"
import { CacheError } from "../CacheError.ts"
import { invalidOption, invalidOptionAs } from "../internal/invalidOption.ts"
import { knownOptions, type Names } from "../internal/knownOptions.ts"
import { byteLimit, positiveMillis, strings } from "../region/checks.ts"
import { isStorableStatus } from "./status.ts"

/** The two ends of a load, as `ttl` and `tags` see them. */
export interface Exchange {
  readonly request: HttpServerRequest.HttpServerRequest
  /** What the handler answered. */
  readonly response: HttpServerResponse.HttpServerResponse
}

/** How long a response is good for, in whole seconds, as `cacheControl` sees it. */
export interface Lifetime {
  /** From the load to the end of the entry. What is left is `maxAge - age`. At most a year. */
  readonly maxAge: number
  /** Since the load; also sent as `Age`. */
  readonly age: number
  /** `"public"` where the policy is `shared`, else `"private"`. */
  readonly scope: "public" | "private"
}

/** The options of `cachedResponse` and of a `CachePolicy`. */
export interface ResponseOptions<F extends OnCacheError = "bypass"> {
  /**
   * Time to live, positive. A shorter `s-maxage`, `max-age` or `Expires` of the response shortens it; one of zero means
   * that the response is not stored.
   */
  readonly ttl: Duration.Input | ((exchange: Exchange) => Duration.Input)
  /**
   * Whether a response is stored, asked of each that may be. One that is not belongs to the request whose handler made it, and those that
   * waited for it run their own. What it throws, or anything but `true` and `false`, is a "no", with a warning.
   */
  readonly storeIf?: ((exchange: Exchange) => boolean) | undefined
  /**
   * The statuses that are stored, such as `[200, 301, 404]`: final ones, but for 206, 304, 412 and 416. Default `[200]`. What else
   * must be so for a response to be stored is the same for all. A failure that is answered with such a status is stored as that answer.
   */
  readonly statuses?: ReadonlyArray<number> | undefined
  /** `{ key: true }`: `Cache-Status` says the key as well. Secrets stand in it as a hash, what `vary` names as it was sent. */
  readonly cacheStatus?: { readonly key?: boolean | undefined } | undefined
  /** Tags for `invalidateTags`, fixed or made from the exchange. */
  readonly tags?: ReadonlyArray<string> | ((exchange: Exchange) => ReadonlyArray<string>) | undefined
  /**
   * Request headers that are part of the key, such as `"accept-language"`. They stand in it as they were sent. A response
   * whose `Vary` names any other header is not stored, nor one with a `Content-Encoding` where `"accept-encoding"` is not
   * named.
   */
  readonly vary?: ReadonlyArray<string> | undefined
  /**
   * Credentials that are part of the key, as a SHA-256: `"authorization"`, `"cookie"` (the whole header),
   * `"cookie:session"` (one cookie), `"query:api_key"` (one query parameter), or a header such as `"x-api-key"`. Requests
   * with `Authorization` or `Cookie` that are not named here are never answered from the cache, nor stored. Where single
   * cookies are named, a load sees no other.
   */
  readonly authenticated?: ReadonlyArray<string> | undefined
  /**
   * Cookies that make no difference, such as those of analytics: by name, or `true` for all. A request with no others is
   * cached as one without cookies, and the load of its response does not see them.
   */
  readonly ignoreCookies?: true | ReadonlyArray<string> | undefined
  /**
   * `true`: scheme and host make no difference, and are not in the key of a name. Default `false`: they are in it. Never in
   * a key with placeholders.
   */
  readonly anyHost?: boolean | undefined
  /**
   * The query parameters that are part of the key; name every one that the handler reads. Default: all. Their order in
   * the URL makes no difference. A key with placeholders names its parameters itself.
   */
  readonly query?: ReadonlyArray<string> | undefined
  /** Bodies of more bytes pass through uncached, as streams do. Default 1 MiB (1,048,576). */
  readonly maxBodyBytes?: number | undefined
  /**
   * One load among all processes, as `stampedeProtect`, with its defaults: the others wait for it, for `waitTimeout` at most, and
   * then run their handlers.
   */
  readonly stampede?:
    | boolean
    | { readonly lockTtl?: Duration.Input | undefined; readonly waitTimeout?: Duration.Input | undefined }
    | undefined
  /**
   * `true`: caches behind this one (a CDN, a proxy, a browser) may keep the responses until their lifetime ends, whatever is
   * invalidated meanwhile: `public, max-age=<lifetime>`. Default `false`: `private, no-cache`, so a browser keeps them but
   * asks each time, and gets 304 while they hold. Not with `authenticated`: what is for one user is not for all.
   */
  readonly shared?: boolean | undefined
  /**
   * The `Cache-Control` of stored responses for which the handler sets none, instead of what `shared` makes of it. What
   * lets a cache for many keep them goes out with `Vary: authorization, cookie`, and never with a `Set-Cookie`; it is refused with
   * `authenticated`, and from a function it goes out as `private, no-cache`. So does what is no text, and what the function throws,
   * with a warning.
   */
  readonly cacheControl?: string | ((lifetime: Lifetime) => string) | undefined
  /**
   * `"bypass"` (default): a cache failure is recorded and the handler runs. `"fail"`: it fails with `CacheError`. A request
   * that lacks a parameter of the key is no failure of the cache: its handler runs, uncached.
   */
  readonly onCacheError?: F | undefined
}

/** Options checked, names in lower case. */
export interface Policy {
  readonly ttl: number | ((exchange: Exchange) => number)
  readonly storeIf: ResponseOptions["storeIf"]
  readonly statuses: ReadonlySet<number>
  /** `Cache-Status` says the key. */
  readonly saysKey: boolean
  /** Header names whose values are in the key as they are. */
  readonly vary: ReadonlyArray<string>
  /** Header names whose values are in the key as a hash. */
  readonly secretHeaders: ReadonlyArray<string>
  /** The same for single cookies. */
  readonly secretCookies: ReadonlyArray<string>
  /** Everything a response may say it varies by. */
  readonly covered: ReadonlySet<string>
  /** Query parameters whose values are in the key as a hash. */
  readonly secretQuery: ReadonlyArray<string>
  /** Query parameters that are credentials, also those that make no difference: they stand in no key. */
  readonly credentialQuery: ReadonlyArray<string>
  readonly ignoreCookies: true | ReadonlySet<string> | undefined
  readonly anyHost: boolean
  /** Who shares it; its text is in the key as a hash. */
  readonly sameFor?: Effect.Effect<string, never, unknown> | undefined
  /** Not everybody may see it, whoever of those who may it is made for. */
  readonly personal: boolean
  /** The headers that credentials are in, also those that make no difference. */
  readonly credentials: ReadonlyArray<string>
  readonly allowsAuthorization: boolean
  readonly allowsCookie: boolean
  /** The whole header is in the key, but for what is ignored. */
  readonly allowsEveryCookie: boolean
  readonly query: ReadonlyArray<string> | undefined
  readonly maxBodyBytes: number
  readonly cacheControl: ResponseOptions["cacheControl"]
  readonly shared: boolean
}

const token = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
const cookieName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/i
const alwaysSecret = new Set(["authorization", "cookie", "proxy-authorization"])

const unique = (names: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(names)].sort()

const headers = (option: string, names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const list = names.map((name) => name.toLowerCase())
  for (const name of list) {
    if (!token.test(name)) throw invalidOption(option, name, "the name of a header")
  }
  return unique(list)
}

/** A name that no cookie has would say that none counts. */
const cookie = (option: string, given: string, name: string): string => {
  if (!cookieName.test(name))
    throw invalidOption(option, given, "the name of a cookie behind `cookie:`, without spaces")
  return name
}

const parameter = (option: string, given: string, name: string): string => {
  if (name === "" || name !== name.trim()) {
    throw invalidOption(option, given, "the name of a parameter of the query, without spaces around it")
  }
  return name
}

const names: Names<ResponseOptions> = {
  ttl: 0,
  storeIf: 0,
  statuses: 0,
  cacheStatus: 0,
  tags: 0,
  vary: 0,
  authenticated: 0,
  ignoreCookies: 0,
  anyHost: 0,
  query: 0,
  maxBodyBytes: 0,
  shared: 0,
  stampede: 0,
  cacheControl: 0,
  onCacheError: 0
}

const statusesUnsafe = (given: ReadonlyArray<number>): ReadonlySet<number> => {
  if (!Array.isArray(given) || given.length === 0 || !given.every(isStorableStatus)) {
    throw invalidOption("statuses", given, "an array of statuses from 200 to 599, without 206, 304, 412 and 416")
  }
  return new Set(given)
}

const optional = <A>(option: string, value: A, type: string, expected: string): A => {
  if (value !== undefined && typeof value !== type) throw invalidOption(option, value, expected)
  return value
}

const flag = (option: string, value: boolean | undefined): boolean => {
  if (value !== undefined && typeof value !== "boolean") throw invalidOption(option, value, "a boolean")
  return value ?? false
}

/** What makes no difference cannot be part of the key as well. */
const ignored = (
  option: ResponseOptions["ignoreCookies"],
  every: boolean,
  named: ReadonlyArray<string>
): Policy["ignoreCookies"] => {
  if (option === undefined) return undefined
  if (option === true) {
    if (every) throw invalidOption("ignoreCookies", option, "names, where `authenticated` has all cookies")
    return option
  }
  const list = strings("ignoreCookies", option)
  for (const name of list) {
    if (name.trim() !== name || /^$|[=;]/.test(name)) throw invalidOption("ignoreCookies", name, "the name of a cookie")
    if (named.includes(name)) throw invalidOption("ignoreCookies", name, "a cookie that `authenticated` does not name")
  }
  return new Set(list)
}

/** What is made of the options of a response; an error says which response it is. */
export const optionsOf = <A>(name: string, made: () => A): A => {
  try {
    return made()
  } catch (error) {
    if (!(error instanceof CacheError) || error.reason._tag !== "InvalidOption") throw error
    const { actual, expected, option } = error.reason
    if (option.endsWith(` of ${name}`)) throw error
    throw invalidOptionAs(`${option} of ${name}`, actual, expected)
  }
}

/** `more`: what else may be given with them. Throws `CacheError` (`InvalidOption`). */
export const policyUnsafe = (options: ResponseOptions<OnCacheError>, more?: object): Policy => {
  knownOptions(options, { ...more, ...names })
  if (typeof options.stampede === "object") knownOptions(options.stampede, { lockTtl: 0, waitTimeout: 0 }, "stampede")
  else optional("stampede", options.stampede, "boolean", "true, false, or an object with lockTtl and waitTimeout")
  if (options.cacheStatus !== undefined) knownOptions(options.cacheStatus, { key: 0 }, "cacheStatus")
  const { cacheControl, ttl } = options
  const maxBodyBytes = byteLimit("maxBodyBytes", options.maxBodyBytes ?? 1_048_576)
  const varied = headers("vary", strings("vary", options.vary ?? []))
  if (varied.includes("*")) throw invalidOption("vary", "*", "the name of a header")
  const cookies: Array<string> = []
  const parameters: Array<string> = []
  const secret = varied.filter((name) => alwaysSecret.has(name))
  for (const name of strings("authenticated", options.authenticated ?? [])) {
    if (/^cookie:/i.test(name)) cookies.push(cookie("authenticated", name, name.slice(7)))
    else if (/^query:/i.test(name)) parameters.push(parameter("authenticated", name, name.slice(6)))
    else secret.push(name)
  }
  const secretHeaders = headers("authenticated", secret)
  const secretCookies = unique(cookies)
  const secretQuery = unique(parameters)
  const allowsEveryCookie = secretHeaders.includes("cookie")
  const shared = flag("shared", options.shared)
  // A cache behind that keeps it would have to tell users apart as this one does, and none does by a query or one cookie.
  const personal = secretHeaders.length + secretCookies.length + secretQuery.length > 0
  if (shared && personal) {
    throw invalidOption("shared", shared, "false, where credentials are part of the key")
  }
  const vary = varied.filter((name) => !secretHeaders.includes(name))
  return {
    ttl: typeof ttl === "function" ? (exchange) => positiveMillis("ttl", ttl(exchange)) : positiveMillis("ttl", ttl),
    storeIf: optional("storeIf", options.storeIf, "function", "a function of the exchange"),
    statuses: statusesUnsafe(options.statuses ?? [200]),
    saysKey: optional("cacheStatus.key", options.cacheStatus?.key, "boolean", "true or false") === true,
    vary,
    secretHeaders,
    secretCookies,
    secretQuery,
    credentialQuery: secretQuery,
    ignoreCookies: ignored(options.ignoreCookies, allowsEveryCookie, secretCookies),
    anyHost: flag("anyHost", options.anyHost),
    covered: new Set([...vary, ...secretHeaders]),
    personal,
    credentials: secretCookies.length > 0 ? unique([...secretHeaders, "cookie"]) : secretHeaders,
    allowsAuthorization: secretHeaders.includes("authorization"),
    allowsCookie: allowsEveryCookie || secretCookies.length > 0,
    allowsEveryCookie,
    query:
      options.query === undefined
        ? undefined
        : unique(strings("query", options.query).map((name) => parameter("query", name, name))),
    maxBodyBytes,
    cacheControl,
    shared
  }
}
