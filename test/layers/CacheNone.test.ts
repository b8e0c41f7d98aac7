import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Deferred, Effect, Fiber, Layer, Option, Schema } from "effect"
import {
  cacheAside,
  CacheClient,
  CacheFallback,
  CacheLive,
  CacheNone,
  CacheRegion,
  getCacheStats,
  invalidateKey,
  invalidatePattern,
  invalidateTags,
  LockManager,
  memoize,
  stampedeProtect,
  tagCacheKey,
  writeAround,
  writeThrough
} from "effect-cache"
import { CacheTest } from "effect-cache/testing"
import { makeNonePrimitives } from "../../src/stores/memory/none.ts"

interface Id {
  readonly id: number
}
const N = CacheRegion.make({ key: "n:{id}", schema: Schema.Number, ttl: "1 hour", tags: ["n"] })

/** A loader that ends when it is told to, and counts. */
const slow = () => {
  const state = { loads: 0, gate: Deferred.makeUnsafe<void>() }
  const load = (_: Id) =>
    Effect.suspend(() => {
      const n = ++state.loads
      return Effect.as(Deferred.await(state.gate), n)
    })
  return { state, load }
}

const ways = [
  ["cacheAside", cacheAside(N)],
  ["stampedeProtect", stampedeProtect(N)],
  ["memoize", memoize(N)],
  ["memoize without a schema", memoize({ key: "m:{id}" })],
  ["memoize by name", memoize({ name: "m", schema: Schema.Number })]
] as const

