import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { cacheAside, CacheFallback, CacheMemory, invalidateTags, memoize, stampedeProtect } from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { CacheTest } from "effect-cache/testing"
import { buildClient, freshNamespace, makeGate, sharedRedis } from "../support/client.ts"
import { layer as withFallback } from "../support/fallback.ts"
import { inProcess } from "../support/layers.ts"
import { keeping } from "../support/spans.ts"
import { makeDatabase } from "../support/sql.ts"

interface Id {
  readonly id: number
}

const region = { key: "o:{id}", schema: Schema.Number, ttl: "1 minute", tags: ["o"] } as const
const get = cacheAside(region)(({ id }: Id) => Effect.succeed(id))

/** What a call says of itself. */
const told = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const { said, traced } = keeping()
    return Effect.map(Effect.exit(traced(call)), () => said())
  })

for (const [name, layer] of inProcess) {
  describe(`outcomes on ${name}`, () => {
    const store = name === "bytes" ? "test" : "memory"
    /** A hit in this process is no trip, and has no span. */
    const read = (outcome: string) => (name === "bytes" ? [`cache.read ${store} ${outcome}`] : [])

    it.effect("a miss, a hit, and what was invalidated", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* told(get({ id: 1 })), [...read("miss"), `cache.load ${store} miss`])
        assert.deepStrictEqual(yield* told(get({ id: 1 })), read("hit"))
        yield* invalidateTags(["o"])
        assert.deepStrictEqual(yield* told(get({ id: 1 })), [...read("stale"), `cache.load ${store} stale`])
        assert.deepStrictEqual(yield* told(get.refresh({ id: 1 })), [`cache.refresh ${store} -`])
      }).pipe(Effect.provide(layer))
    )

    it.effect("who is given the load of another waits under a span of his own", () =>
      Effect.gen(function*() {
        const gate = makeGate<number>()
        const slow = cacheAside(region)(({ id }: Id) => gate.pass(id))
        const first = yield* Effect.forkChild(told(slow({ id: 2 })), { startImmediately: true })
        if (name === "memory") yield* gate.reached
        const { said, spans, traced } = keeping()
        const second = yield* Effect.forkChild(traced(Effect.withSpan(slow({ id: 2 }), "second")), {
          startImmediately: true
        })
        const leaver = yield* Effect.forkChild(told(slow({ id: 2 })), { startImmediately: true })
        yield* gate.reached
        yield* TestClock.adjust(30)
        yield* Fiber.interrupt(leaver)
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(second), 2)
        assert.deepStrictEqual(yield* Fiber.join(first), [...read("miss"), `cache.load ${store} miss`])
        assert.deepStrictEqual(said(), ["second - -", ...read("miss"), `cache.wait ${store} shared`])
        const wait = spans.find((span) => span.name === "cache.wait")!
        assert.isTrue(wait.parent._tag === "Some" && wait.parent.value === spans[0])
        assert.isTrue(wait.status._tag === "Ended" && Exit.isSuccess(wait.status.exit))
        assert.isTrue(wait.status._tag === "Ended" && Number(wait.status.endTime - wait.status.startTime) === 30e6)
      }).pipe(Effect.provide(layer))
    )

    it.effect("a wait that was too long says nothing, and what the call does then says what it is", () =>
      Effect.gen(function*() {
        const gate = makeGate<number>()
        const slow = stampedeProtect({ ...region, waitTimeout: "1 second" })(({ id }: Id) => gate.pass(id))
        const first = yield* Effect.forkChild(slow({ id: 8 }), { startImmediately: true })
        yield* gate.reached
        const { said, traced } = keeping()
        const second = yield* Effect.forkChild(traced(slow({ id: 8 })), { startImmediately: true })
        for (let i = 0; i < 20; i++) yield* Effect.yieldNow
        yield* TestClock.adjust("2 seconds")
        for (let i = 0; i < 20; i++) yield* Effect.yieldNow
        yield* gate.open
        yield* Fiber.join(first)
        assert.strictEqual(yield* Fiber.join(second), 8)
        assert.include(said(), `cache.wait ${store} -`)
        assert.strictEqual(said().at(-1), `cache.load ${store} bypass`)
      }).pipe(Effect.provide(layer))
    )

    it.effect("the wait ends with who leaves", () =>
      Effect.gen(function*() {
        const gate = makeGate<number>()
        const slow = cacheAside(region)(({ id }: Id) => gate.pass(id))
        const first = yield* Effect.forkChild(slow({ id: 3 }), { startImmediately: true })
        if (name === "memory") yield* gate.reached
        const { spans, traced } = keeping()
        const leaver = yield* Effect.forkChild(traced(slow({ id: 3 })), { startImmediately: true })
        yield* gate.reached
        yield* Fiber.interrupt(leaver)
        const { status } = spans.find((span) => span.name === "cache.wait")!
        assert.isTrue(status._tag === "Ended" && Exit.hasInterrupts(status.exit))
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(first), 3)
      }).pipe(Effect.provide(layer))
    )

    it.effect("arguments that make no key, and who must not wait, go by the cache", () =>
      Effect.gen(function*() {
        const { said, spans, traced } = keeping()
        assert.isUndefined(yield* traced(get({ id: undefined as never })))
        assert.deepStrictEqual(said(), [`cache.load ${store} bypass`])
        assert.isFalse(spans[0]!.attributes.has("cache.key"))
        let asked = 0
        const itself = cacheAside(region)(
          ({ id }: Id): Effect.Effect<number, never, never> =>
            ++asked === 1 ? (itself({ id }) as never) : Effect.succeed(id)
        )
        assert.include(yield* told(itself({ id: 4 })), `cache.load ${store} bypass`)
      }).pipe(Effect.provide(layer))
    )
  })
}

