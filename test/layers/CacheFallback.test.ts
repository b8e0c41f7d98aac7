import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  cacheAside,
  CacheClient,
  type CacheError,
  CacheFallback,
  CacheMemory,
  type CacheServices,
  type FallbackOptions,
  getCacheStats,
  invalidateKey,
  invalidatePattern,
  invalidateTags,
  memoize,
  writeThrough
} from "effect-cache"
import { CacheTest } from "effect-cache/testing"
import { layer, Numbers, counted, down, up } from "../support/fallback.ts"

describe("CacheFallback", () => {
  it.effect("uses the primary while it answers", () =>
    Effect.gen(function*() {
      const { get, state } = counted()
      yield* get({ id: 1 })
      yield* get({ id: 1 })
      assert.strictEqual(state.loads, 1)
      assert.isDefined(yield* CacheTest.use((test) => test.entry("n:1")))
    }).pipe(Effect.provide(layer()))
  )

  it.effect("keeps values in memory while the primary is away, for a short time", () =>
    Effect.gen(function*() {
      const { get, state } = counted()
      yield* down
      for (let i = 0; i < 20; i++) assert.strictEqual(yield* get({ id: 1 }), 1)
      assert.strictEqual(state.loads, 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* get({ id: 1 }), 2)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("shares loads while the primary is away", () =>
    Effect.gen(function*() {
      yield* down
      const gate = yield* Deferred.make<void>()
      let loads = 0
      const get = cacheAside(Numbers)((_: { readonly id: number }) =>
        Effect.andThen(
          Deferred.await(gate),
          Effect.sync(() => ++loads)
        )
      )
      const all = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 100 }, () => get({ id: 1 })),
          { concurrency: "unbounded" }
        ),
        { startImmediately: true }
      )
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(new Set(yield* Fiber.join(all)), new Set([1]))
      assert.strictEqual(loads, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("invalidations work on the fallback meanwhile, though they fail", () =>
    Effect.gen(function*() {
      const { get } = counted()
      yield* down
      for (const invalidate of [invalidateKey("n:1"), invalidateTags(["n"]), invalidatePattern("*:1")]) {
        const before = yield* get({ id: 1 })
        assert.strictEqual(yield* get({ id: 1 }), before)
        yield* Effect.flip(invalidate)
        assert.strictEqual(yield* get({ id: 1 }), before + 1)
      }
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a write goes through, and what it replaced is never seen", () =>
    Effect.gen(function*() {
      const { get } = counted()
      const put = writeThrough(Numbers)(({ id }: { readonly id: number }) => Effect.succeed(id * 100))
      yield* get({ id: 1 })
      yield* down
      assert.strictEqual(yield* put({ id: 1 }), 100)
      assert.strictEqual(yield* get({ id: 1 }), 2)
      yield* up
      assert.strictEqual(yield* get({ id: 1 }), 3)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("the fallback is emptied when the primary is back", () =>
    Effect.gen(function*() {
      const { get } = counted()
      yield* down
      yield* Effect.flip(invalidateKey("x"))
      yield* get({ id: 1 })
      yield* TestClock.adjust("1 second")
      yield* CacheTest.use((test) => test.heal)
      yield* TestClock.adjust("4 seconds")
      yield* get({ id: 2 })
      yield* down
      yield* Effect.flip(invalidateKey("x"))
      assert.strictEqual(yield* get({ id: 1 }), 3)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("what is to hear of a failure is not answered by the fallback", () =>
    Effect.gen(function*() {
      const { get } = counted()
      yield* down
      assert.strictEqual(yield* get({ id: 1 }), 1)
      assert.strictEqual(yield* get({ id: 1 }), 1)
      const strict = cacheAside({
        key: "n:{id}",
        schema: Schema.Number,
        ttl: "1 hour",
        tags: ["n"],
        onCacheError: "fail"
      })
      for (const fails of [
        get.peek({ id: 1 }),
        CacheClient.use((client) => client.get("n:1", Schema.Number)),
        CacheClient.use((client) => client.set("n:1", 2, { schema: Schema.Number })),
        strict(({ id }: { readonly id: number }) => Effect.succeed(id))({ id: 1 })
      ]) {
        assert.strictEqual(
          (yield* Effect.flip(Effect.asVoid<unknown, CacheError, CacheServices>(fails)))._tag,
          "CacheError"
        )
      }
      const { total } = yield* CacheClient.use((client) => client.counters)
      assert.isAbove(total.loads, 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("statistics are there while the primary is away, and say what it did not", () =>
    Effect.gen(function*() {
      const { get } = counted()
      yield* get({ id: 1 })
      yield* get({ id: 1 })
      const before = yield* getCacheStats
      assert.deepInclude(before, { unavailable: undefined, scope: "process", size: 1, evictions: 0 })
      assert.deepStrictEqual(before.breaker, { state: "trusted", journal: 0 })
      yield* down
      yield* Effect.flip(invalidateTags(["n", "m"]))
      yield* Effect.flip(invalidatePattern("n:*"))
      yield* get({ id: 1 })
      yield* get({ id: 1 })
      const stats = yield* getCacheStats
      assert.deepInclude(stats, { backend: "test", hits: 2, misses: 2, loads: 2, inFlight: 0 })
      assert.deepInclude(stats.regions[0], { region: "n:{id}", hits: 2, misses: 2, loads: 2 })
      assert.deepStrictEqual(stats.breaker, { state: "away", journal: 3 })
      assert.strictEqual(stats.unavailable?.reason._tag, "Unavailable")
      for (const name of ["scope", "size", "memoryMb", "evictions"] as const) assert.isUndefined(stats[name], name)
      yield* up
      const after = yield* getCacheStats
      assert.deepStrictEqual(after.breaker, { state: "trusted", journal: 0 })
      assert.deepInclude(after, { unavailable: undefined, scope: "process" })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("the breaker says that the journal is replayed, and counts a whole namespace as one", () =>
    Effect.gen(function*() {
      const breaker = Effect.map(getCacheStats, (stats) => stats.breaker)
      yield* down
      yield* Effect.flip(invalidateTags(["a", "b", "c"]))
      assert.deepStrictEqual(yield* breaker, { state: "away", journal: 1 })
      yield* CacheTest.use((test) => Effect.andThen(test.heal, test.inject("clear", { delay: "5 seconds", times: 1 })))
      yield* TestClock.adjust(650)
      assert.strictEqual((yield* breaker)?.state, "replaying")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* breaker, { state: "trusted", journal: 0 })
    }).pipe(Effect.provide(layer({ journalLimit: 2 })))
  )

  it.effect("memoize without a schema does not notice", () =>
    Effect.gen(function*() {
      let runs = 0
      const fn = memoize({ name: "fn" })((_: number) => Effect.sync(() => ++runs))
      yield* fn(1)
      yield* down
      assert.strictEqual(yield* fn(1), 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("what was kept during a blip is forgotten with the first answer of the primary", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const values = { current: "v1" }
      const get = cacheAside({ key: "s:{id}", schema: Schema.String })((_: { readonly id: number }) =>
        Effect.sync(() => values.current)
      )
      yield* test.inject("read", { fail: true, times: 1 })
      assert.strictEqual(yield* get({ id: 1 }), "v1")
      values.current = "v2"
      assert.strictEqual(yield* get({ id: 1 }), "v2")
      yield* test.inject("read", { fail: true, times: 1 })
      assert.strictEqual(yield* get({ id: 1 }), "v2")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a primary that fails in part: one load at a time, shared by all who came before it began", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const gate = yield* Deferred.make<void>()
      let loads = 0
      const get = cacheAside({ key: "p:{id}", schema: Schema.Number })((_: { readonly id: number }) =>
        Effect.andThen(
          Deferred.await(gate),
          Effect.sync(() => ++loads)
        )
      )
      yield* test.inject("acquire", { fail: true })
      const fibers: Array<Fiber.Fiber<number, unknown>> = []
      for (let i = 0; i < 20; i++) {
        fibers.push(yield* Effect.forkChild(get({ id: 1 }), { startImmediately: true }))
        yield* Effect.yieldNow
        yield* Effect.yieldNow
      }
      yield* Deferred.succeed(gate, undefined)
      // The primary answered each of them that it has nothing: the first load is older than what the others know.
      for (const [i, fiber] of fibers.entries()) assert.strictEqual(yield* Fiber.join(fiber), i === 0 ? 1 : 2)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a load that began before the primary last answered is not joined", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const gate = yield* Deferred.make<void>()
      const values = { current: "v1" }
      let loads = 0
      const get = cacheAside({ key: "s", schema: Schema.String })(
        Effect.suspend(() => {
          const value = values.current
          return loads++ === 0 ? Effect.as(Deferred.await(gate), value) : Effect.succeed(value)
        })
      )
      yield* test.inject("read", { fail: true, times: 1 })
      const slow = yield* Effect.forkChild(get, { startImmediately: true })
      while (loads === 0) yield* Effect.yieldNow
      values.current = "v2"
      assert.strictEqual(yield* get, "v2")
      yield* test.inject("read", { fail: true, times: 1 })
      const late = yield* Effect.forkChild(get, { startImmediately: true })
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual([yield* Fiber.join(slow), yield* Fiber.join(late)], ["v1", "v2"])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("what was loaded after a blip had passed is forgotten once the primary has answered again", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const values = { current: "v1" }
      const get = cacheAside({ key: "s", schema: Schema.String })(Effect.sync(() => values.current))
      // The lease cannot be had; of the same trip, the primary answers the rest, and the load begins after that.
      yield* test.inject("acquire", { fail: true, times: 1 })
      yield* test.inject("epoch", { delay: "5 millis" })
      yield* test.inject("read", { delay: "10 millis" })
      const first = yield* Effect.forkChild(get, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(first), "v1")
      yield* test.heal
      values.current = "v2"
      assert.strictEqual(yield* get, "v2")
      yield* test.inject("read", { fail: true, times: 1 })
      assert.strictEqual(yield* get, "v2")
    }).pipe(Effect.provide(layer()))
  )

  describe("how old a value may be, from the start of its load", () => {
    /** The first load sees the row, and takes so long. */
    const slow = (millis: number) => {
      const state = { row: "old", loads: 0 }
      const get = cacheAside({ key: "slow", schema: Schema.String })(
        Effect.suspend(() => {
          const { row } = state
          return state.loads++ === 0 ? Effect.delay(Effect.succeed(row), millis) : Effect.succeed(row)
        })
      )
      return { get, state }
    }
    const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

    for (const by of ["read", "refresh"] as const) {
      it.effect(`what took a while is kept for as much shorter, by ${by}`, () =>
        Effect.gen(function*() {
          const { get, state } = slow(6_000)
          yield* down
          const first = yield* start(by === "read" ? get : get.refresh)
          yield* TestClock.adjust(6_000)
          assert.strictEqual(yield* Fiber.join(first), "old")
          state.row = "new"
          yield* TestClock.adjust(3_999)
          assert.strictEqual(yield* get, "old")
          yield* TestClock.adjust(1)
          assert.strictEqual(yield* get, "new")
        }).pipe(Effect.provide(layer()))
      )

      it.effect(`what took longer is handed out, and not kept, by ${by}`, () =>
        Effect.gen(function*() {
          const { get, state } = slow(10_000)
          yield* down
          const first = yield* start(by === "read" ? get : get.refresh)
          while (state.loads === 0) yield* Effect.yieldNow
          state.row = "new"
          yield* TestClock.adjust(10_000)
          assert.strictEqual(yield* Fiber.join(first), "old")
          assert.strictEqual(yield* get, "new")
          assert.strictEqual(state.loads, 2)
          const { total } = yield* CacheClient.use((cache) => cache.counters)
          assert.strictEqual(total.rejectedFills, 1)
        }).pipe(Effect.provide(layer()))
      )
    }

    it.effect("a region's own TTL still counts from the end of the load", () =>
      Effect.gen(function*() {
        let loads = 0
        const get = cacheAside({ key: "own", schema: Schema.Number, ttl: "2 seconds" })(
          Effect.delay(
            Effect.sync(() => ++loads),
            "6 seconds"
          )
        )
        yield* down
        const first = yield* start(get)
        yield* TestClock.adjust("7999 millis")
        assert.deepStrictEqual([yield* Fiber.join(first), yield* get], [1, 1])
        yield* TestClock.adjust(1)
        const second = yield* start(get)
        yield* TestClock.adjust("6 seconds")
        assert.strictEqual(yield* Fiber.join(second), 2)
      }).pipe(Effect.provide(layer()))
    )

    for (const [name, where, maxAge] of [
      ["under CacheFallback", layer(), 10_000],
      ["in a remote layer by itself", CacheTest.layer, 1_000]
    ] as const) {
      for (const by of ["read", "refresh"] as const) {
        it.effect(`an older load is not joined, and does not land on a newer one, ${name}, by ${by}`, () =>
          Effect.gen(function*() {
            const { get, state } = slow(15_000)
            yield* down
            const first = yield* start(by === "read" ? get : get.refresh)
            yield* TestClock.adjust(maxAge - 1)
            const joined = yield* start(get)
            state.row = "new"
            yield* TestClock.adjust(1)
            assert.strictEqual(yield* get, "new")
            assert.strictEqual(state.loads, 2)
            yield* TestClock.adjust(15_000 - maxAge)
            assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(joined)], ["old", "old"])
            assert.strictEqual(yield* get, "new")
            assert.strictEqual(state.loads, where === CacheTest.layer ? 3 : 2)
          }).pipe(Effect.provide(where))
        )
      }
    }

    it.effect("memoize, in a remote layer by itself", () =>
      Effect.gen(function*() {
        let loads = 0
        const fn = memoize({ key: "m:{id}", schema: Schema.Number, ttl: "1 hour" })((_: { readonly id: number }) =>
          Effect.delay(
            Effect.sync(() => ++loads),
            loads === 0 ? "6 seconds" : 0
          )
        )
        yield* down
        const first = yield* start(fn({ id: 1 }))
        yield* TestClock.adjust("9999 millis")
        assert.deepStrictEqual([yield* Fiber.join(first), yield* fn({ id: 1 })], [1, 1])
        yield* TestClock.adjust(1)
        assert.strictEqual(yield* fn({ id: 1 }), 2)
      }).pipe(Effect.provide(CacheTest.layer))
    )
  })

  it.effect("a refresh replaces what the fallback keeps", () =>
    Effect.gen(function*() {
      const { get } = counted()
      yield* down
      assert.strictEqual(yield* get({ id: 1 }), 1)
      assert.strictEqual(yield* get.refresh({ id: 1 }), 2)
      assert.strictEqual(yield* get({ id: 1 }), 2)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("memoize without a schema has nothing to do with the primary", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      let runs = 0
      const fn = memoize({ name: "local" })((_: number) => Effect.sync(() => ++runs))
      yield* down
      yield* fn(1)
      yield* fn.invalidate(1)
      assert.strictEqual(yield* fn(1), 2)
      yield* fn.clear
      assert.strictEqual(yield* fn(1), 3)
      assert.strictEqual((yield* test.calls("remove")) + (yield* test.calls("removeMatching")), 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a fallback must be in this process, and options in range", () =>
    Effect.gen(function*() {
      const build = (options: FallbackOptions<CacheError, never, CacheError, never>) =>
        Effect.flip(Effect.scoped(Layer.build(CacheFallback.layer(options))))
      const memory = CacheMemory.layer()
      const first = yield* build({ primary: memory, fallback: CacheTest.layer })
      assert.include(String(first), "fallback")
      assert.include(
        String(yield* build({ primary: memory, fallback: memory, failureThreshold: 0 })),
        "failureThreshold"
      )
      assert.include(String(yield* build({ primary: memory, fallback: memory, timeout: 0 })), "timeout")
    })
  )
})

describe("a remote layer by itself", () => {
  it.effect("memoize keeps values in memory while the cache fails; others load", () =>
    Effect.gen(function*() {
      const { get, state } = counted()
      let runs = 0
      const fn = memoize({ key: "memo:{id}", schema: Schema.Number })((_: { readonly id: number }) =>
        Effect.sync(() => ++runs)
      )
      yield* down
      for (let i = 0; i < 5; i++) {
        yield* get({ id: 1 })
        yield* fn({ id: 1 })
      }
      assert.strictEqual(runs, 1)
      assert.strictEqual(state.loads, 5)
      assert.isTrue(Option.isNone(yield* Effect.option(fn.peek({ id: 1 }))))
    }).pipe(Effect.provide(CacheTest.layer))
  )
})
