/**
 * What the intents of writes say on Redis, where they stand, and when they are dropped.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Metric, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import { normalizeKey } from "../../src/CacheKey.ts"
import { CacheError, NotReplicated, Unavailable } from "../../src/CacheError.ts"
import { CacheClient, CacheLayer, CacheRegion, writeAround, writeThrough } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import type { Intents } from "../../src/services/CacheBackend.ts"
import { calls, eventually, openStore, scoped } from "../stores/redis/support.ts"
import { buildClient, sharedRedis } from "../support/client.ts"
import { makeDatabase } from "../support/sql.ts"
import { besideIn } from "./intentsSetup.ts"

const server = sharedRedis()

const setupWith = (settings: { readonly lockTtl?: "1 minute" }) =>
  Effect.gen(function*() {
    const running = yield* server
    const { client: admin, namespace } = yield* openStore(running)
    const layer = CacheRedis.layer({ url: running.url, namespace, timeout: "10 seconds" })
    const client = yield* buildClient(layer, { sweepInterval: false, ...settings })
    /** The lists that are put down: keys, patterns, tags. */
    const down = Effect.promise(async () => {
      const found: Array<unknown> = []
      for (const name of await admin.keys(`${namespace}:i:*`)) {
        for (const text of await admin.hvals(name)) found.push(JSON.parse(text.slice(text.indexOf(":") + 1)))
      }
      return found
    })
    return { admin, client, down, namespace, gone: eventually(Effect.map(down, (found) => found.length === 0)) }
  })
const setup = setupWith({})

interface Id {
  readonly id: string
}

const Row = CacheRegion.make({ key: "row:{id}", schema: Schema.String, ttl: "1 hour", tags: ["rows", "all"] })

type Run = (write: Effect.Effect<string>) => Effect.Effect<unknown, unknown, CacheClient>

