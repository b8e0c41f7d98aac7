/**
 * In whose context a shared load runs. The caller who started it lends his; when the scope of that closes while others wait, the
 * load begins again in the context of the one who has waited longest. It stays the same flight, with its lease and its epoch:
 * what is loaded later is newer than what the epoch promises.
 *
 * A value or a failure that comes out of a scope that has closed is nobody's: what was in that scope (a connection, say) may
 * have been closed before it, in whatever order.
 */
import { Context, Effect, Exit, Scope } from "effect"
import { keepOne } from "../internal/keepOne.ts"
import type { Caller, Flight, Flights } from "./flights.ts"

/** The scope that a context ends with, if it has one. */
export const scopeOf = (services: Context.Context<never>): Scope.Scope | undefined =>
  Context.getOrUndefined(services, Scope.Scope)

export const isClosed = (scope: Scope.Scope | undefined): boolean => scope?.state._tag === "Closed"

const scopeOfCaller = ({ fiber }: Caller): Scope.Scope | undefined => scopeOf(fiber.context)

/** Who lends his context next: of those whose own scope has not closed the one who came first. */
export const nextOf = ({ callers }: Flight): Caller | undefined =>
  callers.find((caller) => !isClosed(scopeOfCaller(caller))) ?? callers.first

/** The same in place of one whose scope has closed. `undefined`: nobody has a better one. */
export const heirOf = (flight: Flight, closed: Scope.Scope): Caller | undefined => {
  const heir = nextOf(flight)
  return heir === undefined || scopeOfCaller(heir) === closed ? undefined : heir
}

/** A run of a loader in a context that has a scope, which may close before it has ended. */
export class Lent {
  readonly #flights: Flights
  readonly #flight: Flight
  readonly #scope: Scope.Scope
  readonly #again: (heir: Caller) => void
  /** In the scope of the context, while the loader runs and others wait. */
  #watch: Scope.Closeable | undefined = undefined
  /** It has given its value, or another run has taken its place: what becomes of it is nobody's any more. */
  isOver = false
  /** What it gave came out of a scope that had closed: it is for those who wait already. */
  isStale = false

  /**
   * `again` breaks this run off without waiting for its end, which may take long: neither whose scope closes is to be held up,
   * nor the others. It begins another with `nextOf` in the next turn, so that callers who leave together do not begin one each.
   * Where it throws, nothing has happened.
   */
  constructor(flights: Flights, flight: Flight, scope: Scope.Scope, again: (heir: Caller) => void) {
    this.#flights = flights
    this.#flight = flight
    this.#scope = scope
    this.#again = again
  }

  /** Whether its context is not to be used any more, because its scope has closed and others wait. Then another run takes its place. */
  lapsed(): boolean {
    const flight = this.#flight
    if (this.isOver || !isClosed(this.#scope)) return false
    if (flight.exit !== undefined || flight.abandoned || this.#flights.closed) return false
    const heir = heirOf(flight, this.#scope)
    if (heir === undefined) return false
    this.isOver = true
    try {
      this.#again(heir)
    } catch {
      // No stack is left, and it goes on: it is looked at again when it has ended.
      this.isOver = false
    }
    return this.isOver
  }

  /** To be called before it begins, with the callers who are there already: it is watched if there are others than its lender. */
  begun(): void {
    const { callers } = this.#flight
    if (callers.size > 1 || (callers.first !== undefined && scopeOfCaller(callers.first) !== this.#scope))
      this.#watchOver()
  }

  /** One came to wait. Those who waited before have no scope that is open, or it would not run in one that is closed. */
  joined(caller: Caller): void {
    if (scopeOfCaller(caller) === this.#scope) return
    if (!isClosed(this.#scope)) this.#watchOver()
    else if (!isClosed(scopeOfCaller(caller))) this.lapsed()
  }

  /** Those who waited for another flight wait for this one now. */
  joinedByMany(): void {
    if (!this.lapsed()) this.begun()
  }

  /** A load that nobody else waits for needs no watch, and most are such. */
  #watchOver(): void {
    if (this.isOver || this.#watch !== undefined || isClosed(this.#scope)) return
    try {
      this.#watch = Scope.forkUnsafe(this.#scope)
      Effect.runSync(
        Scope.addFinalizerExit(this.#watch, () => {
          this.lapsed()
          return Effect.void
        })
      )
    } catch {
      // No stack is left. What its loader gives is looked at all the same when that has ended.
    }
  }

  /** Its loader has ended. Nothing of it stays in the scope, which may be that of a whole program. */
  end(): void {
    this.isOver = true
    this.isStale = isClosed(this.#scope)
    if (this.#watch !== undefined) Scope.closeUnsafe(this.#watch, Exit.void)
  }
}

keepOne(new Lent({} as never, {} as never, {} as never, () => {}))
