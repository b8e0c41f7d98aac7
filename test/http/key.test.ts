/**
 * Keys of requests: nothing an attacker writes makes two of them one.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Context, Schema } from "effect"
import { HttpServerRequest } from "effect/http"
import { compileName, keyUnsafe } from "../../src/http/key.ts"
import { policyUnsafe } from "../../src/http/options.ts"
import { noneMatches } from "../../src/http/conditions.ts"
import { directivesOf } from "../../src/http/freshness.ts"

const policy = policyUnsafe({ ttl: 1000, vary: ["x-a", "x-b"], authenticated: ["x-key", "cookie:s"] })

/** What separates the parts of a key, and what could be taken for it. */
const hostile = Schema.Array(
  Schema.Literals([
    "a",
    "b",
    "%61",
    "%2F",
    "%~",
    "%u0041",
    "%",
    "#",
    ">",
    "=",
    "~",
    "é",
    "*",
    "{",
    "x-a",
    "x-b=",
    ":",
    ".",
    "\u0000",
    "\ud800"
  ])
)
const ofQuery = (template: string, search: Record<string, string>): string =>
  keyUnsafe(
    compileName(template),
    policyUnsafe({ ttl: 1000 }),
    { url: "/", originalUrl: "/", headers: {}, cookies: {} } as unknown as HttpServerRequest.HttpServerRequest,
    Context.make(HttpServerRequest.ParsedSearchParams, search) as Context.Context<never>
  )
const word = Arbitrary.map(Arbitrary.schema(hostile), (pieces) => pieces.slice(0, 6).join(""))

type Four = readonly [path: string, query: string, a: string, b: string]

const key = ([path, query, a, b]: Four): string => {
  const url = `/${path.replaceAll("?", "")}?q=${query.replaceAll("&", "")}`
  return keyUnsafe(
    compileName("n"),
    policy,
    {
      url,
      originalUrl: url,
      headers: { host: "example.com", "x-a": a, "x-key": b },
      cookies: {}
    } as unknown as HttpServerRequest.HttpServerRequest,
    Context.empty()
  )
}

