/**
 * The load of a key whose entries live in this process: the steps of `load.ts`, of which only the load itself takes time. The
 * others are plain calls, each made in the same evaluation as the one before it.
 */
import { paramsOf, type Request } from "./contract.ts"
import { Clock, Context, Effect, Exit, type Fiber, Scope } from "effect"
import type { CacheError } from "../CacheError.ts"
import type { LocalPrimitives } from "../services/CacheBackend.ts"
import { keepOne } from "../internal/keepOne.ts"
import { Flight } from "./flights.ts"
import { type Ancestry, CurrentLoads, type LoadContext } from "./load.ts"
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

  fill(value: unknown): Effect.Effect<unknown, unknown, unknown> {
    const { clock, key, place, request, services, token } = this
    const { context, local, store } = place
    const born = this.epoch
    const { region, refused } = request.plan
    const now = clock.currentTimeMillisUnsafe()
    const loadMillis = this.end(now, false)
    if (!place.keep) return Exit.succeed(value)
    const life = store.sealer.lifeOf(region, key, value, paramsOf(request), context.defaultTtlMillis, services)
    if ("reason" in life) return this.refuse(life, value)
    const { tags, ttlMillis } = life
    const { fingerprint } = region
    const entry = { born, createdAt: now, freshUntil: now + ttlMillis, loadMillis, fingerprint, tags, value }
    if (tags.length > 0) local.ensure(tags)
    if (!local.fill(key, token, entry, ttlMillis, now)) {
      context.counters(region).counts.rejectedFills++
      refused?.(...(request.args as ReadonlyArray<never>))
    }
    return Exit.succeed(value)
  }

  /** What was loaded cannot be stored: its caller gets it all the same, or the failure. */
  refuse(error: CacheError, value: unknown): Effect.Effect<unknown, unknown, unknown> {
    const { region } = this.request.plan
    return Effect.andThen(
      this.place.context.record(region, error),
      region.onCacheError === "fail" ? Effect.fail(error) : Exit.succeed(value)
    )
  }

  /** However the load ended, the lease is given back: a fill has done so already. */
  land(exit: Exit.Exit<unknown, unknown>): void {
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
 * that found the key missing, and boarded in it. For stores whose callers share one value.
 */
export const loadLocal = (place: Place, request: Request, caller: Fiber.Fiber<unknown, unknown>): Flight => {
  const { context, local } = place
  const services = caller.context
  const flight = new LocalFlight(place, request, context.makeToken(), services, caller.getRef(CurrentLoads))
  flight.holder = local.acquire(flight.key, flight.token)
  // Before the load starts, or an invalidation during the load would go unseen.
  flight.epoch = local.epoch()
  const loader = Effect.suspend(() => request.plan.load(...request.args))
  // The scope of the caller who started it may close while others wait.
  const scoped = Context.getOrUndefined(services, Scope.Scope) === undefined ? loader : Effect.scoped(loader)
  place.store.flights.add(flight)
  const fiber = Effect.runForkWith(Context.add(services, CurrentLoads, flight.ancestry) as Context.Context<unknown>)(
    Effect.flatMap(scoped, (value) => flight.fill(value))
  )
  flight.fiber = fiber
  fiber.addObserver((exit) => flight.land(exit))
  return flight
}
