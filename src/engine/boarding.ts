/**
 * How a flight starts and ends, and how callers wait for it.
 */
import { type Context, Effect, Exit, Fiber } from "effect"
import { bounce } from "../internal/trampoline.ts"
import { keepOne } from "../internal/keepOne.ts"
import type { Request } from "./contract.ts"
import { Caller, Flight, type Flights } from "./flights.ts"
import { waits } from "./outcome.ts"
import { Alarms, type Limit } from "./patience.ts"
import { beginWait, CurrentWork, endWait, stillRunning, type Work } from "./work.ts"

/**
 * Runs `body` as a flight in a fiber of its own. A caller lends its context (services, tracing, references); the flight outlives
 * it all the same (`lender.ts`). The first time it is to be boarded in the same evaluation; from then on the body takes the place
 * of the one before it, which is to be interrupted.
 *
 * Today the fiber has run until it first waits when this returns, unless loads are nested deeply. Nothing leans on that: a
 * flight that begins later is boarded all the same, and what it reads is the newer. That the caller waits for it is known before
 * it runs, because it may look for circles at once.
 */
export const launch = (
  flights: Flights,
  flight: Flight,
  caller: Fiber.Fiber<unknown, unknown>,
  services: Context.Context<unknown>,
  body: Effect.Effect<unknown, unknown, unknown>
): void => {
  const owner = stillRunning(caller.getRef(CurrentWork))
  const wait = { on: flight.work }
  const run = ++flight.launched
  beginWait(owner, wait)
  try {
    bounce(() => {
      if (flight.exit !== undefined || flight.launched !== run) return
      try {
        if (flight.abandoned) return end(flights, flight, Exit.interrupt(), caller)
        const fiber = Effect.runForkWith(services)(body)
        // In its first steps already it may have been replaced, or lost those who wait.
        if (flight.launched === run) flight.fiber = fiber
        if (flight.launched !== run || flight.abandoned) fiber.interruptUnsafe()
        fiber.addObserver((exit) => {
          if (flight.launched === run && flight.lent?.lapsed() !== true) end(flights, flight, exit, fiber)
        })
      } catch (thrown) {
        // In place, as wherever one breaks off: there may be no stack for a call.
        if (!flight.isBroken) {
          flight.isBroken = true
          flight.thrown = thrown
          flight.brokenBefore = flights.broken
          flights.broken = flight
        }
      }
      if (flights.broken !== undefined) mend(flights, caller)
    }, caller)
  } finally {
    endWait(owner, wait)
  }
}

/** Sees to flights that broke off. Where it breaks off itself, they are there still. */
export const mend = (flights: Flights, fiber: Fiber.Fiber<unknown, unknown>): void => {
  for (let flight = flights.broken; flight !== undefined; flight = flights.broken) {
    const ended = flight.exit ?? flight.fiber?.pollUnsafe()
    if (ended !== undefined || flight.fiber === undefined) {
      end(flights, flight, ended ?? Exit.die(flight.thrown), fiber)
    } else if (flight.callers.size === 0) {
      // It runs, and nobody came to wait for it.
      flight.abandoned = true
      flight.fiber.interruptUnsafe()
    }
    flights.broken = flight.brokenBefore
    flight.brokenBefore = flight.thrown = undefined
    flight.isBroken = false
  }
}

/** Leaves nothing behind, whatever is thrown, and tells all who wait: of what was thrown, too, because nobody else hears of it. */
const end = (
  flights: Flights,
  flight: Flight,
  exit: Exit.Exit<unknown, unknown>,
  fiber: Fiber.Fiber<unknown, unknown>
): void => {
  flight.exit = exit
  flights.remove(flight)
  try {
    flight.left(exit)
    flight.alarms?.stop()
  } catch (defect) {
    flight.exit = Exit.die(defect)
  }
  try {
    flight.work.end(fiber)
  } finally {
    flight.callers.tellAll(flight.exit, fiber)
  }
}

/** Waits for a flight as one of its callers. To be run in the same evaluation that found or launched it. */
export const board = (flight: Flight, caller: Caller): Effect.Effect<void> | undefined => {
  flight.boarded++
  if (caller.came > flight.latest) flight.latest = caller.came
  if (flight.exit !== undefined) {
    caller.tell(flight.exit)
    return undefined
  }
  const leave = Effect.suspend(() => leaveFlight(caller))
  // The last but for what cannot throw: where it throws, nobody waits.
  flight.callers.add(caller)
  flight.lent?.joined(caller)
  return leave
}

