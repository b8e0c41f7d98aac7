/**
 * Options that a store on Redis does not take, and namespaces that would mix.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { inspect } from "node:util"
import type { RedisOptions } from "../../../src/stores/redis/options/options.ts"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import { plant, valueOf, write } from "../../support/primitives.ts"
import { sharedRedis } from "../../support/client.ts"
import { fresh } from "./support.ts"

const sharedServer = sharedRedis()

describe("options", () => {
  const refused: ReadonlyArray<readonly [RedisOptions, string]> = [
    [{ url: "http://h" }, "url"],
    [{ url: "redis://h:99999" }, "url"],
    [{ url: "nonsense hush" }, "url"],
    [{ url: "redis://u:hush@h/x" }, "url"],
    [{ url: "redis://u:hush@h/0?tls=1" }, "url"],
    [{ url: "redis://u:%zzhush@h/0" }, "url"],
    [{ port: 0 }, "port"],
    [{ port: 1.5 }, "port"],
    [{ db: -1 }, "db"],
    [{ host: "a b" }, "host"],
    [{ host: "h:6379" }, "host"],
    [{ host: "[::1]:6379" }, "host"],
    [{ host: "[h]" }, "host"],
    [{ host: "[::1" }, "host"],
    [{ host: "[]" }, "host"],
    [{ host: "" }, "host"],
    [{ host: 6379 as never }, "host"],
    [{ host: "redis://u:hush@h" }, "host"],
    [{ timeout: 0 }, "timeout"],
    [{ timeout: -1 }, "timeout"],
    [{ timeout: Infinity }, "timeout"],
    [{ timeout: "soon" as "1 second" }, "timeout"],
    [{ connectTimeout: "2 days" }, "connectTimeout"],
    [{ pingInterval: 99 }, "pingInterval"],
    [{ pingInterval: "25 hours" }, "pingInterval"],
    [{ compressionThreshold: -1 }, "compressionThreshold"],
    [{ compressionThreshold: NaN }, "compressionThreshold"],
    [{ isolation: "x" as "clone" }, "isolation"],
    [{ name: "a b" }, "name"],
    // From JavaScript: what is no text.
    [{ url: 5 as never }, "url"],
    [{ url: new URL("redis://u:hush@h") as never }, "url"],
    [{ url: Redacted.make(5) as never }, "url"],
    [{ password: 5 as never }, "password"],
    [{ password: { value: "hush" } as never }, "password"],
    [{ password: Redacted.make(["hush"]) as never }, "password"],
    [{ username: 5 as never }, "username"],
    [{ name: 5 as never }, "name"],
    [{ namespace: 5 as never }, "namespace"],
    [{ mode: "cluster", nodes: "h:1,h:2" as never }, "nodes"],
    [{ mode: "cluster", nodes: [5] as never }, "nodes"],
    [{ mode: "sentinel", nodes: ["h:1"], primaryName: 5 as never }, "primaryName"],
    [{ mode: "sentinel", nodes: ["h:1"], primaryName: "p", sentinelUsername: 5 as never }, "sentinelUsername"],
    [{ mode: "sentinel", nodes: ["h:1"], primaryName: "p", sentinelPassword: 5 as never }, "sentinelPassword"],
    ...[
      "",
      " ",
      "a b",
      "a{b",
      "}",
      "a*",
      "a?",
      "[a]",
      "a\\",
      "a\n",
      "\u0000",
      "\ud800",
      "a:t",
      "a:t:b",
      "x".repeat(129)
    ].map((namespace) => [{ namespace }, "namespace"] as const)
  ]
  it.effect.each(refused)("%j is refused", ([options, option]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(makeRedisPrimitives(options)))
      assert.strictEqual(error.reason._tag, "InvalidOption")
      if (error.reason._tag === "InvalidOption") assert.strictEqual(error.reason.option, option)
      assert.notInclude(inspect(error, { depth: 10 }), "hush")
    })
  )

  it.effect("namespaces that could name one key do not exist together; others do", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { url } = yield* sharedServer
        const base = fresh()
        for (const namespace of [base, `${base}:e`, `${base}:l`, `${base}:epoch`, `${base}:`, `${base}:tt`]) {
          const { backend, tags } = yield* makeRedisPrimitives({ url, namespace })
          yield* plant(backend, "k", write(backend, namespace))
          yield* tags.ensure(["epoch"], 60_000)
        }
        const outer = yield* makeRedisPrimitives({ url, namespace: base })
        yield* outer.backend.clear
        for (const namespace of [`${base}:e`, `${base}:l`, `${base}:epoch`, `${base}:`, `${base}:tt`]) {
          const { backend, tags } = yield* makeRedisPrimitives({ url, namespace })
          assert.strictEqual(valueOf(backend, yield* backend.read("k")), namespace)
          assert.isNumber((yield* tags.markers(["epoch"]))[0])
        }
      })
    )
  )
})
