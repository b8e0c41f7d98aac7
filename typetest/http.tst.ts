import { Context, Schema } from "effect"
import type { HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware } from "effect/http-api"
import { describe, expect, it } from "tstyche"
import {
  cachedEndpoint,
  CachePolicy,
  type EndpointExchange,
  type ExchangeOf,
  type HttpCache
} from "../src/http/index.ts"

class Auth extends HttpApiMiddleware.Service<Auth>()("Auth") {}
class Name extends Context.Service<Name, string>()("Name") {}

const Page = HttpApiEndpoint.get("page", "/pages/:id", {
  params: { id: Schema.FiniteFromString },
  query: { since: Schema.DateFromString, words: Schema.optional(Schema.Array(Schema.String)) },
  success: Schema.String
})
const Plain = HttpApiEndpoint.get("plain", "/plain", { success: Schema.String })
const ttl = "1 minute"
type Unknown = Readonly<Record<string, unknown>>

describe("the policy of an endpoint", () => {
  it("gets path and query at the types of its schemas", () => {
    type Asked = ExchangeOf<typeof Page>
    expect<Asked["params"]>().type.toBe<{ readonly id: number }>()
    expect<Asked["query"]["since"]>().type.toBe<Date>()
    expect<Asked["query"]["words"]>().type.toBe<ReadonlyArray<string> | undefined>()
    expect<Asked["request"]>().type.toBe<HttpServerRequest.HttpServerRequest>()
    expect<Asked["response"]>().type.toBe<HttpServerResponse.HttpServerResponse>()
  })

  it("knows nothing of what has no schema", () => {
    expect<ExchangeOf<typeof Plain>>().type.toBe<EndpointExchange<Unknown, Unknown>>()
    expect(Plain.annotate).type.toBeCallableWith(CachePolicy, {
      ttl,
      tags: ({ params, query }: EndpointExchange) => [`${params["id"]}:${query["page"]}`]
    })
  })

  it("has them data-first and in a pipe", () => {
    cachedEndpoint(Page, { ttl, tags: ({ params }) => [params.id.toFixed(0)] })
    Page.pipe(
      cachedEndpoint({ ttl: ({ query }) => query.since.getTime(), tags: ({ params }) => [params.id.toFixed(0)] })
    )
    // @ts-expect-error Property 'slug' does not exist
    cachedEndpoint(Page, { ttl, tags: ({ params }) => [params.slug] })
    // @ts-expect-error Property 'length' does not exist on type 'number'
    Page.pipe(cachedEndpoint({ ttl, tags: ({ params }) => [String(params.id.length)] }))
  })

  it("takes what `cachedResponse` takes, and more", () => {
    expect(cachedEndpoint<typeof Page>).type.toBeCallableWith({
      ttl,
      sameForAll: true,
      ignore: ["words"],
      skips: [Auth]
    })
    expect(cachedEndpoint<typeof Page>).type.not.toBeCallableWith({ sameForAll: true })
    expect(cachedEndpoint<typeof Page>).type.not.toBeCallableWith({ ttl, sameForAl: true })
    expect(cachedEndpoint<typeof Page>).type.not.toBeCallableWith({ ttl, tags: [1] })
    expect(cachedEndpoint<typeof Page>).type.not.toBeCallableWith({ ttl, skips: ["Auth"] })
  })

  it("needs the middleware, and keeps what the endpoint has", () => {
    const cached = Page.pipe(cachedEndpoint({ ttl })).middleware(Auth)
    expect<HttpApiEndpoint.Middleware<typeof cached>>().type.toBe<HttpCache | Auth>()
    expect<HttpApiEndpoint.Params<typeof cached>["Type"]>().type.toBe<{ readonly id: number }>()
    expect(cached.identifier).type.toBe<"page">()
    expect(HttpApiGroup.make("pages").add).type.toBeCallableWith(cached)
    expect(cachedEndpoint).type.not.toBeCallableWith(Name, { ttl })
  })
})
