/**
 * Forks that do not run at once, as those of another Effect may not.
 */
import { assert, describe, it } from "@effect/vitest"
import type * as effect from "effect"
import { Effect, Exit, Schema } from "effect"
import { vi } from "vitest"
import { cacheAside } from "../../src/index.ts"
import { together } from "../../src/internal/together.ts"
import { inProcess } from "../support/layers.ts"

vi.mock("effect", async (original) => {
  const all = await original<typeof effect>()
  const { Effect } = all
  const runForkWith: typeof Effect.runForkWith = (context) => (self, options) =>
    Effect.runForkWith(context)(Effect.andThen(Effect.yieldNow, self), options)
  return { ...all, Effect: { ...Effect, runForkWith } }
})

describe("forks that begin later", () => {
  it.effect("of two primitives, the first is sent first, and both are awaited", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const primitive = <A, E>(name: string, result: Exit.Exit<A, E>) =>
        Effect.suspend(() => {
          log.push(name)
          return Effect.andThen(Effect.yieldNow, result)
        })
      const good = <A>(value: A) => primitive(String(value), Exit.succeed(value))
      const bad = (error: string) => primitive(error, Exit.fail(error))
      assert.deepStrictEqual(yield* together(good(1), good(2)), [1, 2])
      assert.strictEqual(yield* Effect.flip(together(bad("a"), good(3))), "a")
      assert.strictEqual(yield* Effect.flip(together(good(4), bad("b"))), "b")
      assert.strictEqual(yield* Effect.flip(together(bad("c"), bad("d"))), "c")
      assert.deepStrictEqual(log, ["1", "2", "a", "3", "4", "b", "c", "d"])
    })
  )

  for (const [name, layer] of inProcess) {
    it.effect(`calls share a load, and see none from before an invalidation: ${name}`, () =>
      Effect.gen(function*() {
        let loads = 0
        const get = cacheAside({ key: "k:{id}", schema: Schema.Number, ttl: "1 minute", tags: ["all"] })(
          (_: { readonly id: string }) =>
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => ++loads)
            )
        )
        const three = Effect.all([get({ id: "a" }), get({ id: "a" }), get({ id: "a" })], { concurrency: "unbounded" })
        assert.deepStrictEqual(yield* three, [1, 1, 1])
        assert.deepStrictEqual(yield* three, [1, 1, 1])
        yield* get.invalidate({ id: "a" })
        assert.deepStrictEqual(yield* three, [2, 2, 2])
        assert.strictEqual(yield* get.refresh({ id: "a" }), 3)
        assert.deepStrictEqual(yield* three, [3, 3, 3])
      }).pipe(Effect.provide(layer))
    )
  }
})
