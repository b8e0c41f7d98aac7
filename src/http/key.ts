/**
 * The key of a request. Everything in a request is written by whoever sends it, so parts are encoded one by one, and the
 * characters between them (`/`, `?`, `&`, `=`, `#`) are none that an encoded part can hold.
 */
import { Context } from "effect"
import { HttpRouter, HttpServerRequest } from "effect/http"
import type { CacheError } from "../CacheError.ts"
import { type CompiledKey, compileUnsafe, normalizeKey } from "../CacheKey.ts"
import { fromArguments } from "../key/arguments.ts"
import { absentPart, encodePart, invalidKey, partTable } from "../key/encoding.ts"
import { countedCookies } from "./cookies.ts"
import type { Policy } from "./options.ts"
import { sha256 } from "../platform/sha256.ts"
import { type Place, placeOf, split } from "./place.ts"

type Request = HttpServerRequest.HttpServerRequest

const part = (text: string): string => encodePart(text, partTable, [])

/**
 * What stands in a key as it is. No path or query part holds a `:`, so behind the last one there is the port, or `//` and
 * the host, or, where the host does not count, a path that begins with one `/`: two names never give one key, also where
 * one of them goes on with what could be a host or a path.
 */
const plainName = /^[A-Za-z0-9_.~@:/-]+$/

/**
 * A name, or a key template with the names of route and query parameters, none of which is `secret`. Throws `CacheError`
 * (`InvalidKey`).
 */
export const compileName = (nameOrKey: string, secret: ReadonlyArray<string> = []): CompiledKey => {
  if (nameOrKey === "") throw invalidKey(nameOrKey, "a cached response needs a name")
  if (nameOrKey.includes("{") || nameOrKey.includes("}")) {
    const compiled = compileUnsafe(nameOrKey)
    if (compiled.positional) throw invalidKey(nameOrKey, "its placeholders are names of route or query parameters")
    for (const name of compiled.placeholders) {
      if (secret.includes(name))
        throw invalidKey(nameOrKey, "a parameter that `authenticated` names stands in no key", name)
    }
    return compiled
  }
  if (!plainName.test(nameOrKey)) {
    throw invalidKey(nameOrKey, "the name of a cached response is made of letters, digits and _ . ~ @ : / -")
  }
  const head = `http:${nameOrKey}:`
  const build = () => head
  return {
    template: `http:${nameOrKey}`,
    prefix: "",
    placeholders: [],
    positional: false,
    pattern: `${head}*`,
    buildUnsafe: build,
    ...fromArguments(false, build)
  }
}

const pathPart = (path: string): string => path.split("/").map(part).join("/")

/** The name of a `name=value` as form decoding has it. */
const nameOf = (pair: string): string => {
  for (const [name] of new URLSearchParams(pair)) return name
  return ""
}

interface Pair {
  readonly name: string
  readonly pair: string
}

const pairsOf = (query: string): ReadonlyArray<Pair> =>
  query
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => ({ name: nameOf(pair), pair }))

/** Whether a list names the parameter, as it is decoded or as it was sent. */
const isIn = ({ name, pair }: Pair, names: ReadonlyArray<string>): boolean =>
  names.includes(name) || names.includes(pair.split("=", 1)[0]!)

/**
 * The pairs as sent, sorted by decoded name; pairs of one name keep their order, because handlers see it. Where a name
 * does not decode, parsers disagree on which names are one, so there the order is left alone.
 */
const queryPart = (query: string, { query: only, secretQuery }: Pick<Policy, "query" | "secretQuery">): string => {
  if (query === "" || only?.length === 0) return ""
  const pairs = pairsOf(query).filter((pair) => (only === undefined || isIn(pair, only)) && !isIn(pair, secretQuery))
  if (!pairs.some(({ name }) => name.includes("\ufffd"))) {
    pairs.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  }
  const parts = pairs.map(({ pair }) => {
    const at = pair.indexOf("=")
    return at === -1 ? part(pair) : `${part(pair.slice(0, at))}=${part(pair.slice(at + 1))}`
  })
  return parts.length === 0 ? "" : `?${parts.join("&")}`
}

/** What is said of a parameter, as sent; nothing where it is not there. */
const secretOf = (query: string, name: string): string =>
  pairsOf(query)
    .filter((pair) => isIn(pair, [name]))
    .map(({ pair }) => pair)
    .join("&")

const own = (record: Readonly<Record<string, string>>, name: string): string | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined

/** The headers and cookies that tell variants apart; what is absent has no `=`, so it differs from what is empty. */
const variantPart = (request: Request, policy: Policy, query: string, who: string): string => {
  const parts: Array<string> = []
  const add = (name: string, value: string | undefined) => {
    parts.push(value === undefined ? part(name) : `${part(name)}=${value}`)
  }
  for (const name of policy.vary) {
    // As it is: what looks like a space (U+00A0) is a character to a handler.
    const value = own(request.headers, name)
    add(name, value === undefined ? undefined : part(value))
  }
  // Credentials never stand in a key: it shows up in stores, logs and spans.
  for (const name of policy.secretHeaders) {
    const sent = own(request.headers, name)
    const value = name === "cookie" ? countedCookies(sent, policy) : sent
    add(name, value === undefined ? undefined : sha256(value))
  }
  for (const name of policy.secretCookies) {
    const value = own(request.cookies, name)
    add(`cookie:${name}`, value === undefined ? undefined : sha256(value))
  }
  for (const name of policy.secretQuery) {
    // No newline is in a query. Where a middleware has rewritten it, both count.
    const [outer, inner] = [secretOf(query, name), secretOf(split(request.url)[1], name)]
    const value = outer === inner ? outer : `${outer}\n${inner}`
    add(`query:${name}`, value === "" ? undefined : sha256(value))
  }
  if (policy.sameFor !== undefined) add(":for", sha256(who))
  return parts.length === 0 ? "" : `#${parts.join("&")}`
}

