/** Who waits no longer, in the order of deadlines; and whose leases are taken over, and when. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Alarms, type Impatient } from "../../src/engine/patience.ts"
import { Suspects } from "../../src/engine/suspects.ts"
import { monotonicMillis } from "../../src/internal/processTime.ts"

describe("alarms", () => {
  const waitFor = (rung: Array<number>, base: number, millis: number): Impatient => ({
    limit: { millis: 100, deadline: base + millis },
    late: () => rung.push(millis)
  })

  it.effect("ring at the deadline of each, in whatever order they come", () =>
    Effect.gen(function*() {
      const rung: Array<number> = []
      const base = monotonicMillis(yield* Clock.Clock)
      const alarms = new Alarms()
      yield* Effect.withFiber((fiber) =>
        Effect.sync(() => {
          for (const millis of [90, 20, 100, 50, 10, 60, 30]) alarms.add(waitFor(rung, base, millis), fiber)
        })
      )
      for (const [millis, expected] of [
        [10, [10]],
        [25, [10, 20, 30]],
        [25, [10, 20, 30, 50, 60]],
        [40, [10, 20, 30, 50, 60, 90, 100]]
      ] as const) {
        yield* TestClock.adjust(millis)
        assert.sameMembers(rung, [...expected])
        assert.lengthOf(rung, expected.length)
      }
    })
  )

  it.effect("do not ring for who is gone, nor when all of them are stopped", () =>
    Effect.gen(function*() {
      const rung: Array<number> = []
      const base = monotonicMillis(yield* Clock.Clock)
      const alarms = new Alarms()
      const fiber = yield* Effect.withFiber((self) => Effect.succeed(self))
      const [a, b, c] = [waitFor(rung, base, 90), waitFor(rung, base, 20), waitFor(rung, base, 30)]
      for (const who of [a, b, c]) alarms.add(who, fiber)
      alarms.delete(b)
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(rung, [30])
      alarms.stop()
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(rung, [30])
    })
  )
})

describe("suspects", () => {
  it.effect("each take-over waits twice as long, also when another was told that there was nothing left to take", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const suspects = new Suspects()
      const overdue = (token: string) => suspects.isOverdue("key", token, 100, clock)
      suspects.note("key", "a", 100, clock)
      yield* TestClock.adjust(100)
      assert.isTrue(overdue("a"))
      suspects.ended("key", "a", true, clock)
      suspects.ended("key", "a", false, clock)
      suspects.note("key", "b", 100, clock)
      yield* TestClock.adjust(100)
      assert.isFalse(overdue("b"))
      // Of a take-over that is long over.
      suspects.ended("key", "a", false, clock)
      yield* TestClock.adjust(100)
      assert.isTrue(overdue("b"))
      suspects.ended("key", "b", false, clock)
      assert.isFalse(overdue("b"))
    })
  )
})