describe("the intent of a write", () => {
  const own = { invalidateOwnTags: true } as const
  const all = [[], [], ["rows", "all"]]
  const writes: Record<string, readonly [Run, expected: ReadonlyArray<unknown>]> = {
    writeThrough: [(write) => writeThrough(Row, own)((_: Id) => write)({ id: "1" }), [all]],
    "one that lists tags, too": [
      (write) => writeThrough(Row, { ...own, invalidateTags: ["rows", "lists"] })((_: Id) => write)({ id: "1" }),
      [[[], [], ["rows", "lists", "all"]]]
    ],
    "a create": [(write) => writeThrough(Row, { ...own, keyOf: (id) => ({ id }) })(() => write)(), [all]],
    writeAround: [(write) => writeAround(Row, own)((_: Id) => write)({ id: "1" }), [all]],
    "one without an intent": [
      (write) => writeThrough(Row, { ...own, intent: false })((_: Id) => write)({ id: "1" }),
      []
    ],
    "one that leaves them": [(write) => writeThrough(Row)((_: Id) => write)({ id: "1" }), []]
  }
  for (const [name, [run, expected]] of Object.entries(writes)) {
    it.live(
      `says the tags that are fixed in the region, where the write makes those old: ${name}`,
      scoped(
        Effect.gen(function*() {
          const { client, down, gone } = yield* setup
          let found: ReadonlyArray<unknown> = ["it has not run"]
          const write = Effect.map(down, (there) => {
            found = there
            return "1"
          })
          yield* client.run(run(write))
          assert.deepStrictEqual(found, expected)
          yield* gone
        })
      )
    )
  }

  it.live(
    "of keys that are too long stands beside the first as it is stored",
    scoped(
      Effect.gen(function*() {
        const { admin, client, namespace } = yield* setup
        const key = "k".repeat(20_000)
        const write = writeAround({ keys: () => ["", key, "other"], invalidateTags: ["t"] })(() =>
          besideIn({ client: admin, namespace }, normalizeKey(key))
        )
        assert.isTrue(yield* client.run(write()))
      })
    )
  )

  it.effect(
    "is renewed until its lists were carried out",
    scoped(
      Effect.gen(function*() {
        const store = yield* Effect.flatMap(server, openStore)
        const { backend, locks, tags } = store
        const [asked, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        let renewals = 0
        const intents: Intents = {
          ...backend.intents!,
          renew: (...args) =>
            Effect.suspend(() => {
              renewals++
              return backend.intents!.renew(...args)
            })
        }
        const removeMatching: typeof backend.removeMatching = (pattern) =>
          Effect.andThen(
            Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(gate)),
            backend.removeMatching(pattern)
          )
        const layer = CacheLayer.make(Effect.succeed({ locks, tags, backend: { ...backend, intents, removeMatching } }))
        const client = yield* buildClient(layer, { lockTtl: "9 seconds", sweepInterval: false })
        const write = writeThrough(Row, { invalidatePatterns: ["list:*"] })((_: Id) => Effect.succeed("row"))
        const writer = yield* Effect.forkChild(client.run(write({ id: "1" })))
        yield* Deferred.await(asked)
        for (let i = 0; i < 20; i++) {
          yield* TestClock.adjust("3 seconds")
          // As long as a trip: what was asked before it is answered.
          assert.isTrue(yield* besideIn(store, "row:1"))
        }
        yield* Deferred.succeed(gate, undefined)
        assert.isAbove(renewals, 1)
        yield* Fiber.join(writer)
        yield* eventually(Effect.map(besideIn(store, "row:1"), (stands) => !stands))
      })
    )
  )

  it.effect(
    "renews the leases along with it, also those that were taken late",
    scoped(
      Effect.gen(function*() {
        const store = yield* Effect.flatMap(server, openStore)
        const { backend, locks, tags } = store
        const [asked, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const [writes, written] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const renewed: Array<string> = []
        const takeOver: typeof backend.takeOver = (key, ...args) =>
          key === "late"
            ? Effect.andThen(
                Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(gate)),
                backend.takeOver(key, ...args)
              )
            : backend.takeOver(key, ...args)
        const renew: typeof backend.renew = (key, ...args) =>
          Effect.tap(backend.renew(key, ...args), (held) =>
            Effect.sync(() => {
              if (held) renewed.push(key)
            })
          )
        const layer = CacheLayer.make(Effect.succeed({ locks, tags, backend: { ...backend, renew, takeOver } }))
        const client = yield* buildClient(layer, { lockTtl: "9 seconds", sweepInterval: false })
        const write = writeAround({ keys: () => ["early", "late"], invalidateTags: ["t"] })(() =>
          Effect.andThen(Deferred.succeed(writes, undefined), Deferred.await(written))
        )
        const writer = yield* Effect.forkChild(client.run(write()))
        yield* Deferred.await(asked)
        yield* TestClock.adjust("3 seconds")
        yield* eventually(Effect.sync(() => renewed.includes("early")))
        yield* Deferred.succeed(gate, undefined)
        yield* Deferred.await(writes)
        renewed.length = 0
        for (let i = 0; i < 20; i++) {
          yield* TestClock.adjust("3 seconds")
          // As long as a trip: what was asked before it is answered.
          assert.isTrue(yield* besideIn(store, "early"))
        }
        assert.include(renewed, "early")
        assert.include(renewed, "late")
        yield* Deferred.succeed(written, undefined)
        yield* Fiber.join(writer)
      })
    )
  )

  it.live(
    "that the take-over has put down waits for the index, and is put once more only where the take-over has not",
    scoped(
      Effect.gen(function*() {
        const store = yield* Effect.flatMap(server, openStore)
        const { backend, locks, tags } = store
        const unavailable = new CacheError({
          reason: new Unavailable({ backend: "redis", operation: "intents", cause: new Error("of the test") })
        })
        const notReplicated = new CacheError({
          reason: new NotReplicated({ backend: "redis", replicas: 1, acknowledged: 0, millis: 1 })
        })
        type TakeOver = typeof backend.takeOver
        const ways: Record<string, readonly [TakeOver, puts: number, isDown: boolean]> = {
          "in the same script": [backend.takeOver, 0, true],
          "a backend that puts none down": [
            (key, token, ttl, as, give) => backend.takeOver(key, token, ttl, as, give),
            1,
            true
          ],
          "the index fails": [
            (...args) =>
              Effect.map(backend.takeOver(...args), (taken) => ({ ...taken, intended: Effect.fail(unavailable) })),
            0,
            true
          ],
          "the take-over is not replicated": [
            (key, token, ttl, as, give) =>
              Effect.andThen(backend.takeOver(key, token, ttl, as, give), Effect.fail(notReplicated)),
            1,
            true
          ],
          "the store does not answer": [() => Effect.fail(unavailable), 0, false]
        }
        for (const [name, [takeOver, expected, isDown]] of Object.entries(ways)) {
          let puts = 0
          const intents: Intents = {
            ...backend.intents!,
            put: (...args) =>
              Effect.suspend(() => {
                puts++
                return backend.intents!.put(...args)
              })
          }
          const layer = CacheLayer.make(Effect.succeed({ locks, tags, backend: { ...backend, intents, takeOver } }))
          const client = yield* buildClient(layer, { sweepInterval: false })
          const write = writeAround({ keys: () => ["row:1"], invalidateTags: ["t"] })(() => besideIn(store, "row:1"))
          const quiet = Effect.provideService(References.MinimumLogLevel, "None")
          assert.strictEqual(yield* client.run(quiet(write())), isDown, name)
          assert.strictEqual(puts, expected, name)
          yield* eventually(Effect.map(besideIn(store, "row:1"), (stands) => !stands))
        }
      })
    )
  )

  it.live(
    "stays where the write has run and its lists were not carried out",
    scoped(
      Effect.gen(function*() {
        const { client, down } = yield* setup
        let isBroken = false
        const registry = new Map()
        const get = registry.get.bind(registry)
        registry.get = (key) => {
          if (isBroken) throw new Error("the registry is broken")
          return get(key)
        }
        const write = writeThrough(Row, { invalidateTags: ["t"] })((_: Id) =>
          Effect.sync(() => {
            isBroken = true
            return "committed"
          })
        )
        const exit = yield* Effect.exit(
          client
            .run(write({ id: "1" }))
            .pipe(
              Effect.provideService(Metric.MetricRegistry, registry),
              Effect.provideService(References.MinimumLogLevel, "None")
            )
        )
        assert.isTrue(Exit.hasDies(exit))
        assert.deepStrictEqual(yield* down, [[[], [], ["t"]]])
      })
    )
  )

  it.live(
    "goes where the write has failed, once its lists were carried out",
    scoped(
      Effect.gen(function*() {
        const { client, gone } = yield* setup
        const write = writeThrough(Row, { invalidateTags: ["t"] })((_: Id) => Effect.die("a defect of the write"))
        assert.isTrue(Exit.hasDies(yield* Effect.exit(client.run(write({ id: "1" })))))
        yield* gone
      })
    )
  )
})

