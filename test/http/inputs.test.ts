/**
 * What an endpoint is asked for and its key leaves out: places, and not names alone, also where the schema has several forms or takes
 * any name.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import {
  HttpApi,
  HttpApiEndpoint,
  HttpApiError,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSecurity
} from "effect/http-api"
import { cachedEndpoint, CachePolicy, type CachePolicyOptions, HttpCache } from "../../src/http/index.ts"

const ttl = "1 minute"
class Auth extends HttpApiMiddleware.Service<Auth>()("Auth", {
  security: { key: HttpApiSecurity.apiKey({ key: "x-api-key" }) },
  error: HttpApiError.Unauthorized
}) {}

const page = HttpApiEndpoint.get("page", "/:tenant/pages/:id", {
  params: { tenant: Schema.String, id: Schema.FiniteFromString },
  query: { lang: Schema.optional(Schema.String) },
  success: Schema.String
})
const reads = HttpApiEndpoint.get("reads", "/reads", {
  headers: { "X-Tenant": Schema.String, "x-request-id": Schema.optional(Schema.String) },
  success: Schema.String
})
const plain = HttpApiEndpoint.get("plain", "/plain", { success: Schema.String })
const anything = HttpApiEndpoint.get("anything", "/anything/:id", {
  query: Schema.Record(Schema.String, Schema.String),
  headers: Schema.Record(Schema.String, Schema.String),
  success: Schema.String
})
const files = HttpApiEndpoint.get("files", "/files/*", {
  params: { "*": Schema.String },
  query: { page: Schema.optionalKey(Schema.String) },
  success: Schema.String
})
const bare = HttpApiEndpoint.get("bare", "/of/:user/:id(\\d+:x*)/*", { success: Schema.String })
const twice = HttpApiEndpoint.get("twice", "/items/:id", {
  params: { id: Schema.String },
  query: { id: Schema.String },
  success: Schema.String
})
/** Forms of what is asked for: one or the other. */
const formed = (...forms: ReadonlyArray<Schema.Top>) => Schema.Union(forms) as never
const forms = HttpApiEndpoint.get("forms", "/forms/:id", {
  params: { id: Schema.String },
  query: formed(Schema.Struct({ a: Schema.String }), Schema.Struct({ b: Schema.String })),
  headers: formed(Schema.Struct({ "x-a": Schema.String }), Schema.Struct({ "x-b": Schema.String })),
  success: Schema.String
})
const open = HttpApiEndpoint.get("open", "/open/:id", {
  params: { id: Schema.String },
  query: formed(Schema.Struct({ a: Schema.String }), Schema.Record(Schema.String, Schema.String)),
  success: Schema.String
})
const inBody = HttpApiEndpoint.get("inBody", "/in-body/:id", {
  params: { id: Schema.String },
  payload: { word: Schema.String },
  success: Schema.String
})
const put = HttpApiEndpoint.put("put", "/:tenant/pages/:id", {
  params: { tenant: Schema.String, id: Schema.FiniteFromString },
  query: { id: Schema.optional(Schema.String), dry: Schema.optional(Schema.String) },
  headers: { "if-match": Schema.optional(Schema.String) },
  success: Schema.String
})

/** What the check says; `undefined` where it says nothing. */
const said = (endpoint: HttpApiEndpoint.Constraint) =>
  Effect.map(
    Effect.result(HttpCache.check(HttpApi.make("api").add(HttpApiGroup.make("pages").add(endpoint)))),
    (result) => (result._tag === "Failure" ? result.failure.message : undefined)
  )

