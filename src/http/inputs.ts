/**
 * What an endpoint declares that it is asked for, and whether the key of its policy tells all of that apart.
 */
import { type Schema, SchemaAST } from "effect"
import { HttpMethod } from "effect/http"
import type { HttpApiEndpoint } from "effect/http-api"
import { invalidKey } from "../key/encoding.ts"
import { invalidOption, invalidOptionAs } from "../internal/invalidOption.ts"
import { fixedTags, strings } from "../region/checks.ts"
import { compileName } from "./key.ts"
import type { CachePolicyOptions } from "./policies.ts"

/** The names that a schema decodes, as they are sent; `undefined` where it takes any. */
const namesOf = (schema: Schema.Top): ReadonlyArray<string> | undefined => {
  const ast = SchemaAST.toEncoded(schema.ast)
  return SchemaAST.isObjects(ast) && ast.indexSignatures.length === 0
    ? ast.propertySignatures.map(({ name }) => String(name))
    : undefined
}

const inPath = (path: string): ReadonlyArray<string> =>
  [...path.matchAll(/::|:(\w+)/g)].flatMap(([, name]) => name ?? [])

const pathOf = (endpoint: HttpApiEndpoint.Top): ReadonlyArray<string> => {
  const names = inPath(endpoint.path)
  const declared = endpoint.params === undefined ? undefined : namesOf(endpoint.params)
  return declared === undefined ? names : names.filter((name) => declared.includes(name))
}

/** The parameters of the query; `undefined` where there may be any. A payload of a method without a body is in the query, too. */
const queryOf = (endpoint: HttpApiEndpoint.Top): ReadonlyArray<string> | undefined => {
  const schemas = [
    ...(endpoint.query === undefined ? [] : [endpoint.query]),
    ...(HttpMethod.hasBody(endpoint.method as HttpMethod.HttpMethod)
      ? []
      : [...endpoint.payload.values()].flatMap(({ schemas }): ReadonlyArray<unknown> => schemas))
  ] as ReadonlyArray<Schema.Top>
  const all = schemas.map(namesOf)
  return all.some((names) => names === undefined) ? undefined : all.flatMap((names) => names!)
}

const leftOut = (name: string, what: string, missing: ReadonlyArray<string>, where: string): void => {
  if (missing.length === 0) return
  throw invalidOptionAs(
    `the key of ${name}`,
    `without the ${what} ${missing.map((one) => `"${one}"`).join(", ")}`,
    `each one that the endpoint declares: name it in ${where}, or in \`ignore\` where it makes no difference`
  )
}

/** Throws `CacheError`: for what the key names and nobody sends, and for what is sent and the key does not name. */
export const checkInputs = (
  name: string,
  endpoint: HttpApiEndpoint.Top,
  options: CachePolicyOptions,
  credentials: ReadonlyArray<string>
): void => {
  const { key, tags } = options
  const ignore = strings(`ignore of ${name}`, options.ignore ?? [])
  const path = pathOf(endpoint)
  const query = queryOf(endpoint)
  const placeholders = key === undefined ? [] : compileName(key).placeholders
  for (const placeholder of placeholders) {
    if (query === undefined || path.includes(placeholder) || query.includes(placeholder)) continue
    const known = [...path, ...query]
    throw invalidKey(
      key!,
      `the endpoint ${name} has no such parameter, ${known.length === 0 ? "and no other" : `but ${known.join(", ")}`}`,
      placeholder
    )
  }
  if (tags !== undefined && typeof tags !== "function") {
    const made = "tags as they are. Make them of what was asked for by a function: tags: ({ params, query }) => [...]"
    fixedTags(`tags of ${name}`, strings("tags", tags), made)
  }
  const secretQuery = credentials.filter((one) => one.startsWith("query:")).map((one) => one.slice(6))
  const counts = placeholders.length > 0 ? placeholders : options.query
  if (placeholders.length > 0) {
    leftOut(
      name,
      "parameters of the path",
      path.filter((one) => !counts!.includes(one) && !ignore.includes(one)),
      "the key"
    )
  }
  if (counts !== undefined) {
    const missing = (query ?? []).filter((one) => ![...counts, ...ignore, ...secretQuery].includes(one))
    leftOut(name, "parameters of the query", missing, placeholders.length > 0 ? "the key" : "`query`")
  }
  const inKey = [...(placeholders.length > 0 ? [] : path), ...(counts ?? query ?? [])]
  const both = ignore.filter((one) => inKey.includes(one))
  if (both.length > 0) {
    throw invalidOption(
      `ignore of ${name}`,
      both,
      "what is not in the key: name those that count, in `key` or in `query`"
    )
  }
  if (endpoint.headers === undefined) return
  const named = [...(options.vary ?? []), ...credentials, ...ignore].map((one) => one.toLowerCase())
  const headers = namesOf(endpoint.headers)
  if (headers === undefined) {
    if (named.length > 0) return
    throw invalidOptionAs(`vary of ${name}`, "not given", "the headers that its handler reads: the schema takes any")
  }
  const cookies = named.some((one) => one.startsWith("cookie:"))
  leftOut(
    name,
    "headers",
    headers.filter((one) => !named.includes(one.toLowerCase()) && !(cookies && one.toLowerCase() === "cookie")),
    "`vary`, or `authenticated` if it is a credential"
  )
}
