/**
 * Caches behind ours: nginx with `proxy_cache`, and undici's shared cache in a client. What they may keep of a cached response is what our
 * headers say, and an invalidation does not reach them.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse as Response } from "effect/http"
import { cachedResponse, type ResponseOptions } from "../../src/http/index.ts"
import { invalidateTags } from "../../src/index.ts"
import { makeBackends } from "../support/backends.ts"
import { type Front, listen, type Way, wayThrough } from "../support/fronts.ts"

const backends = makeBackends()

const ttl = "10 minutes"

/** A session made outside of the cached handler. */
const visitors = () => {
  let count = 0
  return HttpRouter.middleware((app) =>
    Effect.map(app, (response) => Response.setCookieUnsafe(response, "sid", `visitor-${++count}`))
  ).layer
}

/** For caches behind us, too. */
const shared = { ttl, shared: true } as ResponseOptions

/** Pages that say `shared`. */
const sharedSite = () => {
  let runs = 0
  return Layer.mergeAll(
    HttpRouter.add("GET", "/page", cachedResponse("page", shared)(Effect.sync(() => Response.text(`${++runs}`)))),
    HttpRouter.add(
      "GET",
      "/language",
      cachedResponse("language", { ...shared, vary: ["accept-language"] })(({ headers }) =>
        Effect.sync(() => Response.text(`in ${headers["accept-language"] ?? "any language"}`))
      )
    ),
    HttpRouter.add(
      "GET",
      "/",
      cachedResponse(
        "home",
        shared
      )(({ cookies, headers }) =>
        Effect.sync(() => Response.text(`for ${headers["authorization"] ?? cookies["sid"] ?? "anybody"}`))
      )
    ),
    HttpRouter.add("GET", "/visit", cachedResponse("visit", shared)(Effect.sync(() => Response.text("hello")))).pipe(
      Layer.provide(visitors())
    )
  )
}

/** A site as people write one: what its handlers answer depends on who asks, and on what changed. */
const site = () => {
  const state = { revision: 1 }
  return Layer.mergeAll(
    HttpRouter.add(
      "GET",
      "/",
      cachedResponse("home", { ttl })(({ cookies }) =>
        Effect.sync(() =>
          Response.text(cookies["sid"] === undefined ? "please log in" : `account of ${cookies["sid"]}`)
        )
      )
    ),
    HttpRouter.add(
      "GET",
      "/api",
      cachedResponse("api", { ttl })(({ headers }) =>
        Effect.sync(() => Response.text(`for ${headers["authorization"] ?? "anybody"}`))
      )
    ),
    HttpRouter.add(
      "GET",
      "/mine",
      cachedResponse("mine", { ttl, authenticated: ["authorization", "cookie:sid"] })(({ cookies, headers }) =>
        Effect.sync(() => Response.text(`for ${headers["authorization"] ?? cookies["sid"] ?? "anybody"}`))
      )
    ),
    HttpRouter.add(
      "GET",
      "/language",
      cachedResponse("language", { ttl, vary: ["accept-language"] })(({ headers }) =>
        Effect.sync(() => Response.text(`in ${headers["accept-language"] ?? "any language"}`))
      )
    ),
    HttpRouter.add(
      "GET",
      "/article",
      cachedResponse("article", { ttl, tags: ["articles"] })(
        Effect.sync(() => Response.text(`revision ${state.revision}`))
      )
    ),
    HttpRouter.add(
      "POST",
      "/article",
      Effect.sync(() => state.revision++).pipe(
        Effect.andThen(invalidateTags(["articles"])),
        Effect.as(Response.empty())
      )
    ),
    HttpRouter.add("GET", "/visit", cachedResponse("visit", { ttl })(Effect.sync(() => Response.text("hello")))).pipe(
      Layer.provide(visitors())
    )
  )
}

interface Scenario {
  readonly name: string
  readonly without?: Front
  readonly run: (way: Way) => Effect.Effect<void>
}

const cookie = (sid: string) => ["Cookie", `sid=${sid}`] as const
const token = (name: string) => ["Authorization", `Bearer ${name}`] as const

/** Asks in this order, each twice, and expects these bodies. */
const each = (
  way: Way,
  target: string,
  asked: ReadonlyArray<readonly [header: readonly [string, string] | undefined, body: string]>
) =>
  Effect.gen(function*() {
    for (const [header, body] of [...asked, ...asked]) {
      const answer = yield* way.ask({ target, headers: header === undefined ? [] : [header] })
      assert.deepStrictEqual([answer.status, answer.body], [200, body], JSON.stringify(header))
    }
  })

