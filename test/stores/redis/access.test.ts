/**
 * Users, TLS, and secrets that stay secret.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Redacted } from "effect"
import { Redis } from "ioredis"
import { inspect } from "node:util"
import type { RedisOptions } from "../../../src/stores/redis/options/options.ts"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import { plant, valueOf, write } from "../../support/primitives.ts"
import { RedisServer } from "../../support/redisServer.ts"
import { openClient, reasonOf, captureLogs } from "./support.ts"

describe("access", () => {
  it.effect("a user without channels, a password and a database", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped({
          acl: [
            "user default off",
            "user app on >hush~%1 ~app:* +@all -@dangerous +info",
            "user root on >root ~* &* +@all"
          ]
        })
        const client = yield* openClient({ port: server.port, username: "root", password: "root", db: 3 })
        for (const options of [
          { url: `redis://app:${encodeURIComponent("hush~%1")}@127.0.0.1:${server.port}/3` },
          { url: Redacted.make(server.url), username: "app", password: Redacted.make("hush~%1"), db: 3 }
        ] satisfies ReadonlyArray<RedisOptions>) {
          const { backend } = yield* makeRedisPrimitives({ ...options, namespace: "app" })
          yield* backend.acquire("k", "a", 1000)
          assert.isTrue(yield* backend.fill("k", "a", write(backend, 1), "keep"))
          assert.strictEqual(yield* Effect.promise(() => client.exists("app:e:{k}")), 1)
          yield* backend.clear
        }
      })
    )
  )

  it.effect("TLS, with and without trust", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped({ tls: true })
        const { backend } = yield* makeRedisPrimitives({ url: server.url, tls: { ca: server.ca! } })
        yield* plant(backend, "k", write(backend, 1))
        assert.strictEqual(valueOf(backend, yield* backend.read("k")), 1)
        const distrustful = yield* makeRedisPrimitives({ url: server.url })
        assert.strictEqual(yield* reasonOf(distrustful.backend.read("k")), "Unavailable")
      })
    ).pipe(Effect.provide(logs.layer))
  })

  it.effect("no secret is in any error or log", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped({ requirepass: "right" })
        const secret = "s3cr3t/p@ss"
        for (const options of [
          { url: `redis://someone:${encodeURIComponent(secret)}@127.0.0.1:${server.port}` },
          { url: server.url, password: Redacted.make(secret) },
          {
            client: yield* Effect.acquireRelease(
              Effect.sync(() =>
                new Redis({ port: server.port, password: secret, retryStrategy: () => 50 }).on("error", () => {})
              ),
              (client) => Effect.sync(() => client.disconnect())
            )
          }
        ] satisfies ReadonlyArray<RedisOptions>) {
          const { backend } = yield* makeRedisPrimitives(options)
          const exit = yield* Effect.exit(
            backend.fill("secret-key", "secret-token", write(backend, "secret-value"), "keep")
          )
          assert.isTrue(Exit.isFailure(exit))
          const text = inspect(exit, { depth: 20, showHidden: true }) + JSON.stringify(exit)
          for (const word of [secret, encodeURIComponent(secret), "secret-value", "secret-token"])
            assert.notInclude(text, word)
          assert.match(text, /WRONGPASS|NOAUTH|is down|was closed/)
        }
        const all = logs.lines.join("\n")
        assert.isAbove(logs.lines.length, 0)
        assert.notInclude(all, "s3cr3t")
      })
    ).pipe(Effect.provide(logs.layer))
  })
})
