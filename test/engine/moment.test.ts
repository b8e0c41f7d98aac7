/**
 * The time that look-ups go by: that of the moment with the system's clock, that of now with any other.
 */
import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import { Clock, Effect, Option, Schema } from "effect"
import { cacheAside, CacheClient, CacheMemory } from "effect-cache"
import { twoHands } from "../support/clocks.ts"

const counted = (id = "a") => {
  let loads = 0
  const get = cacheAside({ key: "k:{id}", schema: Schema.Number, ttl: "1 minute" })((_: { readonly id: string }) =>
    Effect.sync(() => ++loads)
  )
  return Object.assign(get({ id }), { peek: get.peek({ id }) })
}

describe("the time of a moment", () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it.live("what expires during a run of synchronous code is there until its end, and no longer", () =>
    Effect.gen(function*() {
      const get = counted()
      const start = Date.now()
      const now = vi.spyOn(Date, "now").mockReturnValue(start)
      assert.strictEqual(yield* get, 1)
      now.mockReturnValue(start + 59_999)
      yield* Effect.promise(() => Promise.resolve())
      assert.strictEqual(yield* get, 1)
      now.mockReturnValue(start + 60_000)
      assert.strictEqual(yield* get, 1)
      // Whichever way it is looked at: whoever finds it expired removes it, for all.
      assert.deepStrictEqual(yield* get.peek, Option.some(1))
      assert.deepStrictEqual(yield* CacheClient.use((cache) => cache.getMany(["k:a"], Schema.Number)), [Option.some(1)])
      assert.strictEqual(yield* get, 1)
      yield* Effect.promise(() => Promise.resolve())
      assert.deepStrictEqual(yield* get.peek, Option.none())
      assert.strictEqual(yield* get, 2)
    }).pipe(Effect.provide(CacheMemory.layer()))
  )

  it.live("what is stored in a run lives from when it was stored", () =>
    Effect.gen(function*() {
      const get = counted()
      const start = Date.now()
      const now = vi.spyOn(Date, "now").mockReturnValue(start)
      assert.strictEqual(yield* counted("other"), 1)
      now.mockReturnValue(start + 30_000)
      yield* get
      yield* Effect.promise(() => Promise.resolve())
      now.mockReturnValue(start + 89_999)
      assert.strictEqual(yield* get, 1)
      yield* Effect.promise(() => Promise.resolve())
      now.mockReturnValue(start + 90_000)
      assert.strictEqual(yield* get, 2)
    }).pipe(Effect.provide(CacheMemory.layer()))
  )

  it.live("a clock that is not the system's is asked each time", () =>
    Effect.gen(function*() {
      const get = counted()
      const clock = yield* twoHands
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* get, 1)
        clock.pass(59_999)
        assert.strictEqual(yield* get, 1)
        clock.pass(1)
        assert.strictEqual(yield* get, 2)
      }).pipe(Effect.provideService(Clock.Clock, clock))
    }).pipe(Effect.provide(CacheMemory.layer()))
  )
})
