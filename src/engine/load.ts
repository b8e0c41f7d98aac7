/**
 * How a loader is run, under a lease and without one. One way for every pattern.
 */
import { Clock, Context, Effect, Exit, Fiber, Option, Scope } from "effect"
import type { CacheError } from "../CacheError.ts"
import { nextTurn } from "../internal/nextTurn.ts"
import { processMillis } from "../internal/processTime.ts"
import { attributesOf, spanned } from "../observe/span.ts"
import { callLoader, type Plan, type Request, type Uncached } from "./contract.ts"
import type { Caller, Flight } from "./flights.ts"
import { land, type LoadContext } from "./land.ts"
import { heirOf, isClosed, Lent, nextOf, scopeOf } from "./lender.ts"
import type { Store } from "./store.ts"
import { beginWait, CurrentWork, endWait, stillRunning, Work } from "./work.ts"

/** A failure of the store rather than of the loader; never leaves the client. */
export class StoreFailure {
  readonly error: CacheError
  constructor(error: CacheError) {
    this.error = error
  }
}

/** Keeps a lease while `body` runs. Leases of a process do not expire, so theirs need no keeping. */
export const withRenewal = <A, E, R>(
  store: Store,
  renew: Effect.Effect<boolean, CacheError>,
  leaseMillis: number,
  body: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  if (store.backend.local !== undefined) return body
  // A renewal that fails is tried again; one that finds the lease gone stops, and the fence refuses the fill.
  const renewal: Effect.Effect<void> = Effect.suspend(() =>
    Effect.sleep(leaseMillis / 3).pipe(
      Effect.andThen(Effect.catch(renew, () => Effect.succeed(true))),
      Effect.flatMap((held) => (held ? renewal : Effect.void))
    )
  )
  return Effect.flatMap(Effect.forkChild(renewal), (fiber) => Effect.onExit(body, () => Fiber.interrupt(fiber)))
}

export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Runs the loader, interruptible if `restore` makes it so; counts it, and makes its work known to what it calls. Cannot fail.
 *
 * A load that callers may share gets a scope of its own: that of the caller whose context it runs in may close while others wait.
 */
export const runLoader = (
  context: LoadContext,
  work: Work | undefined,
  request: Uncached,
  options: { readonly restore: Restore; readonly shared: boolean }
) =>
  Effect.withFiber<readonly [exit: Exit.Exit<unknown, unknown>, millis: number], never, unknown>((fiber) => {
    const clock = fiber.getRef(Clock.Clock)
    const startedAt = processMillis(clock)
    const loader = Effect.suspend(() => callLoader(request))
    const scoped = options.shared && Option.isSome(Context.getOption(fiber.context, Scope.Scope))
    const load = options.restore(scoped ? Effect.scoped(loader) : loader)
    const known = work === undefined ? load : Effect.provideService(load, CurrentWork, work)
    return Effect.map(Effect.exit(known), (exit) => {
      if (work !== undefined) work.ran = true
      const millis = processMillis(clock) - startedAt
      context.counters(request.plan.region).load(millis, Exit.isFailure(exit), fiber.context)
      return [exit, millis] as const
    })
  })

/** How a loader has ended that ran for a flight, of which request it was, and in whose context. */
interface Loaded {
  readonly exit: Exit.Exit<unknown, unknown>
  readonly millis: number
  readonly request: Request
  readonly services: Context.Context<never>
}

/**
 * Runs the loader of a flight: in the context of the fiber that asks, or where that has a scope in a fiber of its own, to begin again
 * in the context of another caller when the scope closes. Fails only by being interrupted.
 */
const runShared = (
  context: LoadContext,
  store: Store,
  flight: Flight,
  request: Request,
  restore: Restore
): Effect.Effect<Loaded, never, unknown> =>
  Effect.withFiber((fiber) => {
    const services = fiber.context
    const scope = scopeOf(services)
    flight.startedAt = processMillis(fiber.getRef(Clock.Clock))
    if (scope === undefined) {
      const ran = runLoader(context, flight.work, request, { restore, shared: true })
      return Effect.map(ran, ([exit, millis]) => ({ exit, millis, request, services }))
    }
    const loaded = Effect.callback<Loaded>((tell) => {
      const runs = new Runs(context, store, flight, tell)
      // It may have closed while the flight was on its trip.
      const heir = isClosed(scope) ? heirOf(flight, scope) : undefined
      if (heir === undefined) runs.begin(request, services)
      else runs.beginWith(heir)
      return runs.stop
    })
    return Effect.map(Effect.exit(restore(loaded)), (exit) => {
      flight.work.ran = true
      return Exit.isSuccess(exit) ? exit.value : { exit, millis: 0, request, services }
    })
  })

/** The runs of the loader of a flight, of which only the last counts. */
class Runs {
  readonly #context: LoadContext
  readonly #store: Store
  readonly #flight: Flight
  readonly #tell: (loaded: Effect.Effect<Loaded>) => void
  #fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  #last = 0

  constructor(context: LoadContext, store: Store, flight: Flight, tell: (loaded: Effect.Effect<Loaded>) => void) {
    this.#context = context
    this.#store = store
    this.#flight = flight
    this.#tell = tell
  }

