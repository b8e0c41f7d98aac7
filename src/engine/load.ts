/**
 * The load of one key: who may load, who waits, and the fenced fill. One way for every pattern.
 */
import { Clock, Context, Effect, Exit, Fiber, identity, Option, Random, Scope } from "effect"
import { CacheError, WaitTimeout } from "../CacheError.ts"
import { callLoader, type Request } from "./contract.ts"
import { board, type Flight } from "./flights.ts"
import { land, type LoadContext } from "./land.ts"
import type { Store } from "./store.ts"

/** A failure of the store rather than of the loader; never leaves the client. */
export class StoreFailure {
  readonly error: CacheError
  constructor(error: CacheError) {
    this.error = error
  }
}

const storeFailure = (error: CacheError): StoreFailure => new StoreFailure(error)

/** The loads that the running code is part of, innermost first: a loader that asks for its own key must not wait for itself. */
export interface Ancestry {
  readonly store: Store
  readonly key: string
  readonly parent: Ancestry | undefined
  /** The load has ended; what it left running asks like anybody else. */
  done: boolean
}
export const CurrentLoads = Context.Reference<Ancestry | undefined>("effect-cache/CurrentLoads", {
  defaultValue: () => undefined
})

export const isLoading = (ancestry: Ancestry | undefined, store: Store, key: string): boolean => {
  for (let at = ancestry; at !== undefined; at = at.parent) {
    if (at.key === key && at.store === store && !at.done) return true
  }
  return false
}

/** Keeps the lease while `body` runs. Leases of a process do not expire, so theirs need no keeping. */
export const withRenewal = <A, E, R>(
  store: Store,
  key: string,
  token: string,
  leaseMillis: number,
  body: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  if (store.backend.local !== undefined) return body
  // A renewal that fails is tried again; one that finds the lease gone stops, and the fence refuses the fill.
  const renewal: Effect.Effect<void> = Effect.suspend(() =>
    Effect.sleep(leaseMillis / 3).pipe(
      Effect.andThen(Effect.catch(store.backend.renew(key, token, leaseMillis), () => Effect.succeed(true))),
      Effect.flatMap((held) => (held ? renewal : Effect.void))
    )
  )
  return Effect.flatMap(Effect.forkChild(renewal), (fiber) => Effect.onExit(body, () => Fiber.interrupt(fiber)))
}

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Runs the loader, interruptible if `restore` makes it so; counts it, and makes it known to what it calls. Cannot fail.
 *
 * A load that callers may share gets a scope of its own: that of the caller who started it may close while others wait.
 */
export const runLoader = (
  context: LoadContext,
  store: Store,
  request: Omit<Request, "key"> & { readonly key: string | undefined },
  options: { readonly restore: Restore; readonly shared: boolean }
) =>
  Effect.withFiber<readonly [exit: Exit.Exit<unknown, unknown>, millis: number], never, unknown>((fiber) => {
    const clock = fiber.getRef(Clock.Clock)
    const startedAt = clock.currentTimeMillisUnsafe()
    const { key, plan } = request
    const loader = Effect.suspend(() => callLoader(request))
    const scoped = options.shared && Option.isSome(Context.getOption(fiber.context, Scope.Scope))
    const load = options.restore(scoped ? Effect.scoped(loader) : loader)
    const parent = fiber.getRef(CurrentLoads)
    const ancestry: Ancestry | undefined = key === undefined ? parent : { store, key, parent, done: false }
    return Effect.map(Effect.exit(Effect.provideService(load, CurrentLoads, ancestry)), (exit) => {
      if (ancestry !== undefined && ancestry !== parent) ancestry.done = true
      const millis = Math.max(0, clock.currentTimeMillisUnsafe() - startedAt)
      context.counters(plan.region).load(millis, Exit.isFailure(exit), fiber.context)
      return [exit, millis] as const
    })
  })

/** Loads without storing: the lease is held elsewhere, or there is nothing to hold. */
export const loadUnstored = (context: LoadContext, store: Store, request: Request) =>
  Effect.flatMap(runLoader(context, store, request, { restore: identity, shared: true }), ([exit]) => exit)

/**
 * Loads under the lease that `flight` holds, and lands. Uninterruptible but for the load, so that whatever happens the lease is
 * given back.
 */
const loadAndLand = Effect.fnUntraced(function*(
  context: LoadContext,
  store: Store,
  flight: Flight,
  request: Request,
  leaseMillis: number,
  keep: boolean,
  restore: Restore
): Effect.fn.Return<unknown, unknown, unknown> {
  const { key, token } = flight
  const [exit, loadMillis] = yield* withRenewal(
    store,
    key,
    token,
    leaseMillis,
    runLoader(context, store, request, { restore, shared: true })
  )
  if (Exit.isFailure(exit) || !keep) {
    yield* store.giveBack(key, token, leaseMillis)
    return yield* exit
  }
  const { value } = exit
  return yield* Effect.withFiber((fiber) => {
    const createdAt = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
    return land({ context, store, flight, request, leaseMillis, value, createdAt, loadMillis }, fiber.context)
  })
})

/** Waits for a flight of this process as one of its callers, and sees how it ended. */
const follow = (flight: Flight): Effect.Effect<Exit.Exit<unknown, unknown>> =>
  Effect.callback((resume) => board(flight, resume, (exit) => Effect.succeed(exit)))

const firstPollMillis = 20
const lastPollMillis = 250

/** Pauses for an entry that is being settled, doubled: five of them, then it counts as stale. */
const firstSettleMillis = 5
const lastSettleMillis = 80

