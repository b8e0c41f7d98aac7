import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { CacheMemory } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { adminOf, buildClient, freshNamespace, scanKeys, sharedRedis } from "../support/client.ts"
import { runHistory } from "../support/random.ts"
import { rounds } from "../support/rounds.ts"

const server = sharedRedis()

describe("no read is older than what was acknowledged before it", () => {
  it.live(
    "in memory",
    () =>
      Effect.gen(function*() {
        let operations = 0
        let loads = 0
        for (let seed = 1; seed <= rounds(15); seed++) {
          // Some stores are too small for all keys, so that entries and their markers come and go.
          const outcome = yield* Effect.scoped(
            Effect.gen(function*() {
              const client = yield* buildClient(CacheMemory.layer({ maxEntries: seed % 3 === 0 ? 2 : 100 }))
              const outcome = yield* runHistory({
                clients: [client],
                seed,
                fibers: 8,
                opsPerFiber: 60,
                keys: 1 + (seed % 4),
                pause: (random) => Effect.replicateEffect(Effect.yieldNow, random(4), { discard: true })
              })
              assert.strictEqual(yield* client.inFlight, 0)
              return outcome
            })
          )
          assert.deepStrictEqual(outcome.violations, [])
          operations += outcome.operations
          loads += outcome.loads
        }
        console.log(`R1 in memory: ${operations} operations, ${loads} loads, no violation`)
        assert.isAtLeast(operations, rounds(5_000))
      }),
    60_000
  )

  it.live(
    "on Redis, between three clients, while bookkeeping is lost",
    () =>
      Effect.gen(function*() {
        const running = yield* server
        let operations = 0
        let loads = 0
        for (let seed = 1; seed <= rounds(2); seed++) {
          const outcome = yield* Effect.scoped(
            Effect.gen(function*() {
              const admin = yield* adminOf(running)
              const namespace = freshNamespace()
              const layer = CacheRedis.layer({ url: running.url, namespace, timeout: "20 seconds" })
              const settings = { lockTtl: seed % 2 === 0 ? "60 millis" : "5 seconds" } as const
              const clients = [
                yield* buildClient(layer, settings),
                yield* buildClient(layer, settings),
                yield* buildClient(layer, settings)
              ]
              const outcome = yield* runHistory({
                clients,
                seed,
                fibers: 30,
                opsPerFiber: 90,
                keys: 1 + (seed % 4),
                pause: (random) =>
                  random(8) === 0
                    ? Effect.sleep(random(3))
                    : Effect.replicateEffect(Effect.yieldNow, random(4), { discard: true }),
                evict: (id, random) =>
                  Effect.promise(async () => {
                    const names = [`l:{row:${id}}`, `e:{row:${id}}`, `t:row:${id}`, "t:all", "epoch"]
                    await admin.del(`${namespace}:${names[random(names.length)]}`)
                  })
              })
              for (const client of clients) assert.strictEqual(yield* client.inFlight, 0)
              assert.deepStrictEqual(yield* Effect.promise(() => scanKeys(admin, `${namespace}:l:*`)), [])
              return outcome
            })
          )
          assert.deepStrictEqual(outcome.violations, [])
          operations += outcome.operations
          loads += outcome.loads
        }
        console.log(`R1 on Redis: ${operations} operations, ${loads} loads, no violation`)
        assert.isAtLeast(operations, rounds(5_000))
      }),
    120_000
  )
})