describe("the intent of a transaction", () => {
  it.live(
    "that clears is about every key",
    scoped(
      Effect.gen(function*() {
        const { client, down, gone } = yield* setup
        const db = yield* makeDatabase()
        const clears = Effect.andThen(
          CacheClient.use((cache) => cache.clear),
          down
        )
        assert.deepStrictEqual(yield* client.run(db.transaction(clears)), [[[], ["*"], []]])
        yield* gone
      })
    )
  )

  it.live(
    "of very many items is put down no more when it is full",
    scoped(
      Effect.gen(function*() {
        const { admin, client, down } = yield* setupWith({ lockTtl: "1 minute" })
        const db = yield* makeDatabase()
        const before = yield* calls(admin, "hset")
        const tags = Effect.forEach(
          Array.from({ length: 1_300 }, (_, i) => `t${i}`),
          (tag) => CacheClient.use((cache) => cache.invalidateTags([tag])),
          { discard: true }
        )
        const found = yield* client.run(db.transaction(Effect.andThen(tags, down)))
        assert.deepStrictEqual(found, [[[], [], Array.from({ length: 1_000 }, (_, i) => `t${i}`)]])
        // Nothing is renewed within so long a lease.
        assert.isAtMost((yield* calls(admin, "hset")) - before, 1_000)
      })
    )
  )
})
