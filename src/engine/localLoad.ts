/**
 * The load of a key whose entries live in this process: the steps of `fly.ts`, of which only the load itself takes time. The
 * others are plain calls, each made in the same evaluation as the one before it.
 */
import { Clock, Context, Effect, Exit, type Fiber } from "effect"
import { keepOne } from "../internal/keepOne.ts"
import { nextTurn } from "../internal/nextTurn.ts"
import { processMillis, processMillisAt } from "../internal/processTime.ts"
import { spanned } from "../observe/span.ts"
import type { LocalPrimitives } from "../services/CacheBackend.ts"
import { launch, mend } from "./boarding.ts"
import { callLoader, type Plan, type Request } from "./contract.ts"
import { type Caller, Flight } from "./flights.ts"
import { type Landing, land, type LoadContext } from "./land.ts"
import { Lent, nextOf, scopeOf } from "./lender.ts"
import type { Store } from "./store.ts"
import { CurrentWork, type Work } from "./work.ts"

/** Where a load takes place, and whether what is loaded for a plan is kept there. */
export interface Place {
  readonly context: LoadContext
  /** Of this process. */
  readonly store: Store
  readonly keeps: (store: Store, plan: Plan) => boolean
}

/** A load in this process, which is its own landing: nothing is made for it in between. */
class LocalFlight extends Flight implements Landing {
  readonly context: LoadContext
  readonly store: Store
  readonly flight: LocalFlight
  /** Whose loader runs, in the context of its caller. */
  request: Request
  services: Context.Context<never>
  clock: Clock.Clock
  /** The lease of a process does not end. */
  readonly leaseMillis = Infinity
  value: unknown = undefined
  createdAt = 0
  loadMillis = 0
  declare readonly local: LocalPrimitives
  readonly keeps: Place["keeps"]

  constructor(
    { context, keeps, store }: Place,
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
    this.keeps = keeps
    this.services = services
    this.clock = Context.get(services, Clock.Clock)
    this.startedAt = processMillis(this.clock)
  }

  /** The load begins again, in the context of another caller. */
  lend({ fiber, request }: Caller): void {
    // A failure is that of the function that failed.
    this.party = request.plan
    this.request = request
    this.services = fiber.context
    this.clock = Context.get(fiber.context, Clock.Clock)
    this.startedAt = processMillis(this.clock)
  }

  /** A run of the loader has ended, or was broken off. */
  count(failed: boolean): void {
    this.createdAt = this.clock.currentTimeMillisUnsafe()
    this.loadMillis = processMillisAt(this.clock, this.createdAt) - this.startedAt
    this.context.counters(this.request.plan.region).load(this.loadMillis, failed, this.services)
  }

  /** What comes when the load has ended, before anybody hears of it. */
  end(failed: boolean): void {
    this.work.ran = true
    this.lent?.end()
    this.count(failed)
  }

  land(value: unknown): Effect.Effect<unknown, unknown, unknown> {
    this.end(false)
    if (!this.keeps(this.store, this.request.plan)) return Exit.succeed(value)
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
  const { flights } = store
  try {
    flight.holder = flight.local.acquire(flight.key, flight.token)
    // Before the load starts, or an invalidation during the load would go unseen.
    flight.epoch = flight.local.epoch()
    flights.run(flight)
    start(flight, caller, attributes)
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

/** Runs the loader in the context of a caller, in place of a run before. */
const start = (
  flight: LocalFlight,
  caller: Fiber.Fiber<unknown, unknown>,
  attributes: () => Record<string, unknown>
): void => {
  const { request, services, store } = flight
  const loader = Effect.suspend(() => callLoader(request))
  const scope = scopeOf(services)
  const lent =
    scope === undefined
      ? undefined
      : new Lent(store.flights, flight, scope, (heir) => startAgain(flight, heir, attributes))
  flight.lent = lent
  lent?.begun()
  const loaded =
    lent === undefined
      ? Effect.flatMap(loader, (value) => flight.land(value))
      : // The scope of the caller may close while others wait, so what the loader opens is in one of its own.
        Effect.flatMap(Effect.scoped(loader), (value) =>
          lent.isOver || lent.lapsed() ? Effect.interrupt : flight.land(value)
        )
  const body = spanned(caller, "cache.load", attributes, loaded)
  const known = Context.add(services, CurrentWork, flight.work) as Context.Context<unknown>
  launch(store.flights, flight, caller, known, body)
}

const startAgain = (flight: LocalFlight, heir: Caller, attributes: () => Record<string, unknown>): void => {
  const { fiber } = flight
  const { flights } = flight.store
  const run = flight.launched + 1
  // First, for it may throw, and then the run before goes on.
  nextTurn(() => {
    if (flight.exit !== undefined || flight.launched !== run) return
    try {
      if (!flight.abandoned) flight.count(true)
      const next = nextOf(flight) ?? heir
      flight.lend(next)
      start(flight, next.fiber, attributes)
    } catch (thrown) {
      if (!flight.isBroken) {
        flight.isBroken = true
        flight.thrown = thrown
        flight.brokenBefore = flights.broken
        flights.broken = flight
      }
    }
    if (flights.broken !== undefined) mend(flights, heir.fiber)
  }, heir.fiber)
  flight.launched = run
  flight.fiber = undefined
  fiber?.interruptUnsafe()
}
