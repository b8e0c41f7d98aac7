import { assert, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { liveClock, processMillis, processNow } from "../../src/internal/processTime.ts"
import { twoHands } from "../support/clocks.ts"
import { diceOf } from "../support/dice.ts"

const day = 86_400_000

describe("the time of the process", () => {
  it.effect("is that of the wall clock, and advances with it", () =>
    Effect.gen(function*() {
      const clock = yield* twoHands
      assert.strictEqual(processMillis(clock), clock.wall)
      clock.pass(1_234)
      assert.strictEqual(processMillis(clock), clock.wall)
    })
  )

  it.effect("goes on by the monotonic clock when the wall clock is put back, however often", () =>
    Effect.gen(function*() {
      const clock = yield* twoHands
      const start = processMillis(clock)
      for (let i = 1; i <= 5; i++) {
        clock.wall -= 1_000 * i
        assert.strictEqual(processMillis(clock) - start, (i - 1) * 100)
        clock.pass(100)
        assert.strictEqual(processMillis(clock) - start, i * 100)
      }
    })
  )

  it.effect("goes on by the wall clock when the monotonic one stands still, as in a machine that sleeps", () =>
    Effect.gen(function*() {
      const clock = yield* twoHands
      const start = processMillis(clock)
      clock.wall += day
      assert.strictEqual(processMillis(clock) - start, day)
      clock.pass(10)
      assert.strictEqual(processMillis(clock) - start, day + 10)
    })
  )

  it.effect("does not wait for a wall clock that was a day ahead", () =>
    Effect.gen(function*() {
      const clock = yield* twoHands
      clock.wall += day
      const start = processMillis(clock)
      clock.wall -= day
      clock.pass(1_000)
      assert.strictEqual(processMillis(clock) - start, 1_000)
      clock.pass(1_000)
      assert.strictEqual(processMillis(clock) - start, 2_000)
    })
  )

  it.effect(
    "is never slower than the wall clock, nor than the monotonic one by more than 2 ms, and never back, whatever they do",
    () =>
      Effect.gen(function*() {
        const dice = diceOf(7)
        let least = Infinity
        for (let run = 0; run < 50; run++) {
          const clock = yield* twoHands
          const seen: Array<{ readonly now: number; readonly wall: number; readonly monotonic: number }> = []
          for (let step = 0; step < 40; step++) {
            const now = processMillis(clock)
            for (const then of seen) {
              const passed = Math.max(0, clock.wall - then.wall, clock.monotonic - then.monotonic - 2)
              least = Math.min(least, now - then.now - passed)
            }
            seen.push({ now, wall: clock.wall, monotonic: clock.monotonic })
            clock.pass(dice.below(2_000))
            if (dice.chance(0.3)) clock.wall += dice.below(20_000) - 10_000
            if (dice.chance(0.3)) clock.wall += dice.below(5) - 2
            if (dice.chance(0.1)) clock.monotonic += dice.below(5_000)
          }
        }
        assert.isAtLeast(least, 0)
      })
  )

  it.effect("runs no faster than clocks that tell whole milliseconds at different times", () =>
    Effect.gen(function*() {
      const clock = yield* twoHands
      const start = processMillis(clock)
      for (let tenths = 1; tenths <= 100_000; tenths++) {
        clock.monotonic = 5_000 + tenths / 10
        clock.wall = 1_000_000 + Math.floor((tenths + 4) / 10)
        processMillis(clock)
      }
      assert.isAtMost(processMillis(clock) - start, 10_002)
    })
  )

  it.effect("is not stopped by a clock that gives no number", () =>
    Effect.gen(function*() {
      const clock = yield* twoHands
      const start = processMillis(clock)
      const { wall } = clock
      clock.wall = Number.NaN
      clock.monotonic += 100
      assert.strictEqual(processMillis(clock) - start, 100)
      clock.wall = wall + 200
      clock.monotonic += 100
      assert.strictEqual(processMillis(clock) - start, 200)
    })
  )

  it.effect("is steered by TestClock, also where that is put back", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(100_000)
      const start = yield* processNow
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* processNow) - start, 60_000)
      yield* TestClock.setTime(0)
      assert.strictEqual((yield* processNow) - start, 60_000)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* processNow) - start, 120_000)
    })
  )

  it("looks at the system's monotonic clock at most once a millisecond", () => {
    const monotonic = vi.spyOn(liveClock, "monotonicTimeNanosUnsafe")
    const wall = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 5)
    try {
      for (let i = 0; i < 100; i++) processMillis(liveClock)
      assert.strictEqual(monotonic.mock.calls.length, 1)
    } finally {
      wall.mockRestore()
      monotonic.mockRestore()
    }
  })
})