/** In a place where no host stands, two slashes must not look like one. */
const hostlessPath = (path: string): string =>
  path.startsWith("//") ? `/${absentPart}${pathPart(path.slice(1))}` : pathPart(path)

const hostPart = (host: string): string => {
  if (!host.startsWith("[")) return host
  const end = host.indexOf("]") + 1
  return part(host.slice(0, end)) + host.slice(end)
}

/** Name, host and path: what all keys of a URL have in common, whatever its query and its variants. */
const resource = (compiled: CompiledKey, { anyHost }: Policy, { host, path, scheme }: Place): string =>
  compiled.buildUnsafe({}) + (anyHost ? hostlessPath(path) : `${scheme}://${hostPart(host)}${pathPart(path)}`)

const paramsOf = (context: Context.Context<never>): Readonly<Record<string, unknown>> => {
  const params: Record<string, unknown> = Object.create(null)
  Object.assign(params, Context.getOrUndefined(context, HttpServerRequest.ParsedSearchParams))
  return Object.assign(params, Context.getOrUndefined(context, HttpRouter.RouteContext)?.params)
}

/** Whether there may be several responses of one URL. */
export const hasVariants = ({ sameFor, secretCookies, secretHeaders, secretQuery, vary }: Policy): boolean =>
  sameFor !== undefined || vary.length + secretHeaders.length + secretCookies.length + secretQuery.length > 0

const malformed = ({ template }: CompiledKey): CacheError =>
  invalidKey(template, "the host or the target of the request is malformed")

/**
 * The key of a request, for one of those who share a response. Throws `CacheError` (`InvalidKey`) when it lacks a parameter that
 * the template names, and when its host or its target is malformed.
 */
export const keyUnsafe = (
  compiled: CompiledKey,
  policy: Policy,
  request: Request,
  context: Context.Context<never>,
  who = ""
): string => {
  const place = placeOf(request)
  if (place === undefined) throw malformed(compiled)
  const { path, query } = place
  const variant = variantPart(request, policy, query, who)
  if (compiled.placeholders.length > 0) {
    const key = compiled.buildUnsafe(paramsOf(context))
    return variant === "" ? key : normalizeKey(key + variant)
  }
  // A router with a prefix cuts it off `url`; the target as it was sent is what tells `/v1/users` and `/v2/users` apart.
  // Where a middleware has rewritten the URL, both count.
  const [innerPath, innerQuery] = split(request.url)
  const rewritten = path.endsWith(innerPath) ? "" : `>${pathPart(innerPath)}`
  const other = query === innerQuery ? "" : `>${queryPart(innerQuery, policy)}`
  return normalizeKey(resource(compiled, policy, place) + rewritten + queryPart(query, policy) + other + variant)
}

const escapes = /%[0-9a-f]{2}/gi
const unreserved = /^[A-Za-z0-9\-._~]$/

/** The same for all spellings of one URL (RFC 3986, 6.2.2): no character is escaped without need, and hex digits are capitals. */
const oneSpelling = (text: string): string =>
  text.includes("%")
    ? text.replace(escapes, (escape) => {
        const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16))
        return unreserved.test(character) ? character : escape.toUpperCase()
      })
    : text

/** What a change to a URL knows of what is stored there. */
export interface UrlKeys {
  /** The key of the URL in its one spelling, in no variant, as it was sent to the server, with all of its query. */
  readonly key: string
  /** The tag of what is stored there in variants. No key of a response ends like it. */
  readonly tag: string
  /** The tag of what is stored for its path with a part of the query in the key. */
  readonly pathTag: string
}

/** Of a template they are of what the request fills it with. Throws as `keyUnsafe` does. */
export const urlKeysUnsafe = (
  compiled: CompiledKey,
  policy: Policy,
  place: Place | undefined,
  context: Context.Context<never>
): UrlKeys => {
  if (compiled.placeholders.length > 0) {
    const key = compiled.buildUnsafe(paramsOf(context))
    const tag = `${key}#`
    return { key, tag, pathTag: tag }
  }
  if (place === undefined) throw malformed(compiled)
  const located = resource(compiled, policy, { ...place, path: oneSpelling(place.path) })
  const query = queryPart(oneSpelling(place.query), { query: undefined, secretQuery: policy.credentialQuery })
  const key = normalizeKey(located + query)
  return { key, tag: `${key}#`, pathTag: `${normalizeKey(located)}#` }
}

/** The tag that an entry bears, if a change to its URL does not find it by its key. */
export const urlTagUnsafe = (
  compiled: CompiledKey,
  policy: Policy,
  place: Place | undefined,
  context: Context.Context<never>,
  entry: string
): string | undefined => {
  const { key, pathTag, tag } = urlKeysUnsafe(compiled, policy, place, context)
  if (policy.query !== undefined || policy.secretQuery.length > 0) return pathTag
  return key === entry ? undefined : tag
}
