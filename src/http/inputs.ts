/**
 * What an endpoint declares that it is asked for, and whether the key of its policy tells all of that apart.
 */
import { type Schema, SchemaAST } from "effect"
import { HttpMethod } from "effect/http"
import type { HttpApiEndpoint } from "effect/http-api"
import { invalidKey } from "../key/encoding.ts"
import { invalidOption, invalidOptionAs } from "../internal/invalidOption.ts"
import { fixedTags, strings } from "../region/checks.ts"
import { isUnsafe } from "./changes.ts"
import { compileName } from "./key.ts"
import type { CachePolicyOptions } from "./policies.ts"
import { inPath } from "./routePath.ts"

/** The names of one form of what is decoded, as they are sent; `undefined` where it takes any. */
const namesIn = (ast: SchemaAST.AST): ReadonlyArray<string> | undefined => {
  if (SchemaAST.isUnion(ast)) return together(ast.types.map(namesIn))
  return SchemaAST.isObjects(ast) && ast.indexSignatures.length === 0
    ? ast.propertySignatures.map(({ name }) => String(name))
    : undefined
}

const together = (all: ReadonlyArray<ReadonlyArray<string> | undefined>): ReadonlyArray<string> | undefined =>
  all.some((names) => names === undefined) ? undefined : [...new Set(all.flatMap((names) => names!))]

const namesOf = (schema: Schema.Top): ReadonlyArray<string> | undefined => namesIn(SchemaAST.toEncoded(schema.ast))

const pathOf = (endpoint: HttpApiEndpoint.Top): ReadonlyArray<string> => {
  const { params } = endpoint
  // Of several forms the router knows no names, and takes the path as it stands.
  const declared = params === undefined || SchemaAST.isUnion(params.ast) ? undefined : namesOf(params)
  const names = inPath(endpoint.path, declared !== undefined)
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
  return together(schemas.map(namesOf))
}

/** Where no name stands for it: the parameters of the query, or the headers, that no schema names. */
const anyOf = { query: "query:*", header: "header:*" }

const leftOut = (name: string, what: string, missing: ReadonlyArray<string>, where: string): void => {
  if (missing.length === 0) return
  throw invalidOptionAs(
    `the key of ${name}`,
    `without the ${what} ${missing.map((one) => `"${one}"`).join(", ")}`,
    `each one that the endpoint declares: name it in ${where}, or in \`ignore\` where it makes no difference`
  )
}

/** Whether a parameter of the query is to make no difference. */
const ignores = (ignore: ReadonlyArray<string>, name: string): boolean =>
  ignore.includes(name) || ignore.includes(`query:${name}`)

/** `more`: what is named besides `vary`. */
const checkHeaders = (
  name: string,
  endpoint: HttpApiEndpoint.Top,
  options: CachePolicyOptions,
  more: ReadonlyArray<string>
): void => {
  if (endpoint.headers === undefined || more.includes(anyOf.header)) return
  const vary = strings("vary", options.vary ?? [])
  const headers = namesOf(endpoint.headers)
  if (headers === undefined) {
    // Credentials, by which middleware goes, say nothing of what the handler reads.
    if (vary.some((one) => !/^(authorization|cookie)$/i.test(one))) return
    throw invalidOptionAs(
      `vary of ${name}`,
      "not given",
      `the headers that its handler reads, for the schema takes any; or \`${anyOf.header}\` in \`ignore\` if no other makes a difference`
    )
  }
  const named = [...vary, ...more].map((one) => one.toLowerCase())
  const cookies = named.some((one) => one.startsWith("cookie:"))
  leftOut(
    name,
    "headers",
    headers.filter((one) => !named.includes(one.toLowerCase()) && !(cookies && one.toLowerCase() === "cookie")),
    "`vary`, or `authenticated` if it is a credential"
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
  const template = placeholders.length > 0
  const counts = template ? placeholders : options.query
  if (template) {
    const missing = path.filter((one) => !placeholders.includes(one) && !ignore.includes(one))
    if (missing.includes("*")) {
      throw invalidOptionAs(
        `the key of ${name}`,
        "without what its path has in place of `*`",
        "a name without placeholders, in whose key the whole path is; or `*` in `ignore` where it makes no difference"
      )
    }
    leftOut(name, "parameters of the path", missing, "the key")
  }
  // What changes something is not stored, so all that counts is the URL whose response it makes old.
  if (isUnsafe(endpoint.method)) return
  // A route fills a placeholder from its path where that has the name.
  const twice = placeholders.find((one) => path.includes(one) && query?.includes(one) === true)
  if (twice !== undefined && !ignore.includes(`query:${twice}`)) {
    throw invalidKey(
      key!,
      `it is a parameter of the path, and the query of ${name} has one of that name, which the key would leave out: give ` +
        `one of them another name, or name \`query:${twice}\` in \`ignore\` if that makes no difference`,
      twice
    )
  }
  if (counts !== undefined && !ignore.includes(anyOf.query)) {
    if (query === undefined) {
      throw invalidOptionAs(
        `the key of ${name}`,
        "without what its schema takes of the query under any name",
        `a name without placeholders and \`query\`, in whose key all of the query is; or \`${anyOf.query}\` in \`ignore\` ` +
          "where nothing else makes a difference"
      )
    }
    const missing = query.filter((one) => ![...counts, ...secretQuery].includes(one) && !ignores(ignore, one))
    leftOut(name, "parameters of the query", missing, template ? "the key" : "`query`")
  }
  const ofQuery = counts === undefined ? [...(query ?? []), "*"] : counts
  const ofPath = template ? placeholders : ["*", ...path]
  const both = ignore.filter((one) =>
    one.startsWith("query:")
      ? ofQuery.includes(one.slice(6)) && !(template && path.includes(one.slice(6)))
      : ofPath.includes(one) || (one !== "*" && ofQuery.includes(one))
  )
  if (both.length > 0) {
    throw invalidOption(
      `ignore of ${name}`,
      both,
      "what is not in the key: name those that count, in `key` or in `query`"
    )
  }
  checkHeaders(name, endpoint, options, [...credentials, ...ignore])
}
