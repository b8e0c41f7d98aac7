/**
 * An Effect whose drivers of generators make nothing of what says it is an exit, but is tagged as none.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { cacheAside, CacheMemory } from "effect-cache"
import { vi } from "vitest"

vi.mock("effect", async (original) => {
  const all = await original<typeof import("effect")>()
  const { Effect } = all
  const known = (tag: unknown) => tag === "Success" || tag === "Failure"
  const gen = (make: () => Generator<{ readonly _tag: unknown }, unknown>) =>
    Effect.gen(function*() {
      const steps = make()
      let value: unknown
      for (;;) {
        const next = steps.next(value)
        if (next.done) return next.value
        const yielded = next.value
        // Asked first, as a step of the loop may be.
        const isExit = "~effect/Exit" in yielded && yielded["~effect/Exit"] !== undefined
        if (isExit && !known(yielded._tag)) return yield* Effect.die(new Error("neither success nor failure"))
        value = yield* yielded as unknown as Effect.Effect<unknown>
      }
    })
  return { ...all, Effect: { ...Effect, gen } }
})

it("each hit is a step of the run loop where a driver dies of it", async () => {
  let loads = 0
  const get = cacheAside({ key: "k", schema: Schema.Number, ttl: "1 minute" })(Effect.sync(() => ++loads))
  const both = Effect.gen(function*() {
    return [yield* get, yield* get]
  })
  const exit = await Effect.runPromiseExit(Effect.provide(both, CacheMemory.layer(), { local: true }))
  assert.deepStrictEqual(exit, Exit.succeed([1, 1]))
})