describe("what the key of an endpoint leaves out", () => {
  const policies: ReadonlyArray<
    readonly [HttpApiEndpoint.Constraint, Partial<CachePolicyOptions>, string | undefined]
  > = [
    [page, {}, undefined],
    [page, { key: "p:{tenant}:{id}:{lang?}" }, undefined],
    [page, { key: "p:{tenant}:{id}", ignore: ["lang"] }, undefined],
    [
      page,
      { key: "p:{tenant}:{identity}" },
      'placeholder {identity} of "p:{tenant}:{identity}": the endpoint pages.page has no such parameter, but tenant, id, lang'
    ],
    [plain, { key: "p:{id}" }, "the endpoint pages.plain has no such parameter, and no other"],
    [
      page,
      { key: "p:{id}:{lang?}" },
      'the key of pages.page is without the parameters of the path "tenant", expected each one that the endpoint declares: name it in the key, or in `ignore`'
    ],
    [page, { key: "p:{tenant}:{id}" }, 'without the parameters of the query "lang"'],
    [
      page,
      { query: [] },
      'without the parameters of the query "lang", expected each one that the endpoint declares: name it in `query`'
    ],
    [page, { ignore: ["lang"] }, 'ignore of pages.page is ["lang"], expected what is not in the key'],
    [
      reads,
      {},
      'without the headers "X-Tenant", "x-request-id", expected each one that the endpoint declares: name it in `vary`, or `authenticated` if it is a credential'
    ],
    [reads, { vary: ["x-tenant"], ignore: ["x-request-id"] }, undefined],
    [reads, { authenticated: ["x-tenant"], ignore: ["X-Request-Id"] }, undefined],
    [anything, {}, "vary of pages.anything is not given"],
    [anything, { ignore: ["id"] }, "ignore of pages.anything"],
    [anything, { vary: ["accept"] }, undefined],
    [anything, { ignore: ["header:*"] }, undefined],
    [anything, { ignore: ["x-request-id"] }, "vary of pages.anything is not given"],
    [anything, { vary: ["Authorization"] }, "vary of pages.anything is not given"],
    [anything, { authenticated: ["x-api-key", "cookie:s"] }, "vary of pages.anything is not given"],
    [
      anything,
      { key: "p:{id}:{whatever}", vary: ["accept"] },
      "the key of pages.anything is without what its schema takes of the query under any name"
    ],
    [anything, { query: ["page"], vary: ["accept"] }, "`query:*` in `ignore` where nothing else makes a difference"],
    [anything, { key: "p:{id}:{whatever}", vary: ["accept"], ignore: ["query:*"] }, undefined],
    [anything, { query: ["page"], ignore: ["query:*", "header:*"] }, undefined],
    [
      anything,
      { ignore: ["query:*", "header:*"] },
      'ignore of pages.anything is ["query:*"], expected what is not in the key'
    ],
    [open, { key: "o:{id}" }, "takes of the query under any name"],
    [open, {}, undefined],
    [forms, { key: "f:{id}", vary: ["x-a", "x-b"] }, 'without the parameters of the query "a", "b"'],
    [forms, { query: ["a"], vary: ["x-a", "x-b"] }, 'without the parameters of the query "b"'],
    [forms, { vary: ["x-a"] }, 'without the headers "x-b"'],
    [forms, { key: "f:{id}:{a?}:{b?}", vary: ["x-a"], ignore: ["x-b"] }, undefined],
    [forms, { key: "f:{id}", ignore: ["query:*", "header:*"] }, undefined],
    [inBody, { key: "b:{id}" }, 'without the parameters of the query "word"'],
    [files, {}, undefined],
    [
      files,
      { key: "files:{page?}" },
      "the key of pages.files is without what its path has in place of `*`, expected a name without placeholders"
    ],
    [files, { key: "files:{page?}", ignore: ["*"] }, undefined],
    [files, { ignore: ["*"] }, 'ignore of pages.files is ["*"], expected what is not in the key'],
    [bare, { key: "b:{user}:{id}" }, "without what its path has in place of `*`"],
    [bare, { key: "b:{user}", ignore: ["*"] }, 'without the parameters of the path "id"'],
    [bare, { key: "b:{user}:{id}", ignore: ["*"] }, undefined],
    [
      twice,
      { key: "item:{id}" },
      'placeholder {id} of "item:{id}": it is a parameter of the path, and the query of pages.twice has one of that name'
    ],
    [twice, { key: "item:{id}", ignore: ["id"] }, "name `query:id` in `ignore`"],
    [twice, { key: "item:{id}", ignore: ["query:id"] }, undefined],
    [twice, {}, undefined],
    [twice, { query: [] }, 'without the parameters of the query "id"'],
    [twice, { query: [], ignore: ["query:id"] }, undefined],
    [twice, { ignore: ["query:id"] }, 'ignore of pages.twice is ["query:id"]'],
    // Nothing of it is stored: it makes old what is stored under the key.
    [put, { key: "p:{tenant}:{id}" }, undefined],
    [put, { key: "p:{id}" }, 'without the parameters of the path "tenant"'],
    [put, { key: "p:{tenant}:{id}:{slug}" }, "has no such parameter"]
  ]
  for (const [endpoint, policy, expected] of policies) {
    it.effect(`${endpoint.identifier} with ${JSON.stringify(policy)}`, () =>
      Effect.gen(function*() {
        const one = (endpoint as HttpApiEndpoint.Top).annotate(CachePolicy, { ttl, ...policy }).middleware(HttpCache)
        const message = yield* said(one)
        if (expected === undefined) return assert.isUndefined(message)
        assert.include(message ?? "nothing", expected)
      })
    )
  }

  it.effect("security says nothing of the headers that the handler reads", () =>
    Effect.gen(function*() {
      for (const [endpoint, expected] of [
        [forms, 'without the headers "x-a", "x-b"'],
        [anything, "vary of pages.anything is not given"]
      ] as const) {
        const guarded = endpoint.annotate(CachePolicy, { ttl }).middleware(HttpCache).middleware(Auth)
        assert.include(yield* said(guarded as never), expected)
      }
      const credential = HttpApiEndpoint.get("plain", "/plain", {
        headers: { "X-Api-Key": Schema.String },
        success: Schema.String
      })
      assert.isUndefined(yield* said(credential.pipe(cachedEndpoint({ ttl })).middleware(Auth)))
    })
  )
})
