/**
 * The turns of the reloads of a key.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Latch } from "effect"
import { Reloads, type Turn } from "../../src/http/reloads.ts"

describe("reloads", () => {
  it.effect("one that is being interrupted is not joined, and the next turn begins when it has ended", () =>
    Effect.gen(function*() {
      const reloads = new Reloads<number>()
      const begun = yield* Deferred.make<void>()
      const ending = yield* Deferred.make<void>()
      const end = yield* Latch.make()
      const turns: Array<Turn<number>> = []
      let active = 0
      const load = (turn: Turn<number>) =>
        Effect.suspend(() => {
          assert.strictEqual(active, turns.includes(turn) ? 1 : 0)
          turns.push(turn)
          active = 1
          const body =
            turns.length === 1
              ? Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
              : Effect.andThen(Effect.yieldNow, Effect.succeed(turn.members.size))
          return Effect.ensuring(
            Effect.onInterrupt(body, () => Effect.andThen(Deferred.succeed(ending, undefined), end.await)),
            Effect.sync(() => (active = 0))
          )
        })
      const ask = reloads.ask("key", load)
      const first = yield* Effect.forkChild(ask)
      yield* Deferred.await(begun)
      const leaving = yield* Effect.forkChild(Fiber.interrupt(first))
      yield* Deferred.await(ending)
      const others = yield* Effect.replicateEffect(Effect.forkChild(ask, { startImmediately: true }), 2)
      yield* end.open
      yield* Effect.forEach(others, (other) => Fiber.join(other))
      yield* Fiber.join(leaving)
      // Those two were begun together, in a turn of their own.
      assert.strictEqual(turns.length, 3)
      assert.strictEqual(turns[1], turns[2])
      assert.notStrictEqual(turns[0], turns[1])
      // Nothing is kept of a line that is empty.
      assert.strictEqual(yield* ask, 1)
      assert.strictEqual(turns[3]!.members.size, 0)
    })
  )

  it.effect("all of a turn ask in one evaluation, but for who has left", () =>
    Effect.gen(function*() {
      const reloads = new Reloads<string>()
      const open = yield* Latch.make()
      const asked: Array<string> = []
      const seen: Array<number> = []
      const ask = (name: string) =>
        reloads.ask("key", () =>
          Effect.suspend(() => {
            asked.push(name)
            // Behind all that was ready when the first of them asked.
            return Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => {
                seen.push(asked.length)
                return name
              })
            )
          })
        )
      const slow = reloads.ask("key", () => Effect.as(open.await, "slow"))
      const first = yield* Effect.forkChild(slow, { startImmediately: true })
      const others = yield* Effect.forEach(["b", "c", "d"], (name) =>
        Effect.forkChild(ask(name), { startImmediately: true })
      )
      yield* Fiber.interrupt(others[0]!)
      yield* open.open
      assert.strictEqual(yield* Fiber.join(first), "slow")
      assert.strictEqual(yield* Fiber.join(others[1]!), "c")
      assert.strictEqual(yield* Fiber.join(others[2]!), "d")
      assert.deepStrictEqual(
        [asked, seen],
        [
          ["c", "d"],
          [2, 2]
        ]
      )
    })
  )

  it.effect("keys do not wait for each other", () =>
    Effect.gen(function*() {
      const reloads = new Reloads<string>()
      const open = yield* Latch.make()
      const slow = yield* Effect.forkChild(
        reloads.ask("a", () => Effect.as(open.await, "slow")),
        { startImmediately: true }
      )
      assert.strictEqual(yield* reloads.ask("b", () => Effect.succeed("quick")), "quick")
      yield* open.open
      assert.strictEqual(yield* Fiber.join(slow), "slow")
    })
  )
})