it.live("in a transaction a read is its own, and what it misses goes by the cache", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const db = yield* makeDatabase()
      const inside = Effect.map(told(db.transaction(get({ id: 1 }))), (said) =>
        said.filter((line) => line.startsWith("cache."))
      )
      assert.deepStrictEqual(yield* inside, ["cache.read memory miss", "cache.load memory bypass"])
      yield* get({ id: 1 })
      assert.deepStrictEqual(yield* inside, ["cache.read memory hit"])
    })
  ).pipe(Effect.provide(CacheMemory.layer()))
)

describe("outcomes beside a store that fails", () => {
  it.effect("what is loaded without it and not kept has gone by the cache", () =>
    Effect.gen(function*() {
      yield* CacheTest.use((test) => test.inject("*", { fail: true }))
      assert.deepStrictEqual(yield* told(get({ id: 1 })), ["cache.read test bypass", "cache.load spare bypass"])
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("a trip that fails behind the first question, too", () =>
    Effect.gen(function*() {
      yield* CacheTest.use((test) => test.inject("acquire", { fail: true }))
      assert.deepStrictEqual(yield* told(get({ id: 1 })), [
        "cache.read test miss",
        "cache.load test bypass",
        "cache.load spare bypass"
      ])
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("a fallback keeps it, and says where it is", () =>
    Effect.gen(function*() {
      yield* CacheTest.use((test) => test.inject("*", { fail: true }))
      assert.deepStrictEqual(yield* told(get({ id: 1 })), ["cache.read test bypass", "cache.load memory miss"])
      assert.deepStrictEqual(yield* told(get({ id: 1 })), ["cache.read test bypass"])
    }).pipe(Effect.provide(withFallback()))
  )

  it.effect("a call that is to fail has no outcome", () =>
    Effect.gen(function*() {
      yield* CacheTest.use((test) => test.inject("*", { fail: true }))
      const strict = cacheAside({ ...region, onCacheError: "fail" })(({ id }: Id) => Effect.succeed(id))
      assert.deepStrictEqual(yield* told(strict({ id: 1 })), ["cache.read test -"])
      yield* CacheTest.use(({ heal }) => heal)
      yield* CacheTest.use((test) => test.inject("acquire", { fail: true }))
      // It has not gone by the cache: nothing was loaded.
      assert.deepStrictEqual(yield* told(strict({ id: 1 })), ["cache.read test miss", "cache.load test miss"])
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("what never leaves the process says so", () =>
    Effect.gen(function*() {
      const layer = CacheFallback.layer({ primary: CacheTest.layer, fallback: CacheMemory.layer() })
      const kept = memoize({ name: "kept" })((id: number) => Effect.succeed(id))
      assert.deepStrictEqual(yield* told(kept(1)).pipe(Effect.provide(layer)), ["cache.load local miss"])
    })
  )
})

describe("outcomes on Redis", () => {
  const server = sharedRedis()
  const open = Effect.flatMap(server, ({ url }) => {
    const namespace = freshNamespace()
    const layer = CacheRedis.layer({ url, namespace })
    return Effect.all([buildClient(layer), buildClient(layer)])
  })

  it.live("a hit, a miss, a stale entry, and a load that runs here already", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const [client] = yield* open
        assert.deepStrictEqual(yield* told(client.run(get({ id: 1 }))), [
          "cache.read redis miss",
          "cache.load redis miss"
        ])
        assert.deepStrictEqual(yield* told(client.run(get({ id: 1 }))), ["cache.read redis hit"])
        yield* client.run(invalidateTags(["o"]))
        assert.deepStrictEqual(yield* told(client.run(get({ id: 1 }))), [
          "cache.read redis stale",
          "cache.load redis stale"
        ])
        const gate = makeGate<number>()
        const slow = cacheAside(region)(({ id }: Id) => gate.pass(id))
        const first = yield* Effect.forkChild(client.run(slow({ id: 2 })), { startImmediately: true })
        yield* gate.reached
        // Its own trip shows that it may join.
        const second = yield* Effect.forkChild(told(client.run(slow({ id: 2 }))), { startImmediately: true })
        yield* client.settle
        yield* gate.open
        yield* Fiber.join(first)
        assert.deepStrictEqual(yield* Fiber.join(second), [
          "cache.read redis miss",
          "cache.load redis shared",
          "cache.wait redis shared"
        ])
      })
    )
  )

  it.live("beside the load of another process: what it stores is a hit, and who does not wait goes by the cache", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const [a, b] = yield* open
        const gate = makeGate<number>()
        const first = yield* Effect.forkChild(a.run(cacheAside(region)(({ id }: Id) => gate.pass(id))({ id: 1 })), {
          startImmediately: true
        })
        yield* gate.reached
        assert.deepStrictEqual(yield* told(b.run(get({ id: 1 }))), ["cache.read redis miss", "cache.load redis bypass"])
        const waiting = stampedeProtect(region)(({ id }: Id) => Effect.succeed(id))
        const asked = yield* Deferred.make<void>()
        const second = yield* Effect.forkChild(
          told(Effect.andThen(Deferred.succeed(asked, undefined), b.run(waiting({ id: 1 }))))
        )
        yield* Deferred.await(asked)
        yield* b.settle
        yield* gate.open
        yield* Fiber.join(first)
        assert.deepStrictEqual(yield* Fiber.join(second), ["cache.read redis miss", "cache.load redis hit"])
      })
    )
  )
})
