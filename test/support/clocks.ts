import { Clock, Effect } from "effect"

/** A clock with two hands that a test sets apart; it sleeps like the one of the test. */
export interface TwoHands extends Clock.Clock {
  wall: number
  monotonic: number
  /** Lets time pass as it does: on both. */
  pass(millis: number): void
}

export const twoHands = Effect.map(Clock.Clock, (around): TwoHands => {
  const clock: TwoHands = {
    wall: 1_000_000,
    monotonic: 5_000,
    pass(millis) {
      clock.wall += millis
      clock.monotonic += millis
    },
    currentTimeMillisUnsafe: () => clock.wall,
    currentTimeMillis: Effect.sync(() => clock.wall),
    currentTimeNanosUnsafe: () => BigInt(Math.round(clock.wall * 1e6)),
    currentTimeNanos: Effect.sync(() => clock.currentTimeNanosUnsafe()),
    monotonicTimeNanosUnsafe: () => BigInt(Math.round(clock.monotonic * 1e6)),
    monotonicTimeNanos: Effect.sync(() => clock.monotonicTimeNanosUnsafe()),
    sleep: (duration) => around.sleep(duration)
  }
  return clock
})
