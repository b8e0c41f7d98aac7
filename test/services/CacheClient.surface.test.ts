/**
 * The client as its users see it: what it shows, and that it can be mocked and copied.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Schema } from "effect"
import { cacheAside, CacheClient, CacheMemory, invalidateTags } from "effect-cache"

const counted = () => {
  let loads = 0
  const get = cacheAside({ key: "n:{0}", schema: Schema.Number, ttl: "1 minute", tags: ["n"] })((n: number) =>
    Effect.sync(() => n + 100 * ++loads)
  )
  return { get, loads: () => loads }
}

describe("CacheClient", () => {
  it.effect("shows what a user can call, and nothing else", () =>
    Effect.gen(function*() {
      const client = yield* CacheClient
      assert.deepStrictEqual(Object.keys(client).sort(), [
        "clear",
        "counters",
        "get",
        "getMany",
        "invalidateKeys",
        "invalidatePattern",
        "invalidateTags",
        "set",
        "stats",
        "tag"
      ])
    }).pipe(Effect.provide(CacheMemory.layer()))
  )

  it.effect("can be mocked", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const mock = Layer.mock(CacheClient, {
        invalidateTags: (tags) =>
          Effect.sync(() => {
            seen.push(...tags)
          })
      })
      yield* Effect.provide(invalidateTags(["a", "b"]), mock)
      assert.deepStrictEqual(seen, ["a", "b"])

      // A cached function has no cache to go to, and says what to do.
      const { get, loads } = counted()
      for (const call of [get(1), get.refresh(1), get.peek(1), get.invalidate(1), get.clear]) {
        const exit = yield* Effect.exit(Effect.provide(call as Effect.Effect<unknown, unknown, CacheClient>, mock))
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "provide CacheTest.layer")
      }
      assert.strictEqual(loads(), 0)
    })
  )

  it.effect("can be decorated: cached functions go through a copy as through the client", () => {
    const invalidated: Array<string> = []
    const decorated = Layer.effect(
      CacheClient,
      Effect.map(CacheClient, (client) =>
        CacheClient.of({
          ...client,
          invalidateTags: (tags) => {
            const list = [...tags]
            invalidated.push(...list)
            return client.invalidateTags(list)
          }
        })
      )
    ).pipe(Layer.provide(CacheMemory.layer()))
    const { get } = counted()
    return Effect.gen(function*() {
      assert.deepStrictEqual([yield* get(1), yield* get(1)], [101, 101])
      yield* invalidateTags(["n"])
      assert.deepStrictEqual([yield* get(1), yield* get(1)], [201, 201])
      assert.deepStrictEqual(invalidated, ["n"])
    }).pipe(Effect.provide(decorated))
  })
})
