/**
 * Intents on Cluster: hash and index on two nodes, and the slot of either on its way to another.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import { calculateSlot } from "../../../src/stores/redis/nodes/slot.ts"
import { freshNamespace } from "../../support/client.ts"
import { RedisCluster } from "../../support/redisCluster.ts"
import { until } from "../../support/until.ts"

const intent = { keys: ["l"], patterns: ["l:*"], tags: ["t"] }

it.live(
  "what is put down before, while and after a slot moves is found, settled and forgotten",
  () =>
    Effect.gen(function*() {
      const cluster = yield* RedisCluster.scoped()
      const namespace = freshNamespace()
      const { backend } = yield* makeRedisPrimitives({ url: cluster.url, namespace, timeout: "5 seconds" })
      const intents = backend.intents!
      const index = `${namespace}:intents`
      const owner = yield* cluster.primaryOf(index)
      // A key whose hash is on another node.
      let key = ""
      for (let i = 0; key === ""; i++) {
        if ((yield* cluster.primaryOf(`${namespace}:i:{k${i}}`)) !== owner) key = `k${i}`
      }
      const hash = `${namespace}:i:{${key}}`
      yield* intents.put(key, "w:before", intent, 1)
      yield* intents.put(key, "w:live", intent, 60_000)
      const finish = []
      for (const name of [hash, index]) {
        const from = yield* cluster.primaryOf(name)
        const to = (yield* cluster.primaries).find((node) => node !== from)!
        finish.push(yield* cluster.openMigration(calculateSlot(name), to))
      }
      yield* intents.put(key, "w:during", intent, 1)
      // The scripts that do it by the way need all keys on one node: they go on without.
      const taken = yield* backend.takeOver(key, "w:taken", 5_000, "write", undefined, intent)
      assert.strictEqual(taken.holder, "w:taken")
      assert.isUndefined(taken.intended)
      assert.isTrue(yield* intents.renew(key, "w:live", 60_000))
      assert.isTrue(yield* intents.renew(key, "w:during", 1))
      for (const each of finish) yield* each
      yield* intents.put(key, "w:after", intent, 1)
      const tokens = ["w:after", "w:before", "w:during"]
      yield* until(Effect.map(intents.ended(key), (ended) => ended.length === tokens.length))
      const ended = yield* intents.ended(key)
      assert.sameMembers(
        ended.map(({ token }) => token),
        tokens
      )
      // The index goes by a clock of its own.
      let found = (yield* intents.sweep(100, 10)).found
      yield* until(
        Effect.map(intents.sweep(100, 10), (swept) => {
          if (swept.found.length > 0) found = swept.found
          return found.length === tokens.length
        })
      )
      assert.isTrue((yield* Effect.forEach(ended, intents.settle)).every((settled) => settled))
      yield* intents.forget(found)
      yield* intents.drop([{ key, token: "w:live" }])
      assert.isFalse(yield* intents.renew(key, "w:live", 1))
    }).pipe(Effect.scoped),
  60_000
)