describe("keys of requests", () => {
  it("a query parameter with a ? may be missing, which is not to be sent empty", () => {
    assert.strictEqual(ofQuery("list:{page?}", {}), "list:%-")
    assert.strictEqual(ofQuery("list:{page?}", { page: "" }), "list:")
    assert.strictEqual(ofQuery("list:{page?}", { page: "%-" }), "list:%25-")
    assert.throws(() => ofQuery("list:{page}", {}), /InvalidKey/)
  })

  it.prop(
    "are equal only for equal requests",
    [word, word, word, word, word, word, word, word],
    ([p, q, a, b, p2, q2, a2, b2]) => {
      const one: Four = [p, q, a, b]
      // A mixture of the two, so that most parts agree.
      for (const other of [
        [p2, q2, a2, b2],
        [p2, q, a, b],
        [p, q2, a, b],
        [p, q, a2, b],
        [p, q, a, b2],
        [q, p, b, a]
      ] as ReadonlyArray<Four>) {
        const same = one.every((part, i) => part.trim() === other[i]!.trim())
        assert.strictEqual(key(one) === key(other), same, JSON.stringify([one, other]))
      }
    }
  )

  it("of different names are different, also where a name goes on like a path", () => {
    const of = (name: string, url: string) =>
      keyUnsafe(
        compileName(name),
        policyUnsafe({ ttl: 1000 }),
        {
          url,
          originalUrl: url,
          headers: { host: "h" },
          cookies: {}
        } as unknown as HttpServerRequest.HttpServerRequest,
        Context.empty()
      )
    const made = ["a", "a:", "a:/b", "a/b", "a:/b:c", "a:b"].flatMap((name) =>
      ["/", "/b:/", "/b:c:/", "/:/", "/b%3A/", "/b?:/"].map((url) => of(name, url))
    )
    assert.strictEqual(new Set(made).size, made.length)
    assert.strictEqual(of("users:list", "/a"), "http:users:list:http://h/a")
  })

  it("of a name with its host and without are different", () => {
    const of = (name: string, host: string, url: string, anyHost: boolean) =>
      keyUnsafe(
        compileName(name),
        policyUnsafe({ ttl: 1000, anyHost }),
        {
          url,
          originalUrl: url,
          headers: host === "" ? {} : { host },
          cookies: {}
        } as unknown as HttpServerRequest.HttpServerRequest,
        Context.empty()
      )
    const hosts = ["h", "a", "[::1]", "h:8080", "[::1]:8080", ""]
    const urls = ["/", "//", "//h/", "//h/%-/", "/%-/", "/h/", "///h", "/8080/", "/>/", "/:8080/"]
    const made = ["a", "a:http", "a:http:", "a:http:/", "a:http://h", "a:https:", "a:http://h:8080"].flatMap((name) => [
      ...urls.map((url) => of(name, "h", url, true)),
      ...hosts.flatMap((host) => urls.map((url) => of(name, host, url, false)))
    ])
    assert.strictEqual(new Set(made).size, made.length)
    assert.strictEqual(of("a", "Example.COM:80", "/b?c", false), "http:a:http://example.com/b?c")
    assert.strictEqual(of("a", "example.com:3000", "/b?c", false), "http:a:http://example.com:3000/b?c")
    assert.strictEqual(of("a", "example.com", "/b?c", true), "http:a:/b?c")
    assert.throws(() => of("a", "b, c", "/", false), /InvalidKey/)
    assert.throws(() => of("a", "b/c", "/", true), /InvalidKey/)
  })

  it("hold no secret of a query", () => {
    const secret = policyUnsafe({ ttl: 1000, authenticated: ["query:api_key"] })
    const of = (query: string, options = secret) =>
      keyUnsafe(
        compileName("n"),
        options,
        {
          url: `/?${query}`,
          originalUrl: `/?${query}`,
          headers: { host: "h" },
          cookies: {}
        } as unknown as HttpServerRequest.HttpServerRequest,
        Context.empty()
      )
    assert.match(of("b=2&api_key=hush&a=1"), /^http:n:http:\/\/h\/\?a=1&b=2#query%3Aapi_key=[\w-]{43}$/)
    const queries = ["", "api_key", "api_key=", "api_key=hush", "api%5fkey=hush", "api_key=hush&api_key=x", "API_KEY=x"]
    for (const query of queries.slice(0, -1)) assert.notInclude(of(query), "hush")
    assert.strictEqual(new Set(queries.map((query) => of(query))).size, queries.length)
    const some = policyUnsafe({ ttl: 1000, authenticated: ["query:api_key"], query: ["a"] })
    assert.notStrictEqual(of("a=1&api_key=x", some), of("a=1&api_key=y", some))
    assert.throws(() => compileName("page:{api_key}", secret.secretQuery), /InvalidKey/)
  })

  it("hold no credential, and stay short", () => {
    const made = key(["a", "b", "c".repeat(5000), "very-secret"])
    assert.notInclude(made, "very-secret")
    assert.isAtMost(made.length, 512)
    assert.match(
      key(["users/7", "1", "x", "very-secret"]),
      /^http:n:http:\/\/example\.com\/users\/7\?q=1#x-a=x&x-b&x-key=[\w-]{43}&cookie%3As$/
    )
  })
})

describe("headers", () => {
  it("hostile ones are read in time that grows with their length", () => {
    const evil = '",=;'.repeat(50_000)
    assert.isFalse(noneMatches(evil, '"x"'))
    assert.isTrue(noneMatches(`${'"a",'.repeat(50_000)} "x"`, 'W/"x"'))
    assert.isFalse(directivesOf(evil).has("no-store"))
    assert.isTrue(directivesOf(`${'a="'.repeat(50_000)}, NO-STORE`).has("no-store"))
    assert.strictEqual(directivesOf('max-age="60"').get("max-age"), "60")
  })
})
