/**
 * How a loader is run, under a lease and without one. One way for every pattern.
 */
import { Clock, Context, Effect, Exit, Fiber, Option, Scope } from "effect"
import type { CacheError } from "../CacheError.ts"
import { processMillis } from "../internal/processTime.ts"
import { callLoader, type Request } from "./contract.ts"
import type { Flight } from "./flights.ts"
import { land, type LoadContext } from "./land.ts"
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
 * A load that callers may share gets a scope of its own: that of the caller who started it may close while others wait.
 */
export const runLoader = (
  context: LoadContext,
  work: Work | undefined,
  request: Omit<Request, "key">,
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
  inline("load", store, request.key, (work) =>
    Effect.flatMap(runLoader(context, work, request, { restore: (self) => self, shared: true }), ([exit]) => exit)
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
  return Effect.flatMap(runLoader(context, flight.work, request, { restore, shared: true }), ([exit]) => exit)
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
  keep: boolean,
  restore: Restore
): Effect.Effect<unknown, unknown, unknown> => {
  const { key, token } = flight
  store.flights.run(flight)
  const giveBack = Effect.suspend(() => store.giveBack(key, token, leaseMillis))
  const renew = Effect.suspend(() => store.backend.renew(key, token, leaseMillis))
  /** What is thrown from now on is the loader's, or a landing's that has seen to the lease. */
  let seenTo = false
  const body = Effect.withFiber((fiber) => {
    flight.startedAt = processMillis(fiber.getRef(Clock.Clock))
    const loader = runLoader(context, flight.work, request, { restore, shared: true })
    return Effect.flatMap(withRenewal(store, renew, leaseMillis, loader), ([exit, loadMillis]) => {
      if (Exit.isFailure(exit) || !keep) {
        seenTo = true
        return Effect.andThen(giveBack, exit)
      }
      const { value } = exit
      const createdAt = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      const landing = land(
        { context, store, flight, request, leaseMillis, value, createdAt, loadMillis },
        fiber.context
      )
      seenTo = true
      return landing
    })
  })
  return Effect.onError(body, () => (seenTo ? Effect.void : giveBack))
}
