/**
 * The load of a key whose entries live in this process: the steps of `fly.ts`, of which only the load itself takes time. The
 * others are plain calls, each made in the same evaluation as the one before it.
 */
import { Clock, Context, Effect, Exit, type Fiber, Scope } from "effect"
import { keepOne } from "../internal/keepOne.ts"
import { processMillis, processMillisAt } from "../internal/processTime.ts"
import { spanned } from "../observe/span.ts"
import type { LocalPrimitives } from "../services/CacheBackend.ts"
import { launch } from "./boarding.ts"
import { callLoader, type Request } from "./contract.ts"
import { Flight } from "./flights.ts"
import { type Landing, land, type LoadContext } from "./land.ts"
import type { Store } from "./store.ts"
import { CurrentWork, type Work } from "./work.ts"

/** Where a load takes place, and whether its value is kept there. */
export interface Place {
  readonly context: LoadContext
  /** Of this process. */
  readonly store: Store
  readonly keep: boolean
}

/** A load in this process, which is its own landing: nothing is made for it in between. */
class LocalFlight extends Flight implements Landing {
  readonly context: LoadContext
  readonly store: Store
  readonly flight: LocalFlight
  readonly request: Request
  /** The lease of a process does not end. */
  readonly leaseMillis = Infinity
  value: unknown = undefined
  createdAt = 0
  loadMillis = 0
  declare readonly local: LocalPrimitives
  readonly keep: boolean
  readonly services: Context.Context<never>
  readonly clock: Clock.Clock

  constructor(
    { context, keep, store }: Place,
    request: Request,
    token: string,
    services: Context.Context<never>,
    parent: Work | undefined
  ) {
    super(store, request.key, token, request.plan, "load", parent)
    this.context = context
    this.store = store
    this.flight = this
    this.request = request
    this.keep = keep
    this.services = services
    this.clock = Context.get(services, Clock.Clock)
    this.startedAt = processMillis(this.clock)
  }

  /** What comes when the load has ended, before anybody hears of it. */
  end(failed: boolean): void {
    this.work.ran = true
    this.createdAt = this.clock.currentTimeMillisUnsafe()
    this.loadMillis = processMillisAt(this.clock, this.createdAt) - this.startedAt
    this.context.counters(this.request.plan.region).load(this.loadMillis, failed, this.services)
  }

  land(value: unknown): Effect.Effect<unknown, unknown, unknown> {
    this.end(false)
    if (!this.keep) return Exit.succeed(value)
    this.value = value
    return land(this, this.services)
  }

  override left(exit: Exit.Exit<unknown, unknown>): void {
    this.local.release(this.key, this.token)
    if (!this.work.ran) this.end(Exit.isFailure(exit))
  }
}

keepOne(
  new LocalFlight(
    { store: { backend: {} } } as never,
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
  attributes: () => Record<string, unknown>
): Flight => {
  const { context, store } = place
  const services = caller.context
  const flight = new LocalFlight(place, request, context.makeToken(), services, caller.getRef(CurrentWork))
  const loader = Effect.suspend(() => callLoader(request))
  // The scope of the caller who started it may close while others wait.
  const scoped = Context.getOrUndefined(services, Scope.Scope) === undefined ? loader : Effect.scoped(loader)
  const body = spanned(
    caller,
    "cache.load",
    attributes,
    Effect.flatMap(scoped, (value) => flight.land(value))
  )
  const known = Context.add(services, CurrentWork, flight.work) as Context.Context<unknown>
  const { flights } = store
  try {
    flight.holder = flight.local.acquire(flight.key, flight.token)
    // Before the load starts, or an invalidation during the load would go unseen.
    flight.epoch = flight.local.epoch()
    flights.run(flight)
    launch(flights, flight, caller, known, body)
    return flight
  } catch (thrown) {
    if (!flight.isBroken) {
      flight.isBroken = true
      flight.thrown = thrown
      flight.brokenBefore = flights.broken
      flights.broken = flight
    }
    throw thrown
  }
}