describe("no cache", () => {
  it.effect.each(ways)("%s: what is asked at the same time is one load, and each later call another", ([, way]) =>
    Effect.gen(function*() {
      const { load, state } = slow()
      const get = (way as unknown as (load: (id: Id) => Effect.Effect<number>) => (id: Id) => Effect.Effect<number>)(
        load
      )
      const calls = yield* Effect.forEach(Array.from({ length: 100 }), () => Effect.forkChild(get({ id: 1 })))
      const other = yield* Effect.forkChild(get({ id: 2 }))
      yield* Effect.yieldNow
      yield* Deferred.succeed(state.gate, undefined)
      assert.deepStrictEqual(new Set(yield* Effect.forEach(calls, (call) => Fiber.join(call))), new Set([1]))
      assert.strictEqual(yield* Fiber.join(other), 2)
      assert.deepStrictEqual([yield* get({ id: 1 }), yield* get({ id: 1 })], [3, 4])
    }).pipe(Effect.provide(CacheNone.layer))
  )

  const invalidations = [
    ["a key", invalidateKey("n:1")],
    ["a region", N.clear],
    ["a pattern", invalidatePattern("n:*")],
    ["a tag", invalidateTags(["n"])],
    ["everything", CacheClient.use((client) => client.clear)],
    ["a write", writeThrough(N)((_: Id) => Effect.succeed(0))({ id: 1 })],
    ["a write around", writeAround(N)((_: Id) => Effect.succeed(0))({ id: 1 })],
    ["a set", CacheClient.use((client) => client.set(N, { id: 1 }, 0))]
  ] as const
  it.effect.each(invalidations)("a load from before %s is not joined after it", ([, invalidation]) =>
    Effect.gen(function*() {
      const { load, state } = slow()
      const get = cacheAside(N)(load)
      const before = yield* Effect.forkChild(get({ id: 1 }), { startImmediately: true })
      assert.strictEqual(state.loads, 1)
      yield* invalidation
      const after = yield* Effect.forkChild(get({ id: 1 }), { startImmediately: true })
      yield* Deferred.succeed(state.gate, undefined)
      assert.deepStrictEqual([yield* Fiber.join(before), yield* Fiber.join(after)], [1, 2])
      assert.strictEqual(yield* get({ id: 1 }), 3)
    }).pipe(Effect.provide(CacheNone.layer))
  )

  it.effect("keeps nothing, and says so", () =>
    Effect.gen(function*() {
      const client = yield* CacheClient
      let loads = 0
      const get = cacheAside(N)((_: Id) => Effect.sync(() => ++loads))
      const put = writeThrough(N)((_: Id) => Effect.sync(() => ++loads))
      const writes = yield* Effect.all([put({ id: 1 }), put({ id: 1 }), put({ id: 1 })], { concurrency: "unbounded" })
      assert.deepStrictEqual(writes, [1, 2, 3])
      assert.strictEqual(yield* get.refresh({ id: 1 }), 4)
      yield* client.set(N, { id: 1 }, 9)
      assert.deepStrictEqual(yield* client.get(N, { id: 1 }), Option.none())
      assert.deepStrictEqual(yield* client.getMany(N, [{ id: 1 }, { id: 2 }]), [Option.none(), Option.none()])
      assert.deepStrictEqual(yield* get.peek({ id: 1 }), Option.none())
      assert.isFalse(yield* tagCacheKey("n:1", ["more"]))
      assert.strictEqual(yield* get({ id: 1 }), 5)
      const { backend, evictions, hits, inFlight, memoryMb, misses, rejectedFills, size } = yield* getCacheStats
      assert.deepStrictEqual(
        { backend, evictions, hits, inFlight, memoryMb, misses, rejectedFills, size },
        { backend: "none", evictions: 0, hits: 0, inFlight: 0, memoryMb: 0, misses: 4, rejectedFills: 0, size: 0 }
      )
    }).pipe(Effect.provide(CacheNone.layer))
  )

  it.effect("a failed load is its callers', and leaves no lease", () =>
    Effect.gen(function*() {
      let loads = 0
      const get = stampedeProtect(N)((_: Id) =>
        Effect.suspend(() => (++loads === 1 ? Effect.fail("no") : Effect.succeed(loads)))
      )
      assert.strictEqual(yield* Effect.flip(get({ id: 1 })), "no")
      assert.strictEqual(yield* get({ id: 1 }), 2)
    }).pipe(Effect.provide(CacheNone.layer))
  )

  it.effect("locks are held in the process", () =>
    Effect.gen(function*() {
      const locks = yield* LockManager
      const taken = Effect.flip(locks.withLock("l", { wait: 0 })(Effect.void))
      const error = yield* locks.withLock("l")(taken)
      assert.strictEqual(error.reason._tag, "WaitTimeout")
      yield* locks.withLock("l", { wait: 0 })(Effect.void)
    }).pipe(Effect.provide(CacheNone.layer))
  )

  it.effect("leaves no lease, no marker and no entry behind, as far as the primitives go", () =>
    Effect.gen(function*() {
      const { backend, tags } = yield* makeNonePrimitives
      const write = { stored: { tags: ["t"] } as never, ttlMillis: 1_000 }
      assert.strictEqual(yield* backend.acquire("k", "a", 1), "a")
      assert.isFalse(yield* backend.fill("k", "b", write, "keep"))
      assert.strictEqual(yield* backend.acquire("k", "b", 1), "a")
      assert.isTrue(yield* backend.fill("k", "a", write, "keep"))
      assert.isUndefined(yield* backend.read("k"))
      assert.strictEqual(yield* backend.acquire("k", "b", 1), "b")
      // Two writes: their lease ends with the last of them.
      yield* backend.takeOver("k", "w:1", 1, "write")
      yield* backend.takeOver("k", "w:2", 1, "write")
      assert.isFalse(yield* backend.fill("k", "w:1", write, "unlink"))
      assert.notStrictEqual(yield* backend.acquire("k", "c", 1), "c")
      assert.isFalse(yield* backend.fill("k", "c", write, "empty"))
      assert.isFalse(yield* backend.fill("k", "w:2", write, "unlink"))
      assert.strictEqual(yield* backend.acquire("k", "c", 1), "c")
      yield* tags.ensure(["t"], 1_000)
      backend.local!.ensure(["t"])
      assert.deepStrictEqual(yield* tags.markers(["t"]), [undefined])
      const before = yield* tags.epoch
      yield* tags.invalidate(["t"])
      assert.isAbove(yield* tags.epoch, before)
    })
  )

  it.effect("can be what a primary falls back to: loads are shared meanwhile", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      yield* test.inject("*", { fail: true })
      const { load, state } = slow()
      const get = cacheAside(N)(load)
      const calls = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.forkChild(get({ id: 1 })))
      yield* Effect.yieldNow
      yield* Deferred.succeed(state.gate, undefined)
      for (const call of calls) assert.strictEqual(yield* Fiber.join(call), 1)
      assert.strictEqual(yield* get({ id: 1 }), 2)
    }).pipe(
      Effect.provide(
        CacheFallback.layer({ primary: CacheTest.layer, fallback: CacheNone.layer }).pipe(
          Layer.provideMerge(CacheTest.layer)
        )
      )
    )
  )

  it.effect("when the environment says so", () =>
    Effect.gen(function*() {
      const environment = ConfigProvider.layer(ConfigProvider.fromUnknown({ CACHE_BACKEND: "none" }))
      const stats = yield* getCacheStats.pipe(Effect.provide(CacheLive), Effect.provide(environment))
      assert.strictEqual(stats.backend, "none")
    })
  )
})
