/**
 * The site of `examples/behind-nginx`, behind a real nginx with its `nginx.conf`, on memory and Redis.
 */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Site } from "../../examples/behind-nginx/site.ts"
import { makeBackends } from "../support/backends.ts"
import { listen } from "../support/fronts.ts"
import { nginx } from "../support/nginx.ts"
import { send } from "../support/rawHttp.ts"

const file = readFileSync(new URL("../../examples/behind-nginx/nginx.conf", import.meta.url), "utf8")
const backends = makeBackends()

describe.each(["memory", "Redis"] as const)("a site behind nginx, on %s", (backend) => {
  it.live("is what its page says", () =>
    Effect.gen(function*() {
      const cache = yield* Layer.build(Layer.fresh(backends[backend]()))
      const upstream = yield* listen(Site as never, cache)
      const port = yield* nginx({ upstream, file })
      const ask = (target: string, headers: Record<string, string> = {}, method = "GET") =>
        Effect.map(
          send(port, { method, target, headers: Object.entries({ Host: "shop.example", ...headers }) }),
          ({ body, headers, status }) => ({
            status,
            body: body.replace(/, run \d+/, ""),
            run: body.replace(/.*, run /, ""),
            headers,
            ours: headers["x-cache"],
            nginx: headers["x-nginx"]
          })
        )

      // nginx keeps the shared page, for anybody, and our server is not asked.
      const press = yield* ask("/press/1")
      assert.deepStrictEqual([press.status, press.ours, press.nginx], [200, "MISS", "MISS"])
      assert.strictEqual(press.headers["cache-control"], "public, max-age=60")
      const kept = yield* ask("/press/1", { Cookie: "theme=dark" })
      assert.deepStrictEqual([kept.nginx, kept.run], ["HIT", press.run])
      assert.strictEqual((yield* ask("/press/1", { Host: "other.example" })).ours, "MISS")

      // The other page is in our cache alone; who has it gets a 304 through nginx.
      const article = yield* ask("/articles/1", { Cookie: "theme=dark" })
      assert.deepStrictEqual([article.ours, article.headers["cache-control"]], ["MISS", "private, no-cache"])
      const again = yield* ask("/articles/1")
      assert.deepStrictEqual([again.ours, again.run], ["HIT", article.run])
      const held = yield* ask("/articles/1", { "If-None-Match": article.headers["etag"]! })
      assert.deepStrictEqual([held.status, held.body], [304, ""])

      // Each session has its own account.
      for (const who of ["ada", "bob", "ada"]) {
        assert.strictEqual((yield* ask("/account", { Cookie: `session=${who}` })).body, `account of ${who}`)
      }
      assert.strictEqual((yield* ask("/account")).body, "account of nobody")

      // What clients say of themselves is not believed: it is nginx that says it.
      const forged = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "127.0.0.1"
      }
      assert.strictEqual((yield* ask("/articles/1", forged)).ours, "HIT")

      // An invalidation is seen at once on what we keep, and later on what nginx was allowed to.
      assert.strictEqual((yield* ask("/articles", {}, "POST")).status, 204)
      const changed = yield* ask("/articles/1", { "If-None-Match": article.headers["etag"]! })
      assert.deepStrictEqual([changed.status, changed.ours], [200, "MISS"])
      assert.strictEqual((yield* ask("/press/1")).run, press.run)
    }).pipe(Effect.scoped)
  )
})
