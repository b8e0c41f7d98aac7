/**
 * Options that are refused where they are given, in words that say of which response they are; and a `cacheControl` that is wrong when it
 * is asked.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { HttpRouter, HttpServerResponse as Response } from "effect/http"
import { CacheError, CacheMemory } from "../../src/index.ts"
import { cachedResponse } from "../../src/http/index.ts"
import { serve } from "../support/http.ts"

const page = Effect.succeed(Response.text("page"))

/** What is said of options that are refused; `undefined` where they are not. */
const said = (options: unknown, name: unknown = "report"): string | undefined => {
  try {
    cachedResponse(page, name as string, options as never)
    return undefined
  } catch (error) {
    if (!(error instanceof CacheError)) throw error
    return error.message
  }
}

describe("an option that is refused", () => {
  const token = "expected the name of a cookie behind `cookie:`, without spaces"
  const parameter = "expected the name of a parameter of the query, without spaces around it"
  const text = 'expected a text such as "private, max-age=60", or a function that gives one'
  const personal = 'expected a text with "private" or "no-store"'
  for (const [options, expected] of [
    [{ ttl: 0 }, "ttl of report is 0, expected a positive duration"],
    [{ vary: ["a b"] }, 'vary of report is "a b"'],
    [{ maxBodyBytes: -1 }, "maxBodyBytes of report is -1"],
    [{ tags: 5 }, "tags of report is 5"],
    [{ onCacheError: "x" }, 'onCacheError of report is "x"'],
    [{ statuses: [206] }, "statuses of report is [206]"],
    [{ ttll: 5 }, "ttll of report is no option"],
    [{ cacheStatus: { keys: true } }, "cacheStatus.keys of report is no option"],
    [
      { stampede: "yes" },
      'stampede of report is "yes", expected true, false, or an object with lockTtl and waitTimeout'
    ],
    [{ stampede: null }, "stampede of report is null"],
    [{ stampede: { lockTtl: 0 } }, "stampede.lockTtl of report is 0"],
    [{ stampede: { waitTimeout: 0 } }, "stampede.waitTimeout of report is 0"],
    [{ authenticated: ["cookie: session"] }, `authenticated of report is "cookie: session", ${token}`],
    [{ authenticated: ["cookie:session "] }, token],
    [{ authenticated: ["cookie:a=b"] }, token],
    [{ authenticated: ["cookie:a;b"] }, token],
    [{ authenticated: ["Cookie:"] }, `authenticated of report is "Cookie:", ${token}`],
    [{ authenticated: ["cookie :session"] }, "expected the name of a header"],
    [{ authenticated: ["query:"] }, `authenticated of report is "query:", ${parameter}`],
    [{ authenticated: ["query: key"] }, parameter],
    [{ query: ["page", ""] }, `query of report is "", ${parameter}`],
    [{ query: ["page "] }, parameter],
    [{ ignoreCookies: ["_ga "] }, 'ignoreCookies of report is "_ga ", expected the name of a cookie'],
    [{ ignoreCookies: [""] }, "expected the name of a cookie"],
    [{ ignoreCookies: ["_ga; _gid"] }, "expected the name of a cookie"],
    [{ ignoreCookies: ["_ga=1"] }, "expected the name of a cookie"],
    [{ cacheControl: 60 }, `cacheControl of report is 60, ${text}`],
    [{ cacheControl: null }, text],
    [{ cacheControl: " " }, text],
    [{ cacheControl: "max-age=1\r\nx: y" }, text],
    [
      { cacheControl: "public, max-age=60", authenticated: ["cookie:s"] },
      `cacheControl of report is "public, max-age=60", ${personal}`
    ],
    [{ cacheControl: "max-age=60", authenticated: ["x-api-key"] }, personal],
    [{ cacheControl: "s-maxage=60", authenticated: ["query:key"] }, personal],
    [{ cacheControl: 'private="x-own", max-age=60', vary: ["authorization"] }, personal],
    [{ cacheControl: "no-store, must-understand", vary: ["cookie"] }, personal],
    [{ cacheControl: "private, max-age=60", authenticated: ["x-api-key"] }, undefined],
    [{ cacheControl: "no-store", authenticated: ["x-api-key"] }, undefined],
    [{ cacheControl: "public, max-age=60" }, undefined],
    [
      { ignoreCookies: ["a b", "a:b", "a[b]"], authenticated: ["Cookie:__Host-sid", "query:a[b]", "query:a b"] },
      undefined
    ],
    [{ stampede: { lockTtl: "1 minute" } }, undefined]
  ] as ReadonlyArray<readonly [object, string | undefined]>) {
    it(JSON.stringify(options), () => {
      const message = said({ ttl: "1 minute", ...options })
      if (expected === undefined) return assert.isUndefined(message)
      assert.include(message, expected)
    })
  }

  it("names the response, or the key", () => {
    assert.strictEqual(
      said({ ttl: 0 }, "page:{slug}"),
      "InvalidOption: ttl of page:{slug} is 0, expected a positive duration"
    )
    assert.include(said({ ttl: "1 minute", query: ["a"] }, "page:{slug}"), "query of page:{slug} is")
    assert.include(said(undefined), "options of report is undefined")
    assert.include(said({ ttl: "1 minute" }, { ttl: 1 }), "the name of a cached response is an object, expected a text")
  })
})

describe("a cacheControl that is a function", () => {
  /** What goes out of two requests, and the warnings. */
  const answered = (options: object) =>
    Effect.gen(function*() {
      const warnings: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel === "Warn") warnings.push(String((message as ReadonlyArray<unknown>)[0]))
      })
      const handler = cachedResponse("report", { ttl: "1 minute", ...options })(page)
      const logged = Effect.provide(handler, Logger.layer([logger]))
      const ask = yield* serve(HttpRouter.add("GET", "/", logged), yield* Layer.build(CacheMemory.layer()))
      const answers = []
      for (let i = 0; i < 2; i++) {
        const { headers, status, text } = yield* ask("/", { headers: { "x-api-key": "ada" } })
        answers.push(`${status} ${text} ${headers.get("cache-control")}`)
      }
      return { answers, warnings }
    }).pipe(Effect.scoped)

  for (const [what, options] of [
    [
      "throws",
      {
        cacheControl: () => {
          throw new Error("oops")
        }
      }
    ],
    ["gives nothing", { cacheControl: () => undefined }],
    ["gives a promise that is rejected", { cacheControl: () => Promise.reject(new Error("oops")) }],
    ["breaks the line", { cacheControl: () => "max-age=1\r\nset-cookie: a=b" }],
    ["gives to all what is for one", { cacheControl: () => "public, max-age=60", authenticated: ["x-api-key"] }]
  ] as const) {
    it.live(`and ${what} is forgiven, with a warning`, () =>
      Effect.gen(function*() {
        const { answers, warnings } = yield* answered(options)
        assert.deepStrictEqual(answers, ["200 page private, no-cache", "200 page private, no-cache"])
        assert.deepStrictEqual(warnings, [
          'effect-cache: cacheControl of report gave nothing that may be sent, so its responses go out as "private, no-cache"'
        ])
      })
    )
  }

  it.live("is asked for each answer", () =>
    Effect.gen(function*() {
      const { answers, warnings } = yield* answered({
        cacheControl: ({ maxAge, scope }: { maxAge: number; scope: string }) => `${scope}, max-age=${maxAge}`,
        authenticated: ["x-api-key"]
      })
      assert.deepStrictEqual(answers, ["200 page private, max-age=60", "200 page private, max-age=60"])
      assert.deepStrictEqual(warnings, [])
    })
  )
})