/** Waits until the lease of somebody else seems to have ended: their hint, or a poll in case the hint is lost. */
const awaitHolder = (store: Store, key: string, holder: string, pollMillis: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (random) =>
    Effect.raceFirst(
      Effect.catch(store.backend.awaitRelease(key, holder), () => Effect.never),
      Effect.sleep(pollMillis * (0.5 + random / 2))
    )
  )

/**
 * The body of a flight: trip 2, then by the answer load and fill, join, wait, or load without storing. Fails with
 * `StoreFailure` when the store fails before a load has started.
 */
export const fly = (context: LoadContext, store: Store, flight: Flight, request: Request, keep: boolean) =>
  Effect.uninterruptibleMask((restore) => steps(context, store, flight, request, keep, restore))

const steps = Effect.fnUntraced(function*(
  context: LoadContext,
  store: Store,
  flight: Flight,
  request: Request,
  keep: boolean,
  restore: Restore
): Effect.fn.Return<unknown, unknown, unknown> {
  const { key, plan } = request
  const leaseMillis = plan.leaseMillis ?? context.defaultLeaseMillis
  // Callers that arrive before the trip is sent share it. A trip to memory takes no time, so there is nothing to share.
  if (store.backend.local === undefined) yield* Effect.yieldNow
  flight.open = false
  if (flight.abandoned) return yield* Effect.interrupt
  const startedAt = yield* Clock.currentTimeMillis
  const giveBack = (token: string) => store.giveBack(key, token, leaseMillis)
  let pollMillis = firstPollMillis
  let settleMillis = firstSettleMillis
  for (;;) {
    // Trip 2. The epoch is read before the load starts, or an invalidation during the load would go unseen.
    const claim = yield* Effect.result(store.claim(plan.region, key, flight.token, leaseMillis))
    if (claim._tag === "Failure") {
      // It may have been carried out all the same; the lease must not stay behind for its whole TTL.
      yield* store.orphans.add(key, flight.token, leaseMillis)
      return yield* Effect.fail(storeFailure(claim.failure))
    }
    const { epoch, found, holder } = claim.success
    if (typeof found === "object") {
      if (holder === flight.token) yield* giveBack(holder)
      return found.value
    }
    if (
      found === "unsettled" &&
      holder === flight.token &&
      plan.wait !== undefined &&
      settleMillis <= lastSettleMillis
    ) {
      // Another process has just filled, and is about to confirm the markers: one load among all is worth the moment.
      // Not taken again with this token: a call that saw it twice would believe that nothing was invalidated in between.
      flight.former = [...(flight.former ?? []), holder]
      flight.token = context.makeToken()
      yield* giveBack(holder)
      yield* restore(Effect.sleep(settleMillis))
      settleMillis *= 2
      continue
    }
    if (holder === flight.token) {
      flight.holder = holder
      flight.epoch = epoch
      return yield* loadAndLand(context, store, flight, request, leaseMillis, keep, restore)
    }

    // Somebody holds it. A flight that only follows another is not to be joined itself: two could wait for each other.
    flight.holder = undefined
    const other = store.flights.joinable(key, flight.party, holder, epoch)
    if (other !== undefined) {
      const exit = yield* restore(follow(other))
      if (Exit.isSuccess(exit)) return exit.value
      // A failure belongs to the function that failed; one that was abandoned, to nobody.
      if (other.party === flight.party && !other.abandoned) return yield* exit
      continue
    }

    // Ours, but from before an invalidation, or of another type: wait for its fill and read again.
    const ours = store.flights.byToken(flight, holder)
    if (ours?.fiber !== undefined) {
      yield* restore(Fiber.await(ours.fiber))
    } else {
      flight.holder = holder
      flight.epoch = epoch
      if (plan.wait === undefined) return yield* restore(loadUnstored(context, store, request))
      const timeoutMillis = plan.wait.timeoutMillis ?? leaseMillis + 1_000
      const remaining = startedAt + timeoutMillis - (yield* Clock.currentTimeMillis)
      if (remaining <= 0) {
        if (plan.wait.onTimeout === "fail") {
          return yield* new CacheError({ reason: new WaitTimeout({ name: key, millis: timeoutMillis }) })
        }
        return yield* restore(loadUnstored(context, store, request))
      }
      yield* restore(awaitHolder(store, key, holder, Math.min(pollMillis, remaining)))
      pollMillis = Math.min(lastPollMillis, pollMillis * 1.5)
    }
    const again = yield* Effect.mapError(store.read(plan.region, key), storeFailure)
    if (typeof again === "object") return again.value
  }
})

/** A refresh: takes the lease over, loads, and stores if the lease is still its own. Those of one tick share it. */
export const renewNow = (context: LoadContext, store: Store, flight: Flight, request: Request, keep: boolean) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const leaseMillis = request.plan.leaseMillis ?? context.defaultLeaseMillis
      yield* Effect.yieldNow
      flight.open = false
      if (flight.abandoned) return yield* Effect.interrupt
      const { key, plan } = request
      const taken = yield* Effect.result(
        plan.yields === true
          ? store.claim(plan.region, key, flight.token, leaseMillis)
          : Effect.map(store.takeOver(key, flight.token, leaseMillis, false), (epoch) => ({
              epoch,
              holder: flight.token
            }))
      )
      if (taken._tag === "Failure") {
        yield* store.orphans.add(key, flight.token, leaseMillis)
        return yield* Effect.fail(storeFailure(taken.failure))
      }
      // Who asks for refreshes without end must not keep the loads of others from being stored.
      if (taken.success.holder !== flight.token) return yield* restore(loadUnstored(context, store, request))
      flight.epoch = taken.success.epoch
      flight.holder = flight.token
      return yield* loadAndLand(context, store, flight, request, leaseMillis, keep, restore)
    })
  )
