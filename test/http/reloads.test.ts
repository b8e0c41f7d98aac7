/**
 * The line of reloads of a key.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Latch } from "effect"
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
      const ask = Effect.withFiber((fiber) => reloads.ask("key", fiber, load))
      const first = yield* Effect.forkChild(ask)
      yield* Deferred.await(begun)
      const leaving = yield* Effect.forkChild(Fiber.interrupt(first))
      yield* Deferred.await(ending)
      const others = yield* Effect.replicateEffect(Effect.forkChild(ask, { startImmediately: true }), 2)
      yield* end.open
      assert.deepStrictEqual(yield* Effect.forEach(others, (other) => Fiber.join(other)), [2, 2])
      yield* Fiber.join(leaving)
      // Nothing is kept of a line that is empty.
      assert.strictEqual(yield* ask, 3)
    })
  )

  it.effect("the next begins in the context of one who still waits", () =>
    Effect.gen(function*() {
      const Name = Context.Reference<string>("test/Name", { defaultValue: () => "nobody" })
      const reloads = new Reloads<string>()
      const open = yield* Latch.make()
      const ask = (name: string, load: Effect.Effect<string>) =>
        Effect.withFiber((fiber) => reloads.ask("key", fiber, load)).pipe(Effect.provideService(Name, name))
      const who = Effect.andThen(Name, (name) => Effect.succeed(name))
      const first = yield* Effect.forkChild(ask("a", Effect.as(open.await, "slow")), { startImmediately: true })
      const second = yield* Effect.forkChild(ask("b", who), { startImmediately: true })
      const third = yield* Effect.forkChild(ask("c", who), { startImmediately: true })
      yield* Fiber.interrupt(second)
      yield* open.open
      assert.strictEqual(yield* Fiber.join(first), "slow")
      assert.strictEqual(yield* Fiber.join(third), "c")
    })
  )

  it.effect("keys do not wait for each other", () =>
    Effect.gen(function*() {
      const reloads = new Reloads<string>()
      const ask = (key: string, load: Effect.Effect<string>) =>
        Effect.withFiber((fiber) => reloads.ask(key, fiber, load))
      const open = yield* Latch.make()
      const slow = yield* Effect.forkChild(ask("a", Effect.as(open.await, "slow")), { startImmediately: true })
      assert.strictEqual(yield* ask("b", Effect.succeed("quick")), "quick")
      yield* open.open
      assert.strictEqual(yield* Fiber.join(slow), "slow")
    })
  )
})
