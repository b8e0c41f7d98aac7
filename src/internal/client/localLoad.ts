/**
 * The load of a key whose entries live in this process: the steps of `load.ts`, of which only the load itself takes time. The
 * others are plain calls, each made in the same evaluation as the one before it.
 */
import { Clock, Context, Effect, Exit, type Fiber, Scope } from "effect"
import type { CacheError } from "../../CacheError.ts"
import type { LocalPrimitives } from "../../services/CacheBackend.ts"
import { Flight } from "./flights.ts"
import { type Ancestry, CurrentLoads, type LoadContext, paramsOf, type Request } from "./load.ts"
import type { Store } from "./store.ts"

/** Where a load takes place, and whether its value is kept there. */
export interface Place {
  readonly context: LoadContext
  readonly store: Store
  readonly local: LocalPrimitives
  readonly keep: boolean
}

class LocalFlight extends Flight implements Ancestry {
  readonly place: Place
  readonly request: Request
  readonly services: Context.Context<never>
  readonly clock: Clock.Clock
  readonly parent: Ancestry | undefined
  readonly startedAt: number
  done = false

  constructor(place: Place, request: Request, caller: Fiber.Fiber<unknown, unknown>, startedAt: number) {
    super(request.key, place.context.makeToken(), request.plan, "load")
    this.place = place
    this.request = request
    this.services = caller.context
    this.clock = caller.getRef(Clock.Clock)
    this.parent = caller.getRef(CurrentLoads)
    this.startedAt = startedAt
    this.open = false
    this.holder = place.local.acquire(request.key, this.token)
    // Before the load starts, or an invalidation during the load would go unseen.
    this.epoch = place.local.epoch()
  }

  get store(): Store {
    return this.place.store
  }

  /** What comes when the load has ended, before anybody hears of it. Returns how long it took. */
  end(now: number, failed: boolean): number {
    this.done = true
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
    if (!this.done) this.end(this.clock.currentTimeMillisUnsafe(), Exit.isFailure(exit))
    this.place.local.release(this.key, this.token)
    this.store.flights.remove(this)
  }
}

/**
 * Takes the lease, which nobody holds, and starts the load as a flight in a fiber of its own. To be called in the evaluation
 * that found the key missing. For stores whose callers share one value.
 */
export const loadLocal = (
  place: Place,
  request: Request,
  caller: Fiber.Fiber<unknown, unknown>,
  startedAt: number
): Flight => {
  const flight = new LocalFlight(place, request, caller, startedAt)
  const { services } = flight
  const loader = Effect.suspend(() => request.plan.load(...request.args))
  // The scope of the caller who started it may close while others wait.
  const scoped = Context.getOrUndefined(services, Scope.Scope) === undefined ? loader : Effect.scoped(loader)
  flight.store.flights.add(flight)
  const fiber = Effect.runForkWith(Context.add(services, CurrentLoads, flight) as Context.Context<unknown>)(
    Effect.flatMap(scoped, (value) => flight.fill(value))
  )
  flight.fiber = fiber
  fiber.addObserver((exit) => flight.land(exit))
  return flight
}
