/**
 * The load of a key whose entries live in this process: the steps of `load.ts`, of which only the load itself takes time. The
 * others are plain calls, each made in the same evaluation as the one before it.
 */
import { Clock, Context, Effect, Exit, type Fiber, Scope } from "effect"
import { keepOne } from "../internal/keepOne.ts"
import { spanned } from "../observe/span.ts"
import type { LocalPrimitives } from "../services/CacheBackend.ts"
import type { Request } from "./contract.ts"
import { Flight } from "./flights.ts"
import { land, type LoadContext } from "./land.ts"
import { type Ancestry, CurrentLoads } from "./load.ts"
import type { Store } from "./store.ts"

/** Where a load takes place, and whether its value is kept there. */
export interface Place {
  readonly context: LoadContext
  readonly store: Store
  readonly local: LocalPrimitives
  readonly keep: boolean
}

class LocalFlight extends Flight {
  readonly place: Place
  readonly request: Request
  readonly services: Context.Context<never>
  readonly clock: Clock.Clock
  /** What the loader sees of this load; it may keep that for longer than the load takes. */
  readonly ancestry: Ancestry
  readonly startedAt: number

  constructor(
    place: Place,
    request: Request,
    token: string,
    services: Context.Context<never>,
    parent: Ancestry | undefined
  ) {
    super(request.key, token, request.plan, "load")
    this.place = place
    this.request = request
    this.services = services
    this.clock = Context.get(services, Clock.Clock)
    this.ancestry = { store: place.store, key: request.key, parent, done: false }
    this.startedAt = this.clock.currentTimeMillisUnsafe()
    this.open = false
  }

  /** What comes when the load has ended, before anybody hears of it. Returns how long it took. */
  end(now: number, failed: boolean): number {
    this.ancestry.done = true
    const millis = Math.max(0, now - this.startedAt)
    this.place.context.counters(this.request.plan.region).load(millis, failed, this.services)
    return millis
  }

  land(value: unknown): Effect.Effect<unknown, unknown, unknown> {
    const now = this.clock.currentTimeMillisUnsafe()
    const loadMillis = this.end(now, false)
    const { place, request } = this
    if (!place.keep) return Exit.succeed(value)
    const { context, store } = place
    return land({ context, store, flight: this, request, leaseMillis: Infinity, value, now, loadMillis }, this.services)
  }

  /** However the load ended, the lease is given back: a fill has done so already. */
  leave(exit: Exit.Exit<unknown, unknown>): void {
    if (!this.ancestry.done) this.end(this.clock.currentTimeMillisUnsafe(), Exit.isFailure(exit))
    this.place.local.release(this.key, this.token)
    this.place.store.flights.remove(this)
  }
}

keepOne(
  new LocalFlight(
    { store: undefined } as never,
    { key: "", plan: { region: { codec: undefined } } } as never,
    "",
    Context.empty(),
    undefined
  )
)

/**
 * Takes the lease, which nobody holds, and starts the load as a flight in a fiber of its own. To be called in the evaluation
 * that found the key missing, and boarded in it.
 */
export const loadLocal = (
  place: Place,
  request: Request,
  caller: Fiber.Fiber<unknown, unknown>,
  attributes: Record<string, unknown>
): Flight => {
  const { context, local } = place
  const services = caller.context
  const flight = new LocalFlight(place, request, context.makeToken(), services, caller.getRef(CurrentLoads))
  flight.holder = local.acquire(flight.key, flight.token)
  // Before the load starts, or an invalidation during the load would go unseen.
  flight.epoch = local.epoch()
  const loader = Effect.suspend(() => request.plan.load(...request.args))
  // The scope of the caller who started it may close while others wait.
  const scoped = Context.getOrUndefined(services, Scope.Scope) === undefined ? loader : Effect.scoped(loader)
  const body = Effect.flatMap(scoped, (value) => flight.land(value))
  place.store.flights.add(flight)
  const fiber = Effect.runForkWith(Context.add(services, CurrentLoads, flight.ancestry) as Context.Context<unknown>)(
    spanned(caller, "cache.load", attributes, body)
  )
  flight.fiber = fiber
  fiber.addObserver((exit) => flight.leave(exit))
  return flight
}
