/**
 * The key of a request. Everything in a request is written by whoever sends it, so parts are encoded one by one, and the
 * characters between them (`/`, `?`, `&`, `=`, `#`) are none that an encoded part can hold.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { Context } from "effect"
import { Base64Url } from "effect/encoding"
import { HttpRouter, HttpServerRequest } from "effect/http"
import { type CompiledKey, compileUnsafe, normalizeKey } from "../CacheKey.ts"
import { fromArguments } from "../key/arguments.ts"
import { encodePart, invalidKey, partTable } from "../key/encoding.ts"
import type { Policy } from "./options.ts"

type Request = HttpServerRequest.HttpServerRequest

const part = (text: string): string => encodePart(text, partTable, [])

/**
 * What stands in a key as it is. No path or query part holds a `:`, so the last one ends the name: two names never give one
 * key, also where one of them goes on with what could be a path.
 */
const plainName = /^[A-Za-z0-9_.~@:/-]+$/

/** A name, or a key template with the names of route and query parameters. Throws `CacheError` (`InvalidKey`). */
export const compileName = (nameOrKey: string): CompiledKey => {
  if (nameOrKey === "") throw invalidKey(nameOrKey, "a cached response needs a name")
  if (nameOrKey.includes("{") || nameOrKey.includes("}")) {
    const compiled = compileUnsafe(nameOrKey)
    if (compiled.positional) throw invalidKey(nameOrKey, "its placeholders are names of route or query parameters")
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

/** Path and query of a URL or a request target, as sent. */
const split = (url: string): readonly [path: string, query: string] => {
  const from = url.startsWith("/") ? 0 : Math.max(0, url.indexOf("/", url.indexOf("//") + 2))
  const at = url.indexOf("?", from)
  return at === -1 ? [url.slice(from), ""] : [url.slice(from, at), url.slice(at + 1)]
}

const pathPart = (path: string): string => path.split("/").map(part).join("/")

/** The name of a `name=value` as form decoding has it. */
const nameOf = (pair: string): string => {
  for (const [name] of new URLSearchParams(pair)) return name
  return ""
}

/**
 * The pairs as sent, sorted by decoded name; pairs of one name keep their order, because handlers see it. Where a name
 * does not decode, parsers disagree on which names are one, so there the order is left alone.
 */
const queryPart = (query: string, only: ReadonlyArray<string> | undefined): string => {
  if (query === "" || only?.length === 0) return ""
  let pairs = query
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => ({ name: nameOf(pair), pair }))
  if (only !== undefined) {
    pairs = pairs.filter(({ name, pair }) => only.includes(name) || only.includes(pair.split("=", 1)[0]!))
  }
  if (!pairs.some(({ name }) => name.includes("\ufffd"))) {
    pairs.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  }
  const parts = pairs.map(({ pair }) => {
    const at = pair.indexOf("=")
    return at === -1 ? part(pair) : `${part(pair.slice(0, at))}=${part(pair.slice(at + 1))}`
  })
  return parts.length === 0 ? "" : `?${parts.join("&")}`
}

const utf8 = new TextEncoder()
const digest = (secret: string): string => Base64Url.encode(sha256(utf8.encode(secret)))

const own = (record: Readonly<Record<string, string>>, name: string): string | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined

/** The headers and cookies that tell variants apart; what is absent has no `=`, so it differs from what is empty. */
const variantPart = (request: Request, policy: Policy): string => {
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
    const value = own(request.headers, name)
    add(name, value === undefined ? undefined : digest(value))
  }
  for (const name of policy.secretCookies) {
    const value = own(request.cookies, name)
    add(`cookie:${name}`, value === undefined ? undefined : digest(value))
  }
  return parts.length === 0 ? "" : `#${parts.join("&")}`
}

/** The key of a request. Throws `CacheError` (`InvalidKey`) when it lacks a parameter that the template names. */
export const keyUnsafe = (
  compiled: CompiledKey,
  policy: Policy,
  request: Request,
  context: Context.Context<never>
): string => {
  const variant = variantPart(request, policy)
  if (compiled.placeholders.length > 0) {
    const params: Record<string, unknown> = Object.create(null)
    Object.assign(params, Context.getOrUndefined(context, HttpServerRequest.ParsedSearchParams))
    Object.assign(params, Context.getOrUndefined(context, HttpRouter.RouteContext)?.params)
    const key = compiled.buildUnsafe(params)
    return variant === "" ? key : normalizeKey(key + variant)
  }
  // A router with a prefix cuts it off `url`; `originalUrl` is what tells `/v1/users` and `/v2/users` apart. Where a
  // middleware has rewritten the URL, both count.
  const [path, query] = split(request.originalUrl)
  const [inner, innerQuery] = split(request.url)
  const rewritten = path.endsWith(inner) ? "" : `>${pathPart(inner)}`
  const other = query === innerQuery ? "" : `>${queryPart(innerQuery, policy.query)}`
  return normalizeKey(
    compiled.buildUnsafe({}) + pathPart(path) + rewritten + queryPart(query, policy.query) + other + variant
  )
}
