/**
 * Lifetimes in Redis are the server's: a clock of this process that jumps changes none. And how old a value may be while Redis is
 * away, through the real layers.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Option, Schema } from "effect"
import { cacheAside, CacheClient, CacheFallback, CacheMemory } from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { buildClient, freshNamespace, makeGate, sharedRedis } from "../support/client.ts"
import { twoHands } from "../support/clocks.ts"
import { quietly } from "../support/faultyRun.ts"
import { until } from "../support/until.ts"

const server = sharedRedis()
const counters = CacheClient.use((cache) => cache.counters)
const hour = 3_600_000

describe("the clock of a process that uses Redis", () => {
  const world = Effect.gen(function*() {
    const { url } = yield* server
    const { run } = yield* buildClient(CacheRedis.layer({ url, namespace: freshNamespace() }))
    return { run, clock: yield* twoHands }
  })
  const aside = (ttl: number) => cacheAside({ key: "k", schema: Schema.Number, ttl })(Effect.succeed(1))

  it.live("a wall clock that is put back, or was ahead, prolongs nothing", () =>
    Effect.gen(function*() {
      const { clock, run } = yield* world
      const get = aside(200)
      for (const ahead of [0, 24 * hour]) {
        clock.wall += ahead
        yield* run(get).pipe(Effect.provideService(Clock.Clock, clock))
        clock.wall -= ahead + hour
        yield* until(run(Effect.map(get.peek, Option.isNone)).pipe(Effect.provideService(Clock.Clock, clock)))
      }
    }).pipe(Effect.scoped)
  )

  it.live("one that is put ahead ends nothing: the server's goes on as before", () =>
    Effect.gen(function*() {
      const { clock, run } = yield* world
      const get = aside(60_000)
      yield* Effect.gen(function*() {
        yield* run(get)
        clock.wall += hour
        assert.deepStrictEqual(yield* run(get.peek), Option.some(1))
      }).pipe(Effect.provideService(Clock.Clock, clock))
    }).pipe(Effect.scoped)
  )
})

describe("while Redis is away", () => {
  // Nobody listens there.
  const away = CacheRedis.layer({ url: "redis://127.0.0.1:1", namespace: "away", timeout: "100 millis" })
  const layers = [
    { name: "CacheRedis.layer alone", layer: away, maxAge: 1_000 },
    {
      name: "CacheFallback.layer",
      layer: CacheFallback.layer({ primary: away, fallback: CacheMemory.layer(), fallbackTtl: "1 second" }),
      maxAge: 1_000
    }
  ]
  for (const { layer, maxAge, name } of layers) {
    it.live(`${name}: a load is joined until it is as old as values may be, and no longer`, () =>
      Effect.gen(function*() {
        const clock = yield* twoHands
        const { run } = yield* buildClient(Layer.fresh(layer))
        const gate = makeGate<string>()
        let row = "old"
        let loads = 0
        const get = cacheAside({ key: "k", schema: Schema.String })(
          Effect.suspend(() => (loads++ === 0 ? gate.pass(row) : Effect.succeed(row)))
        )
        yield* Effect.gen(function*() {
          const first = yield* Effect.forkChild(run(get), { startImmediately: true })
          yield* gate.reached
          yield* Effect.yieldNow
          row = "new"
          clock.pass(maxAge - 1)
          const joined = yield* Effect.forkChild(run(get), { startImmediately: true })
          yield* until(Effect.map(run(counters), ({ total }) => total.shared === 1))
          clock.pass(1)
          assert.strictEqual(yield* run(get), "new")
          yield* gate.open
          assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(joined)], ["old", "old"])
          assert.strictEqual(yield* run(get), "new")
        }).pipe(Effect.provideService(Clock.Clock, clock))
      }).pipe(Effect.scoped, quietly)
    )
  }
})