  begin(request: Request, services: Context.Context<never>): void {
    const flight = this.#flight
    const run = ++this.#last
    const scope = scopeOf(services)
    const lent =
      scope === undefined ? undefined : new Lent(this.#store.flights, flight, scope, (heir) => this.#beginAgain(heir))
    flight.lent = lent
    lent?.begun()
    flight.startedAt = processMillis(Context.get(services, Clock.Clock))
    const loader = Effect.uninterruptibleMask((restore) =>
      // Its work has not ended when one of its runs has.
      runLoader(this.#context, undefined, request, { restore, shared: true })
    )
    const known = Context.add(services, CurrentWork, flight.work) as Context.Context<unknown>
    const fiber = Effect.runForkWith(known)(loader)
    if (this.#last === run) this.#fiber = fiber
    // In its first steps already another may have taken its place.
    else fiber.interruptUnsafe()
    fiber.addObserver((exit) => {
      if (this.#last !== run || lent?.lapsed() === true) return
      lent?.end()
      this.#tell(Exit.map(exit, ([exit, millis]) => ({ exit, millis, request, services })))
    })
  }

  beginWith(heir: Caller): void {
    // A failure is that of the function that failed.
    this.#flight.party = heir.request.plan
    this.begin(heir.request, heir.fiber.context)
  }

  #beginAgain(heir: Caller): void {
    const fiber = this.#fiber
    const run = this.#last + 1
    // First, for it may throw, and then the run before goes on.
    nextTurn(() => {
      if (this.#last !== run) return
      try {
        this.beginWith(nextOf(this.#flight) ?? heir)
      } catch (thrown) {
        this.#tell(Exit.die(thrown))
      }
    }, heir.fiber)
    this.#last = run
    this.#fiber = undefined
    fiber?.interruptUnsafe()
  }

  /** Nobody waits any more, or the client is being closed. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    this.#last++
    this.#flight.lent?.end()
    return this.#fiber === undefined ? Effect.void : Fiber.interrupt(this.#fiber)
  })
}

/** A work in the fiber of its caller. */
export const inline = <A, E, R>(
  kind: Work["kind"],
  store: Store,
  key: string,
  body: (work: Work) => Effect.Effect<A, E, R>,
  others?: ReadonlySet<string> | undefined
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const parent = stillRunning(fiber.getRef(CurrentWork))
    const work = new Work(kind, store, key, parent, true)
    work.others = others
    const wait = { on: work }
    beginWait(parent, wait)
    return Effect.onExit(body(work), () =>
      Effect.sync(() => {
        endWait(parent, wait)
        work.end(fiber)
      })
    )
  })

/** Loads for one caller, in its fiber: who must not wait for a flight, or has nothing to hold. */
export const loadAlone = (context: LoadContext, store: Store, request: Request) =>
  Effect.withFiber<unknown, unknown, unknown>((fiber) =>
    spanned(
      fiber,
      "cache.load",
      () => attributesOf(request.plan.region.name, request.key, store.backend.name, "bypass"),
      inline("load", store, request.key, (work) =>
        Effect.flatMap(runLoader(context, work, request, { restore: (self) => self, shared: true }), ([exit]) => exit)
      )
    )
  )

/**
 * Loads as a flight that holds no lease: the lease is held elsewhere, or was refused. Others may join it all the same. It runs
 * from the call on, for whoever decides by that in the same evaluation.
 */
export const loadUnstored = (
  context: LoadContext,
  store: Store,
  flight: Flight,
  request: Request,
  restore: Restore
): Effect.Effect<unknown, unknown, unknown> => {
  store.flights.run(flight)
  return Effect.flatMap(runShared(context, store, flight, request, restore), ({ exit }) => exit)
}

/**
 * Loads under the lease that `flight` holds, and lands. Uninterruptible but for the load, and whatever is thrown, the lease is
 * given back. It runs from the call on.
 */
export const loadAndLand = (
  context: LoadContext,
  store: Store,
  flight: Flight,
  request: Request,
  leaseMillis: number,
  keeps: (store: Store, plan: Plan) => boolean,
  restore: Restore
): Effect.Effect<unknown, unknown, unknown> => {
  const { key, token } = flight
  store.flights.run(flight)
  const giveBack = Effect.suspend(() => store.giveBack(key, token, leaseMillis))
  const renew = Effect.suspend(() => store.backend.renew(key, token, leaseMillis))
  /** What is thrown from now on is the loader's, or a landing's that has seen to the lease. */
  let seenTo = false
  const body = Effect.withFiber((fiber) => {
    const loader = runShared(context, store, flight, request, restore)
    return Effect.flatMap(withRenewal(store, renew, leaseMillis, loader), (loaded) => {
      const { exit, millis: loadMillis, request, services } = loaded
      if (Exit.isFailure(exit) || !keeps(store, request.plan)) {
        seenTo = true
        return Effect.andThen(giveBack, exit)
      }
      const { value } = exit
      const createdAt = Context.get(services, Clock.Clock).currentTimeMillisUnsafe()
      const landing = land({ context, store, flight, request, leaseMillis, value, createdAt, loadMillis }, services)
      seenTo = true
      // Its schema may ask for services, as its loader did.
      return services === fiber.context ? landing : Effect.provideContext(landing, services)
    })
  })
  return Effect.onError(body, () => (seenTo ? Effect.void : giveBack))
}
