/**
 * The line of reloads of a key.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Latch } from "effect"
import { Reloads } from "../../src/http/reloads.ts"

describe("reloads", () => {
  it.effect("one that is being interrupted is not joined, and the next begins when it has ended", () =>
    Effect.gen(function*() {
      const reloads = new Reloads<number>()
      const begun = yield* Deferred.make<void>()
      const ending = yield* Deferred.make<void>()
      const end = yield* Latch.make()
      let runs = 0
      let active = 0
      const load = Effect.suspend(() => {
        const run = ++runs
        assert.strictEqual(++active, 1)
        const body = run === 1 ? Effect.andThen(Deferred.succeed(begun, undefined), Effect.never) : Effect.succeed(run)
        return Effect.ensuring(
          Effect.onInterrupt(body, () => Effect.andThen(Deferred.succeed(ending, undefined), end.await)),
          Effect.sync(() => active--)
        )
      })
      const ask = (orRunning: boolean) => Effect.withFiber((fiber) => reloads.ask("key", fiber, load, orRunning))
      const first = yield* Effect.forkChild(ask(false))
      yield* Deferred.await(begun)
      const leaving = yield* Effect.forkChild(Fiber.interrupt(first))
      yield* Deferred.await(ending)
      const others = yield* Effect.forEach([true, false], (orRunning) =>
        Effect.forkChild(ask(orRunning), { startImmediately: true })
      )
      yield* end.open
      assert.deepStrictEqual(yield* Effect.forEach(others, (other) => Fiber.join(other)), [2, 2])
      yield* Fiber.join(leaving)
      // Nothing is kept of a line that is empty.
      assert.strictEqual(yield* ask(true), 3)
    })
  )

  it.effect("keys do not wait for each other", () =>
    Effect.gen(function*() {
      const reloads = new Reloads<string>()
      const ask = (key: string, load: Effect.Effect<string>) =>
        Effect.withFiber((fiber) => reloads.ask(key, fiber, load, false))
      const open = yield* Latch.make()
      const slow = yield* Effect.forkChild(ask("a", Effect.as(open.await, "slow")), { startImmediately: true })
      assert.strictEqual(yield* ask("b", Effect.succeed("quick")), "quick")
      yield* open.open
      assert.strictEqual(yield* Fiber.join(slow), "slow")
    })
  )
})