/** It waits no more. If nobody does, the flight ends with it, and it waits for that. */
const leaveFlight = (caller: Caller): Effect.Effect<void> => {
  const { flight, span } = caller
  if (!flight.callers.remove(caller)) return Effect.void
  const left = leftBehind(caller, flight)
  return span === undefined ? left : Effect.andThen(left, span.broken)
}

const leftBehind = (caller: Caller, flight: Flight): Effect.Effect<void> => {
  flight.alarms?.delete(caller)
  if (flight.callers.size > 0) return Effect.void
  flight.abandoned = true
  return flight.fiber === undefined ? Effect.void : Fiber.interrupt(flight.fiber)
}

/** Bounds how long a caller waits for the flight that it has boarded. */
export const bound = (caller: Caller, limit: Limit, fiber: Fiber.Fiber<unknown, unknown>): void => {
  caller.limit = limit
  ;(caller.flight.alarms ??= new Alarms()).add(caller, fiber)
}

/** The same for all of a flight, which goes on without a limit of its own. */
export const boundAll = (flight: Flight, limit: Limit, fiber: Fiber.Fiber<unknown, unknown>): void =>
  flight.callers.forEach((caller) => {
    if (caller.limit === undefined) bound(caller, limit, fiber)
  })

/** The callers of a flight wait for another one from now on, which is running, or open. */
export const takeAlong = (
  flight: Flight,
  other: Flight,
  limit: Limit | undefined,
  fiber: Fiber.Fiber<unknown, unknown>,
  layer: string
): void => {
  other.boarded += flight.boarded
  other.latest = Math.max(other.latest, flight.latest)
  other.callers.take(flight.callers, other.work, (caller) => {
    const own = caller.limit ?? limit
    if (caller.limit !== undefined) flight.alarms?.delete(caller)
    caller.flight = other
    waits(caller, layer)
    // What began after it came is as good as a load of its own, for which it would wait as long as it takes.
    if (own !== undefined && other.ran < caller.came) bound(caller, own, fiber)
  })
  other.lent?.joinedByMany()
}

/** What callers do when the flight that they boarded has ended, or has taken too long. */
export interface Ends<S> {
  readonly settle: (
    boarding: Boarding<S>,
    exit: Exit.Exit<unknown, unknown>
  ) => Effect.Effect<unknown, unknown, unknown>
  readonly late: (boarding: Boarding<S>) => Effect.Effect<unknown, unknown, unknown>
}

/** A call that waits for a load. */
export class Boarding<S> extends Caller {
  readonly ends: Ends<S>
  readonly store: S
  readonly request: Request
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly resume: (effect: Effect.Effect<unknown, unknown, unknown>) => void

  constructor(
    ends: Ends<S>,
    store: S,
    request: Request,
    flight: Flight,
    fiber: Fiber.Fiber<unknown, unknown>,
    owner: Work | undefined,
    resume: (effect: Effect.Effect<unknown, unknown, unknown>) => void,
    came?: number
  ) {
    super(flight, owner, came)
    this.ends = ends
    this.store = store
    this.request = request
    this.fiber = fiber
    this.resume = resume
  }

  tell(exit: Exit.Exit<unknown, unknown>): void {
    let next: Effect.Effect<unknown, unknown, unknown>
    try {
      next = this.ends.settle(this, exit)
      if (this.span !== undefined) {
        // Who goes on by itself, because another function has failed, or nobody has loaded, has shared nothing.
        const { ran } = this.flight
        const isShared = Exit.isSuccess(exit) || (next === exit && ran > 0)
        next = this.span.over(next, isShared ? () => "shared" : undefined)
      }
    } catch (defect) {
      next = Exit.die(defect)
    }
    this.resume(next)
  }

  tooLate(): void {
    const next = this.ends.late(this)
    this.resume(this.span === undefined ? next : Effect.suspend(() => this.span!.over(next)))
  }
}

keepOne(
  new Boarding(
    {} as never,
    undefined,
    {} as never,
    new Flight(
      { backend: { local: undefined } },
      "",
      "",
      { region: { codec: undefined }, leaseMillis: undefined, wait: undefined },
      "load",
      undefined
    ),
    {} as never,
    undefined,
    () => {}
  )
)
