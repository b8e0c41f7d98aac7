/**
 * A transaction whose snapshot is from before others wrote: what it loads is older than what they acknowledged.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { CacheMemory } from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { buildClient, freshNamespace, sharedRedis } from "../../support/client.ts"
import { type Open, test } from "./setup.ts"

const server = sharedRedis()

const stores: ReadonlyArray<readonly [string, Open]> = [
  ["memory", buildClient(CacheMemory.layer({ isolation: "clone" }))],
  [
    "Redis",
    Effect.flatMap(server, ({ url }) =>
      buildClient(CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" }))
    )
  ]
]

for (const [name, open] of stores) {
  test(open, `a refresh in it does not store what is older than a write that was acknowledged, on ${name}`, (world) =>
    Effect.gen(function*() {
      const { begin, db, get, out, put, read, transaction } = world
      yield* begin("a", 1)
      yield* transaction(
        Effect.gen(function*() {
          // From here on it sees the rows of now.
          yield* db.read("a")
          yield* out(put({ id: "a", n: 7 }))
          assert.strictEqual(yield* get.refresh({ id: "a" }), 1)
        })
      )
      assert.strictEqual(yield* read("a"), 7)
    })
  )
}
