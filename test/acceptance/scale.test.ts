/**
 * A tag and a pattern over 100,000 entries.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { Redis } from "ioredis"
import { CacheClient, invalidatePattern, invalidateTags } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { adminOf, buildClient, type Client, commandCounts, freshNamespace, sharedRedis } from "../support/client.ts"

const server = sharedRedis({ args: ["--slowlog-log-slower-than", "5000", "--slowlog-max-len", "10000"] })

/** Entries with one tag: the first by the client, the others as copies of its bytes, which is quicker. */
const plant = (client: Client, admin: Redis, namespace: string, count: number, tag: string) =>
  Effect.gen(function*() {
    yield* client.run(
      CacheClient.use((cache) => cache.set(`${tag}:0`, 0, { schema: Schema.Number, ttl: "1 hour", tags: [tag] }))
    )
    yield* Effect.promise(() =>
      admin.eval(
        `local bytes = redis.call("GET", KEYS[1] .. "0}")
        for i = 1, ARGV[1] - 1 do redis.call("SET", KEYS[1] .. i .. "}", bytes, "PX", 3600000) end`,
        1,
        `${namespace}:e:{${tag}:`,
        count
      )
    )
  })

const commandsOf = <A, E>(admin: Redis, effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    yield* Effect.promise(() => admin.config("RESETSTAT"))
    yield* effect
    const counts = yield* Effect.promise(() => commandCounts(admin))
    return Object.entries(counts)
      .filter(([name]) => name !== "config|resetstat" && name !== "info")
      .map(([name, calls]) => `${name} ${calls}`)
      .sort()
  })

describe("100,000 entries", () => {
  it.live(
    "the commands of a tag do not depend on them, and no command of a pattern blocks",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const running = yield* server
          const admin = yield* adminOf(running)
          const namespace = freshNamespace()
          const client = yield* buildClient(CacheRedis.layer({ url: running.url, namespace, timeout: "30 seconds" }))
          yield* plant(client, admin, namespace, 10, "few")
          yield* plant(client, admin, namespace, 100_000, "many")
          const get = (key: string) => client.run(CacheClient.use((cache) => cache.get(key, Schema.Number)))
          assert.strictEqual((yield* get("many:99999"))._tag, "Some")
          // Scripts are loaded by now, so both count the same.
          yield* client.run(invalidateTags(["other"]))
          const few = yield* commandsOf(admin, client.run(invalidateTags(["few"])))
          const many = yield* commandsOf(admin, client.run(invalidateTags(["many"])))
          assert.deepStrictEqual(many, few)
          assert.strictEqual((yield* get("many:99999"))._tag, "None")
          console.log(`a tag on 100,000 entries: ${many.join(", ")} (on 10: ${few.join(", ")})`)

          const before = yield* Effect.promise(() => admin.dbsize())
          yield* Effect.promise(() => admin.slowlog("RESET"))
          const pattern = yield* commandsOf(admin, client.run(invalidatePattern("many:*")))
          const slow = (yield* Effect.promise(() => admin.slowlog("GET", -1))) as ReadonlyArray<ReadonlyArray<any>>
          const after = yield* Effect.promise(() => admin.dbsize())
          assert.strictEqual(before - after, 100_000)
          // Redis measures wall time, so a busy host shows in any command. One that is too big for its 5 ms shows every time.
          const slowOf = (name: string) => slow.filter((line) => line[3][0] === name).length
          for (const command of pattern) {
            const [name, calls] = command.split(" ") as [string, string]
            assert.isAtMost(slowOf(name), Math.ceil(Number(calls) / 4), `${name}, of ${calls}`)
          }
          console.log(
            `a pattern over 100,000 entries: ${pattern.join(", ")}; over 5 ms: ` +
              `${slowOf("scan")} scan, ${slowOf("unlink")} unlink`
          )
          assert.isFalse(pattern.some((command) => command.startsWith("keys ")))
        })
      ),
    120_000
  )
})
