/**
 * What a client looks for in the index of intents, and how often.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { Intent } from "../../src/services/CacheBackend.ts"
import { eventually, scoped } from "../stores/redis/support.ts"
import { sharedRedis } from "../support/client.ts"
import { allOf, every, intentOf, noRoom, setupOf, withIntents } from "./intentsSetup.ts"

const setup = setupOf(sharedRedis())

describe("the sweep", () => {
  it.effect(
    "carries out within its interval what was left beside keys that nobody loads, and forgets it",
    scoped(
      Effect.gen(function*() {
        const { client, died, gone, intents, seen, size, standsBeside } = yield* setup
        yield* client(undefined, every)
        yield* died("k", "w:1")
        yield* died("l", "w:2")
        yield* intents.put("m", "w:live", intentOf("live"), 60_000)
        yield* TestClock.adjust(every * 0.74)
        assert.deepStrictEqual(seen, [])
        yield* TestClock.adjust(every * 0.22)
        yield* gone("k")
        yield* gone("l")
        assert.deepStrictEqual([...seen].sort(), [...allOf("w:1"), ...allOf("w:2")].sort())
        // The living one, and whose turn it is.
        yield* eventually(Effect.map(size, (count) => count === 2))
        assert.isTrue(yield* standsBeside("m"))
      })
    )
  )

  it.effect(
    "goes on at once where there are more than it takes",
    scoped(
      Effect.gen(function*() {
        const { client, intents, seen, size } = yield* setup
        const tokens = Array.from({ length: 250 }, (_, i) => `w:${i}`)
        yield* Effect.forEach(
          tokens,
          (token) => intents.put(token, token, { keys: [], patterns: [], tags: [token] }, 1),
          {
            concurrency: 50
          }
        )
        yield* eventually(Effect.map(intents.ended("w:249"), (ended) => ended.length === 1))
        yield* client(undefined, every)
        yield* TestClock.adjust(every)
        yield* eventually(Effect.map(size, (count) => count <= 1))
        assert.deepStrictEqual([...seen].sort(), tokens.map((token) => `tags ${token}`).sort())
      })
    )
  )

  it.effect(
    "carries out once what many say who died together, and leaves out what is no key",
    scoped(
      Effect.gen(function*() {
        const { calls, client, intents, seen, size } = yield* setup
        const same: Intent = { keys: ["list", ""], patterns: ["list:*", ""], tags: ["rows"] }
        const keys = Array.from({ length: 90 }, (_, i) => `k${i}`)
        yield* Effect.forEach(keys, (key) => intents.put(key, "w:1", same, 1), { concurrency: 50 })
        yield* eventually(Effect.map(intents.ended("k89"), (ended) => ended.length === 1))
        yield* client(undefined, every)
        yield* TestClock.adjust(every)
        yield* eventually(Effect.map(size, (count) => count <= 1))
        assert.deepStrictEqual(
          [...new Set(seen)].filter((what) => what !== "pattern "),
          ["tags rows", "keys list", "pattern list:*"]
        )
        assert.isAtMost(calls.length, 32)
      })
    )
  )

  it.effect(
    "takes very many in parts",
    scoped(
      Effect.gen(function*() {
        const { client, intents, seen, size } = yield* setup
        const all = Array.from({ length: 20 }, (_, i) =>
          Array.from({ length: 40 }, (_, j) => [`k${i}`, `w:${j}`] as const)
        )
        yield* Effect.forEach(
          all.flat(),
          ([key, token]) => intents.put(key, token, { keys: [], patterns: [], tags: [key + token] }, 1),
          { concurrency: 50 }
        )
        yield* eventually(Effect.map(intents.ended("k19"), (ended) => ended.length === 32))
        yield* client(undefined, every)
        yield* TestClock.adjust(every)
        yield* eventually(Effect.map(size, (count) => count <= 1))
        assert.sameMembers(
          [...new Set(seen)],
          all.flat().map(([key, token]) => `tags ${key}${token}`)
        )
      })
    )
  )

  it.effect(
    "is silent while the store is away, and comes back",
    scoped(
      Effect.gen(function*() {
        const { backend, client, died, gone, seen } = yield* setup
        let away = true
        let asked = 0
        yield* client(
          withIntents(backend, ({ sweep }) => ({
            sweep: (...args) => {
              asked++
              return away ? noRoom : sweep(...args)
            }
          })),
          every
        )
        yield* died("k", "w:1")
        yield* TestClock.adjust(every * 5)
        assert.isAtLeast(asked, 5)
        assert.isAtMost(asked, 6)
        away = false
        yield* TestClock.adjust(every)
        yield* gone("k")
        assert.deepStrictEqual(seen, allOf("w:1"))
      })
    )
  )

  it.effect(
    "stops with the client, and is not there when it is turned off",
    scoped(
      Effect.gen(function*() {
        const { backend, client } = yield* setup
        let asked = 0
        const counting = withIntents(backend, () => ({
          sweep: () =>
            Effect.sync(() => {
              asked++
              return { found: [], waitMillis: 0 }
            })
        }))
        const scope = yield* Scope.make()
        yield* Scope.provide(client(counting, every), scope)
        yield* client(counting)
        yield* TestClock.adjust(every)
        assert.strictEqual(asked, 1)
        yield* Scope.close(scope, Exit.void)
        yield* TestClock.adjust(every * 10)
        assert.strictEqual(asked, 1)
      })
    )
  )
})
