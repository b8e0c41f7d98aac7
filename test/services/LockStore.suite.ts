/**
 * What every `LockStore` must do. Run it from the test file of each implementation.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { LockStore } from "../../src/services/LockManager.ts"
import { hostile, type MakePrimitives, type SuiteOptions } from "./primitives.ts"

export const suite = (name: string, makePrimitives: MakePrimitives, options: SuiteOptions): void => {
  const test = (title: string, body: (locks: LockStore) => Effect.Effect<void, unknown>) =>
    it.effect(title, () => Effect.scoped(Effect.flatMap(makePrimitives, ({ locks }) => body(locks))))

  describe(`LockStore: ${name}`, () => {
    test(
      "one holder at a time",
      Effect.fnUntraced(function*(locks) {
        const fence = yield* locks.acquire("l", "a", 10_000)
        assert.isTrue(Number.isSafeInteger(fence))
        assert.isUndefined(yield* locks.acquire("l", "b", 10_000))
        assert.isNumber(yield* locks.acquire("other", "b", 10_000))
        assert.isTrue(yield* locks.release("l", "a"))
        assert.isNumber(yield* locks.acquire("l", "b", 10_000))
      })
    )

    test(
      "a resent acquire finds its own token and is granted",
      Effect.fnUntraced(function*(locks) {
        const first = yield* locks.acquire("l", "a", 10_000)
        const again = yield* locks.acquire("l", "a", 10_000)
        assert.isAtLeast(again!, first!)
        assert.isTrue(yield* locks.release("l", "a"))
        assert.isFalse(yield* locks.release("l", "a"))
      })
    )

    test(
      "a resent acquire extends the lock",
      Effect.fnUntraced(function*(locks) {
        yield* locks.acquire("l", "a", 50)
        yield* locks.acquire("l", "a", 60_000)
        yield* options.advance(100)
        assert.isUndefined(yield* locks.acquire("l", "b", 10_000))
      })
    )

    test(
      "the fence grows with every acquisition",
      Effect.fnUntraced(function*(locks) {
        let last = -1
        for (let i = 0; i < 50; i++) {
          const fence = yield* locks.acquire("l", `t${i}`, 10_000)
          assert.isAbove(fence!, last)
          last = fence!
          yield* locks.release("l", `t${i}`)
        }
      })
    )

    test(
      "only the holder extends and releases",
      Effect.fnUntraced(function*(locks) {
        assert.isFalse(yield* locks.extend("l", "a", 1000))
        assert.isFalse(yield* locks.release("l", "a"))
        yield* locks.acquire("l", "a", 10_000)
        assert.isFalse(yield* locks.extend("l", "b", 1000))
        assert.isFalse(yield* locks.release("l", "b"))
        assert.isFalse(yield* locks.release("l", ""))
        assert.isTrue(yield* locks.extend("l", "a", 10_000))
        assert.isUndefined(yield* locks.acquire("l", "b", 10_000))
      })
    )

    test(
      "a lock ends at its TTL, unless extended; the next fence is higher",
      Effect.fnUntraced(function*(locks) {
        const first = yield* locks.acquire("l", "a", 50)
        yield* locks.acquire("extended", "a", 50)
        yield* locks.extend("extended", "a", 60_000)
        yield* options.advance(100)
        assert.isFalse(yield* locks.extend("l", "a", 1000))
        assert.isFalse(yield* locks.release("l", "a"))
        assert.isAbove((yield* locks.acquire("l", "b", 10_000))!, first!)
        assert.isUndefined(yield* locks.acquire("extended", "b", 10_000))
      })
    )

    test(
      "of many who ask at once, one gets it",
      Effect.fnUntraced(function*(locks) {
        const fences = yield* Effect.forEach(
          Array.from({ length: 100 }, (_, i) => i),
          (i) => locks.acquire("l", `t${i}`, 10_000),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(fences.filter((fence) => fence !== undefined).length, 1)
      })
    )

    test(
      "hostile names are kept apart",
      Effect.fnUntraced(function*(locks) {
        for (const [i, key] of hostile.entries()) {
          assert.isNumber(yield* locks.acquire(key, `t${i}`, 10_000), JSON.stringify(key))
        }
        for (const [i, key] of hostile.entries()) {
          assert.isTrue(yield* locks.release(key, `t${i}`))
          const next = hostile[i + 1]
          if (next !== undefined) assert.isUndefined(yield* locks.acquire(next, "x", 10_000))
        }
      })
    )

    it.effect("two stores do not share locks, and clearing entries frees none", () =>
      Effect.scoped(
        Effect.gen(function*() {
          const one = yield* makePrimitives
          const two = yield* makePrimitives
          assert.isNumber(yield* one.locks.acquire("l", "a", 10_000))
          assert.isNumber(yield* two.locks.acquire("l", "b", 10_000))
          yield* one.backend.clear
          assert.isUndefined(yield* one.locks.acquire("l", "c", 10_000))
          // A lock is not a lease: a load of the key with the same name goes its own way.
          assert.strictEqual(yield* one.backend.acquire("l", "d", 10_000), "d")
        })
      )
    )
  })
}
