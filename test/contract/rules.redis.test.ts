/**
 * The protocol's rules on Redis, between two clients, and the one whose interleaving is particular to it.
 */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Schema } from "effect"
import { Redis } from "ioredis"
import { cacheAside, invalidatePattern } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { alone, conformance, redisStore } from "./conformance.ts"
import { transactionRules } from "./transactions.ts"
import { lenderRule } from "./lender.ts"
import { adminOf, buildClient, freshNamespace, makeGate, sharedRedis } from "../support/client.ts"

const server = sharedRedis()

conformance("Redis", redisStore(Effect.map(server, alone)), ["protocol", "evictions"])
transactionRules(
  Effect.flatMap(server, ({ url }) =>
    buildClient(CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" }))
  )
)
lenderRule(
  Effect.flatMap(server, ({ url }) =>
    buildClient(CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" }))
  ),
  "Redis"
)

it.live("rule: two passes for patterns (Redis)", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const running = yield* server
      const admin = yield* adminOf(running, { db: 1 })
      const namespace = freshNamespace()
      const names = (i: number) => [`${namespace}:e:{row:${i}:}`, `${namespace}:l:{row:${i}:}`] as const

      // Enough keys for a dozen pages, and among them a row whose entry is on the first page and its lease far behind.
      const chosen = yield* Effect.promise(async () => {
        const pipeline = admin.pipeline()
        for (let i = 0; i < 4000; i++) for (const name of names(i)) pipeline.set(name, "")
        await pipeline.exec()
        const pageOf = new Map<string, number>()
        let cursor = "0"
        let pages = 0
        do {
          const page = await admin.scan(cursor, "COUNT", 1000)
          cursor = page[0]
          for (const key of page[1]) pageOf.set(key, pages)
          pages++
        } while (cursor !== "0")
        for (let i = 0; i < 4000; i++) {
          const [entry, lease] = names(i)
          if (pageOf.get(entry) === 0 && pageOf.get(lease)! >= 4) {
            await admin.del(entry, lease)
            return i
          }
        }
        throw new Error(`no row has its keys so far apart, on ${pages} pages`)
      })

      // The invalidating client stops before the third page of its first pass.
      const stopped = Deferred.makeUnsafe<void>()
      const goOn = Deferred.makeUnsafe<void>()
      let scans = 0
      class Stopping extends Redis {
        override sendCommand(command: any, stream?: any): unknown {
          if (command.name !== "scan" || ++scans !== 3) return super.sendCommand(command, stream)
          Effect.runSync(Deferred.succeed(stopped, undefined))
          void Effect.runPromise(Deferred.await(goOn)).then(() => super.sendCommand(command))
          return command.promise
        }
      }
      const own = yield* Effect.acquireRelease(
        Effect.sync(() => new Stopping({ port: running.port, host: running.host, db: 1, lazyConnect: true })),
        (client) => Effect.sync(() => client.disconnect())
      )
      const a = yield* buildClient(CacheRedis.layer({ url: `${running.url}/1`, namespace, timeout: "10 seconds" }))
      const b = yield* buildClient(CacheRedis.layer({ client: own, namespace, timeout: "10 seconds" }))

      let row = 0
      const middle = makeGate<number>()
      const gates = [middle]
      const get = cacheAside({ key: `row:${chosen}:`, schema: Schema.Number })(
        Effect.suspend(() => gates.shift()?.pass(row) ?? Effect.succeed(row))
      )
      const reader = yield* Effect.forkChild(a.run(get))
      yield* middle.reached
      row = 1
      const invalidation = yield* Effect.forkChild(b.run(invalidatePattern(`row:${chosen}:*`)))
      yield* Deferred.await(stopped)
      yield* middle.open
      assert.strictEqual(yield* Fiber.join(reader), 0)
      assert.deepStrictEqual(yield* a.run(get.peek), Option.some(0))
      yield* Deferred.succeed(goOn, undefined)
      yield* Fiber.join(invalidation)
      assert.deepStrictEqual(yield* a.run(get.peek), Option.none())
      assert.strictEqual(yield* a.run(get), 1)
    })
  )
)
