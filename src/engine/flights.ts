/**
 * Loads in flight in this process, and who waits for them.
 *
 * A shared load belongs to no caller: it survives the interruption of any of them, and is interrupted when the last one
 * leaves. Its end, whatever it is, reaches all who wait.
 */
import { Effect, type Exit, Fiber } from "effect"
import { keepOne } from "../internal/keepOne.ts"

/**
 * What tells whether two calls may share one load: the codec that gives values their type, and the function that loads, which
 * has one party for all its calls.
 */
export interface Party {
  readonly region: { readonly codec: object | undefined }
}

export class Flight {
  readonly key: string
  /** What it takes the lease with. */
  token: string
  /** With what it held the lease that it gave back. It is not taken twice with one token. */
  former: Array<string> | undefined = undefined
  readonly party: Party
  /** What it does: a refresh loads also when there is a valid entry. */
  readonly kind: "load" | "refresh"
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  waiters = 0
  /** How many have waited, also those who left. */
  boarded = 0
  /** Nothing was sent yet: whoever calls now may join, because the trip is still to come. */
  open = true
  /** The last waiter left: it is being interrupted, and nobody may join. */
  abandoned = false
  /** Who held the lease when this flight's trip was carried out: its own token, or that of somebody else. */
  holder: string | undefined = undefined
  /** The epoch of that moment. */
  epoch = Number.NaN
  /** There is no copy of what it loaded: all its callers share that. */
  uncopied = false
  /** The next flight of the same key. */
  next: Flight | undefined = undefined

  constructor(key: string, token: string, party: Party, kind: "load" | "refresh") {
    this.key = key
    this.token = token
    this.party = party
    this.kind = kind
  }
}

keepOne(new Flight("", "", { region: { codec: undefined } }, "load"))

/** Same codec, so same type of value. Without one, only calls of the same function are of one type. */
const compatible = (a: Party, b: Party): boolean =>
  a.region.codec === b.region.codec && (a.region.codec !== undefined || a === b)

export class Flights {
  /** The flights of a key, as a chain: the oldest first. */
  readonly #byKey = new Map<string, Flight>()

  get size(): number {
    return this.#all().length
  }

  add(flight: Flight): void {
    let last = this.#byKey.get(flight.key)
    if (last === undefined) {
      this.#byKey.set(flight.key, flight)
      return
    }
    while (last.next !== undefined) last = last.next
    last.next = flight
  }

  remove(flight: Flight): void {
    const first = this.#byKey.get(flight.key)
    if (first === flight) {
      if (flight.next === undefined) this.#byKey.delete(flight.key)
      else this.#byKey.set(flight.key, flight.next)
      return
    }
    for (let before = first; before !== undefined; before = before.next) {
      if (before.next === flight) before.next = flight.next
    }
  }

  /** A flight of this kind whose trip is not sent yet. */
  open(key: string, party: Party, kind: Flight["kind"]): Flight | undefined {
    return this.#find(
      key,
      (flight) => flight.open && flight.kind === kind && !flight.abandoned && compatible(flight.party, party)
    )
  }

  /**
   * A flight that may be joined by a caller whose own trip, sent after that flight's, saw `holder` and `epoch`. The same
   * holder means that no key or pattern invalidation came between the two trips (it drops the lease, and no token takes it
   * twice); the same epoch, that no tag invalidation did. So the load began after everything that was acknowledged before the caller started.
   */
  joinable(key: string, party: Party, holder: string, epoch: number): Flight | undefined {
    return this.#find(
      key,
      (flight) =>
        flight.holder === holder &&
        flight.epoch === epoch &&
        !flight.abandoned &&
        flight.fiber !== undefined &&
        compatible(flight.party, party)
    )
  }

  /** The flight of this process that holds the lease with this token, or held it a moment ago, whatever its epoch. */
  byToken(self: Flight, token: string): Flight | undefined {
    return this.#find(
      self.key,
      (flight) => flight !== self && (flight.token === token || flight.former?.includes(token) === true)
    )
  }

  /** Interrupts them all and waits until they are gone. */
  readonly close: Effect.Effect<void> = Effect.suspend(() =>
    Fiber.interruptAll(this.#all().flatMap(({ fiber }) => (fiber === undefined ? [] : [fiber])))
  )

  #find(key: string, matches: (flight: Flight) => boolean): Flight | undefined {
    for (let flight = this.#byKey.get(key); flight !== undefined; flight = flight.next) {
      if (matches(flight)) return flight
    }
    return undefined
  }

  #all(): ReadonlyArray<Flight> {
    const all: Array<Flight> = []
    for (const first of this.#byKey.values()) {
      for (let flight: Flight | undefined = first; flight !== undefined; flight = flight.next) all.push(flight)
    }
    return all
  }
}

/**
 * Runs `body` as a flight in a fiber of its own. The first caller lends its context (services, tracing, references); the
 * flight outlives it all the same.
 *
 * Today the fiber has run until it first waits when this returns. Nothing leans on that: a flight that begins later is boarded
 * all the same, and what it reads is the newer.
 */
export const launch = (
  flights: Flights,
  flight: Flight,
  caller: Fiber.Fiber<unknown, unknown>,
  body: Effect.Effect<unknown, unknown, unknown>
): void => {
  flights.add(flight)
  const fiber = Effect.runForkWith(caller.context as never)(body as Effect.Effect<unknown, unknown>)
  flight.fiber = fiber
  fiber.addObserver(() => {
    flights.remove(flight)
  })
}

/**
 * Waits for a flight as one of its callers. To be run in the same evaluation that found or launched it. `onExit` sees how
 * it ended.
 */
export const board = <A, E, R>(
  flight: Flight,
  resume: (effect: Effect.Effect<A, E, R>) => void,
  onExit: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<A, E, R>
): Effect.Effect<void> => {
  flight.boarded++
  const fiber = flight.fiber!
  const done = fiber.pollUnsafe()
  if (done !== undefined) {
    resume(onExit(done))
    return Effect.void
  }
  flight.waiters++
  const forget = fiber.addObserver((exit) => resume(onExit(exit)))
  return Effect.suspend(() => {
    forget()
    if (--flight.waiters > 0 || fiber.pollUnsafe() !== undefined) return Effect.void
    flight.abandoned = true
    return Fiber.interrupt(fiber)
  })
}
