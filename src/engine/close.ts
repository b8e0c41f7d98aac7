/**
 * The end of a client: its loads are interrupted, and waited for, but not for ever.
 */
import { Effect, Fiber } from "effect"
import type { Flights } from "./flights.ts"

const maxMillis = 5_000

/** More keys are not named. */
const namedMax = 20

export const closeFlights = (all: ReadonlyArray<Flights>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const left = new Map<Fiber.Fiber<unknown, unknown>, string>()
    for (const flights of all) {
      flights.closed = true
      for (const flight of flights.all()) {
        // One that has not begun ends instead.
        if (flight.fiber === undefined) flight.abandoned = true
        else left.set(flight.fiber, flight.key)
      }
    }
    if (left.size === 0) return Effect.void
    // Each of them before any is waited for: they may wait for one another.
    for (const [fiber] of left) {
      fiber.addObserver(() => left.delete(fiber))
      fiber.interruptUnsafe()
    }
    if (left.size === 0) return Effect.void
    const ended = Effect.raceFirst(
      Effect.interruptible(Fiber.awaitAll([...left.keys()])),
      Effect.interruptible(Effect.sleep(maxMillis))
    )
    return Effect.andThen(
      ended,
      Effect.suspend(() => (left.size === 0 ? Effect.void : gaveUp([...new Set(left.values())])))
    )
  })

const gaveUp = (keys: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.logWarning(
    `effect-cache: a client was closed while loads went on that could not be interrupted within ${maxMillis / 1000} seconds`,
    { keys: keys.slice(0, namedMax), count: keys.length }
  )