const scenarios: ReadonlyArray<Scenario> = [
  {
    name: "the page of nobody is not that of who is logged in",
    run: (way) =>
      each(way, "/", [
        [undefined, "please log in"],
        [cookie("ada"), "account of ada"],
        [cookie("bob"), "account of bob"],
        [undefined, "please log in"]
      ])
  },
  {
    name: "nor is it that of who sends Authorization",
    run: (way) =>
      each(way, "/api", [
        [undefined, "for anybody"],
        [token("ada"), "for Bearer ada"],
        [token("bob"), "for Bearer bob"]
      ])
  },
  {
    name: "credentials that the policy names tell users apart",
    run: (way) =>
      each(way, "/mine", [
        [undefined, "for anybody"],
        [token("ada"), "for Bearer ada"],
        [token("bob"), "for Bearer bob"],
        [cookie("ada"), "for ada"],
        [cookie("bob"), "for bob"]
      ])
  },
  {
    name: "a header that the policy varies by tells pages apart",
    run: (way) =>
      each(way, "/language", [
        [undefined, "in any language"],
        [["Accept-Language", "de"], "in de"],
        [["Accept-Language", "en"], "in en"]
      ])
  },
  {
    name: "an invalidated page is not shown",
    run: (way) =>
      Effect.gen(function*() {
        yield* each(way, "/article", [[undefined, "revision 1"]])
        assert.strictEqual((yield* way.ask({ method: "POST", target: "/article?from=elsewhere" })).status, 204)
        yield* each(way, "/article", [[undefined, "revision 2"]])
      })
  },
  {
    name: "who has the page asks whether it holds, and gets a 304",
    // nginx takes conditions away from what it asks for, and keeps nothing that it could answer them from.
    without: "nginx",
    run: (way) =>
      Effect.gen(function*() {
        const first = yield* way.ask({ target: "/article" })
        const again = yield* way.ask({ target: "/article", headers: [["If-None-Match", first.headers["etag"]!]] })
        assert.deepStrictEqual([first.status, again.status, again.body], [200, 304, ""])
      })
  },
  {
    name: "two visitors do not get one cookie, and what has one is not public",
    run: (way) =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        for (let n = 0; n < 3; n++) {
          const { body, headers } = yield* way.ask({ target: "/visit" })
          assert.strictEqual(body, "hello")
          assert.notMatch(headers["cache-control"] ?? "", /public/)
          seen.push(headers["set-cookie"]!)
        }
        assert.strictEqual(new Set(seen).size, 3)
      })
  }
]

const all: ReadonlyArray<Front> = ["alone", "nginx", "undici"]

/** The same where the policy says `shared: true`. */
const sharedScenarios: ReadonlyArray<Scenario> = [
  {
    name: "a shared page is kept behind us",
    run: (way) =>
      Effect.gen(function*() {
        const { headers } = yield* way.ask({ target: "/page" })
        assert.match(headers["cache-control"] ?? "", /public/)
        assert.strictEqual((yield* way.ask({ target: "/page" })).body, "1")
      })
  },
  {
    name: "with a `Vary` on what the policy tells apart",
    run: (way) =>
      each(way, "/language", [
        [undefined, "in any language"],
        [["Accept-Language", "de"], "in de"],
        [["Accept-Language", "en"], "in en"]
      ])
  },
  {
    name: "and credentials that ours does not answer to are not answered to behind it",
    run: (way) =>
      each(way, "/", [
        [undefined, "for anybody"],
        [token("ada"), "for Bearer ada"],
        [cookie("ada"), "for ada"]
      ])
  },
  {
    name: "what has a cookie is not public",
    run: (way) =>
      Effect.gen(function*() {
        const first = yield* way.ask({ target: "/visit" })
        const second = yield* way.ask({ target: "/visit" })
        assert.notMatch(first.headers["cache-control"] ?? "", /public/)
        assert.notStrictEqual(first.headers["set-cookie"], second.headers["set-cookie"])
      })
  }
]

const sites = [
  { scenarios, routesOf: site },
  { scenarios: sharedScenarios, routesOf: sharedSite }
]

describe.each(all)("behind cachedResponse: %s", (front) => {
  describe.each(["memory", "Redis"] as const)("%s", (backend) => {
    for (const { routesOf, scenarios } of sites) {
      for (const { name, run, without } of scenarios) {
        if (front === without) continue
        it.live(name, () =>
          Effect.gen(function*() {
            const cache = yield* Layer.build(Layer.fresh(backends[backend]()))
            const port = yield* Effect.flatMap(Effect.sync(routesOf), (routes) => listen(routes, cache))
            yield* run(yield* wayThrough(front, port, true))
          }).pipe(Effect.scoped)
        )
      }
    }
  })
})
