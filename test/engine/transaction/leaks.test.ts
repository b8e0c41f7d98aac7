/**
 * Nothing is left of transactions that have ended.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Metric, Schema, Scope } from "effect"
import { assemble } from "../../../src/layers/assemble.ts"
import { makeMemoryPrimitivesWithState } from "../../../src/stores/memory/primitives.ts"
import { CacheClient, CacheMemory } from "effect-cache"
import { buildClient } from "../../support/client.ts"
import { collect } from "../../support/collect.ts"
import { makeDatabase } from "../../support/sql.ts"
import { until } from "../../support/until.ts"
import { makeWorld, type World } from "./setup.ts"

const Big = Schema.Struct({ big: Schema.Boolean })

/** Fifty of each kind. */
const many = ({ db, get, put, savepoint, transaction }: World) =>
  Effect.forEach(
    Array.from({ length: 50 }, (_, i) => ({ id: `row${i % 7}`, n: i })),
    (at) =>
      Effect.gen(function*() {
        const cache = yield* CacheClient
        yield* transaction(put(at))
        yield* Effect.exit(transaction(Effect.andThen(put(at), Effect.fail("rolled back"))))
        yield* transaction(Effect.andThen(get(at), Effect.exit(savepoint(Effect.andThen(put(at), Effect.fail("no"))))))
        yield* Effect.exit(transaction(Effect.andThen(savepoint(get.invalidate(at)), cache.invalidateTags(["none"]))))
        const fiber = yield* Effect.forkChild(transaction(Effect.andThen(put(at), Effect.never)))
        yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
        db.commits("lost")
        yield* Effect.exit(transaction(put(at)))
        db.commits(undefined)
      }),
    { discard: true }
  )

it.live("no fiber, no lease and no flight is left", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const primitives = yield* makeMemoryPrimitivesWithState({})
      const client = yield* buildClient(Layer.effectContext(assemble(primitives)), { lockTtl: "200 millis" })
      const world = makeWorld(client, yield* makeDatabase(), yield* Effect.context<never>())
      let alive = 0
      const counted = Effect.provideService(Metric.FiberRuntimeMetrics, {
        recordFiberStart: () => void alive++,
        recordFiberEnd: () => void alive--
      })
      yield* client.run(world.db.use(many(world))).pipe(counted)
      yield* until(Effect.sync(() => alive === 0 && primitives.state.leases.size === 0))
      assert.strictEqual(yield* client.inFlight, 0)
    })
  )
)

it.live("what was written is not kept for as long as the connection is", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const client = yield* buildClient(CacheMemory.layer({ isolation: "clone" }))
      const db = yield* makeDatabase()
      const refs: Array<WeakRef<object>> = []
      yield* db
        .transaction(
          Effect.suspend(() => {
            const value = { big: true }
            refs.push(new WeakRef(value))
            return client.run(
              CacheClient.use((cache) => Effect.orDie(cache.set("big", value, { schema: Big, ttl: "1 milli" })))
            )
          })
        )
        .pipe(Effect.orDie)
      yield* client.run(CacheClient.use((cache) => cache.clear))
      yield* until(Effect.map(collect, () => refs[0]!.deref() === undefined))
    })
  )
)

it.live("a client that is closed in a transaction is in nobody's way", () =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const client = yield* Scope.provide(buildClient(CacheMemory.layer()), scope)
    yield* Effect.scoped(
      Effect.gen(function*() {
        const world = makeWorld(client, yield* makeDatabase(), yield* Effect.context<never>())
        yield* world.begin("a", 1)
        yield* world.transaction(
          Effect.gen(function*() {
            yield* world.put({ id: "a", n: 6 })
            yield* Scope.close(scope, Exit.void)
            yield* world.put({ id: "a", n: 7 })
            assert.strictEqual(yield* world.get({ id: "a" }), 7)
          })
        )
        assert.strictEqual(yield* world.db.read("a"), 7)
      })
    )
  })
)
