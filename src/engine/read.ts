/**
 * The way of a read: look, and on a miss join or start the one load of the key in this process; when the store fails, the
 * same in memory.
 */
import { Cause, Clock, type Context, Effect, Exit, type Fiber, Option } from "effect"
import { CacheError, WaitTimeout } from "../CacheError.ts"
import { monotonicMillis } from "../internal/processTime.ts"
import { absent } from "../internal/stamp.ts"
import { attributesOf, openSpan, spanned } from "../observe/span.ts"
import type { Counters } from "../observe/stats.ts"
import type { Found } from "../protocol/verdict.ts"
import type { Region } from "../region/region.ts"
import { board, Boarding, bound, type Ends, launch, mend } from "./boarding.ts"
import { callLoader, mustFail, type Plan, type Request, type Uncached, type When } from "./contract.ts"
import { Flight } from "./flights.ts"
import { fly, renewNow } from "./fly.ts"
import { leaseOf, type LoadContext } from "./land.ts"
import { loadAlone, StoreFailure } from "./load.ts"
import { loadLocal } from "./localLoad.ts"
import { momentOf } from "./moment.ts"
import { answerOf, loadAttributes, type Missing, waits } from "./outcome.ts"
import { type Limit, limitOf } from "./patience.ts"
import { cloneAgain, cloneOf } from "./seal.ts"
import type { Store } from "./store.ts"
import { closesCircle, CurrentWork, isWithin, stillRunning, type Work } from "./work.ts"

/**
 * How old a load may be that is joined while the primary fails, where its value is not kept. What others invalidate is not seen
 * meanwhile.
 */
const sharedMaxAgeMillis = 1_000

interface Parts {
  readonly context: LoadContext
  readonly counters: Counters
  readonly primary: Store
  readonly local: Store
  readonly spare: Store
  /** Whether the spare keeps what every pattern loads, or only what `memoize` does. */
  readonly spareKeeps: boolean
}

type Way = (
  store: Store,
  request: Request,
  fiber: Fiber.Fiber<unknown, unknown>
) => Effect.Effect<unknown, unknown, unknown>

export const makeReads = ({ context, counters, local, primary, spare, spareKeeps }: Parts) => {
  const layer = primary.backend.name
  /**
   * A value that was loaded, for one of several callers: the object itself, or a copy where they must not share. One of which
   * there is no copy is not stored either, and they share it.
   */
  const share = (
    store: Store,
    region: Region,
    value: unknown,
    flight?: Flight
  ): Effect.Effect<unknown, unknown, unknown> =>
    store.backend.isolation === "clone" && flight?.uncopied !== true
      ? Effect.catch(cloneOf(region, value), () => {
          if (flight !== undefined) flight.uncopied = true
          return Exit.succeed(value)
        })
      : Exit.succeed(value)

  /** The same for one caller alone, whose it is where the store holds bytes. */
  const handOut = (store: Store, region: Region, value: unknown): Effect.Effect<unknown, unknown, unknown> =>
    store.backend.format === "values" ? share(store, region, value) : Exit.succeed(value)

  /**
   * What is stored, as a caller gets it: nobody's yet where the store holds bytes. Fails where no copy can be made, as on a
   * stack that is nearly full: nobody is given what others will be given copies of.
   */
  const handOutStored = (store: Store, region: Region, value: unknown): Effect.Effect<unknown, unknown, unknown> =>
    store.backend.format === "values" && store.backend.isolation === "clone"
      ? cloneAgain(region, value)
      : Exit.succeed(value)

  /** Callers share what is stored, so a hit can be handed out as it is found. */
  const handsOutAsIs = ({ backend }: Store) => backend.local !== undefined && backend.isolation === "reference"
  const primaryAsIs = handsOutAsIs(primary)
  const localAsIs = handsOutAsIs(local)

  const hit = (region: Region, key: string, when: When): unknown => {
    const schemaless = region.codec === undefined
    if (!(schemaless ? localAsIs : primaryAsIs)) return absent
    const found = (schemaless ? local : primary).pick(region, key, when.now())
    if (found !== absent) counters.of(region.name).hit(when)
    return found
  }

  const getOrLoad = (request: Request, fiber: Fiber.Fiber<unknown, unknown>) =>
    readThrough(request.plan.region.codec === undefined ? local : primary, request, fiber)

  /**
   * Looks, and goes on by what was found. Where it takes a trip, the question is asked by the step that waits for it, under a
   * span if somebody looks at spans: whoever is interrupted has not asked, or breaks it off.
   */
  const readThrough = (
    store: Store,
    request: Request,
    fiber: Fiber.Fiber<unknown, unknown>
  ): Effect.Effect<unknown, unknown, unknown> => {
    const { key, plan } = request
    const { region } = plan
    if (store.inPlace) return use(store, request, fiber, store.here(region, key, momentOf(fiber.context).now()))
    return Effect.callback((tell) => {
      let isLeft = false
      const span = openSpan(fiber, "cache.read", () => attributesOf(region.name, key, store.backend.name))
      const leave = store.look(region, key, span === undefined ? fiber.context : span.services, (found) => {
        // Interrupted meanwhile: nobody reads, and nothing is counted.
        if (isLeft) return
        let next: Effect.Effect<unknown, unknown, unknown>
        try {
          next = goOn(store, request, fiber, span === undefined ? found : span.over(found, answerOf(plan)))
        } catch (defect) {
          // A metrics registry or a tracer that fails: whoever waits must hear of it, nobody else does.
          next = Exit.die(defect)
        }
        tell(next)
      })
      return Effect.suspend(() => {
        isLeft = true
        const ended = span?.broken ?? Effect.void
        return leave === undefined ? ended : Effect.andThen(leave, ended)
      })
    })
  }

  const goOn = (
    store: Store,
    request: Request,
    fiber: Fiber.Fiber<unknown, unknown>,
    found: Effect.Effect<Found, CacheError, unknown>
  ): Effect.Effect<unknown, unknown, unknown> => {
    const exit = Exit.isExit(found) ? (found as Exit.Exit<Found, CacheError>) : undefined
    return exit?._tag === "Success"
      ? use(store, request, fiber, exit.value)
      : Effect.matchEffect(found, {
          onFailure: (error) => degrade(store, request, error, readThrough),
          onSuccess: (value) => use(store, request, fiber, value)
        })
  }

  /** What a read found, to whoever asked. */
  const use = (
    store: Store,
    request: Request,
    fiber: Fiber.Fiber<unknown, unknown>,
    found: Found
  ): Effect.Effect<unknown, unknown, unknown> => {
    const { region } = request.plan
    const stats = counters.of(region.name)
    if (typeof found === "object") {
      stats.hit(momentOf(fiber.context))
      const copy = handOutStored(store, region, found.value)
      const exit = Exit.isExit(copy) ? (copy as Exit.Exit<unknown, unknown>) : undefined
      return exit?._tag === "Success" ? exit : Effect.catch(copy, () => loadShared(store, request, fiber, "miss"))
    }
    stats.miss(found, fiber.context)
    if (found !== "miss") request.plan.overtaken?.(...(request.args as ReadonlyArray<never>))
    return loadShared(store, request, fiber, found)
  }

  /** A miss: joins the load of this key, or starts one, in the evaluation that decided it. */
  const loadShared = (
    store: Store,
    request: Request,
    fiber: Fiber.Fiber<unknown, unknown>,
    found: Missing
  ): Effect.Effect<unknown, unknown, unknown> => {
    const { key, plan } = request
    const { local } = store.backend
    const { flights } = store
    if (flights.broken !== undefined) mend(flights, fiber)
    const within = stillRunning(fiber.getRef(CurrentWork))
    if (within !== undefined && (within.inline || flights.isRunning(key)) && isWithin(within, store, key)) {
      return loadAlone(context, store, request)
    }
    return Effect.callback<unknown, unknown, unknown>((resume) => {
      const boarding = (flight: Flight) => new Boarding(loads, store, request, flight, fiber, within, resume)
      const holder = local?.holder(key)
      // Join: on a flight whose trip is still to come, or, where a trip is a look at memory, by its holder and epoch.
      const there =
        local === undefined ? flights.opened(key, plan, "load") : flights.joinable(key, plan, holder, local.epoch())
      if (there !== undefined && !isOverdue(store, there, plan, fiber)) {
        if (closesCircle(within, there.work)) return resume(loadAlone(context, store, request))
        counters.of(plan.region.name).shared(momentOf(fiber.context))
        const caller = boarding(there)
        const limit = local === undefined && !there.reopened ? undefined : limitFor(plan, fiber)
        if (limit !== undefined) bound(caller, limit, fiber)
        waits(caller, store.backend.name)
        // The last, for all of it may throw.
        return board(there, caller)
      }
      let flight: Flight | undefined
      try {
        flight =
          local !== undefined && holder === undefined && !flights.isFull(key)
            ? loadLocal({ context, store, keeps }, request, fiber, () =>
                loadAttributes(store, request, found, keeps(store, plan))
              )
            : newFlight(store, request, "load", fiber, found)
        return board(flight, boarding(flight))
      } catch (thrown) {
        if (flight?.isBroken === false) {
          flight.isBroken = true
          flight.thrown = thrown
          flight.brokenBefore = flights.broken
          flights.broken = flight
        }
        throw thrown
      }
    })
  }

  /** A flight that is still to ask; `since`: of a caller that came then, and will not wait for those before. */
  const newFlight = (
    store: Store,
    request: Request,
    kind: Flight["kind"],
    fiber: Fiber.Fiber<unknown, unknown>,
    found: Missing | undefined,
    since?: number
  ): Flight => {
    const { key, plan } = request
    const flight = new Flight(store, key, context.makeToken(), plan, kind, fiber.getRef(CurrentWork))
    if (since !== undefined) {
      flight.isImpatient = true
      flight.latest = since
    }
    const way = { context, store, request, keeps }
    const isOpen = !store.inPlace || kind === "refresh"
    const body = spanned(
      fiber,
      kind === "load" ? "cache.load" : "cache.refresh",
      () => loadAttributes(store, request, found, keeps(store, plan)),
      kind === "load" ? fly(way, flight) : renewNow(way, flight)
    )
    const { flights } = store
    try {
      if (isOpen) flights.open(flight)
      if (!store.inPlace) flight.name()
      launch(flights, flight, fiber, fiber.context as Context.Context<unknown>, body)
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

  /** A load that hangs in this process, as others found who waited for it: its lease is to be taken over. */
  const isOverdue = ({ suspects }: Store, flight: Flight, plan: Plan, fiber: Fiber.Fiber<unknown, unknown>): boolean =>
    suspects.isOverdue(flight.key, flight.holder, leaseOf(context, plan), fiber.getRef(Clock.Clock))

  const limitFor = (plan: Plan, fiber: Fiber.Fiber<unknown, unknown>): Limit | undefined =>
    plan.wait === undefined
      ? undefined
      : limitOf(plan, context.defaultLeaseMillis, monotonicMillis(fiber.getRef(Clock.Clock)))

  /** How a shared load ended, for one of its callers; `again` is the way it came. */
  const settle = (
    { flight, request, store }: Boarding<Store>,
    exit: Exit.Exit<unknown, unknown>,
    again: Way
  ): Effect.Effect<unknown, unknown, unknown> => {
    if (Exit.isSuccess(exit)) {
      const { region } = request.plan
      return flight.boarded > 1 ? share(store, region, exit.value, flight) : handOut(store, region, exit.value)
    }
    const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    if (error instanceof StoreFailure) return degrade(store, request, error.error, again)
    // No load has failed: it has waited for as long as all of its callers wanted.
    if (flight.ran === 0 && error instanceof CacheError) return exit
    // A failure belongs to the function that failed: another function that shared its load looks again for itself.
    // Not on a client that is being closed.
    return flight.party === request.plan || store.flights.closed
      ? exit
      : Effect.withFiber((fiber) => again(store, request, fiber))
  }

  /** It has waited for as long as it wanted. */
  const late = ({ came, fiber, flight, limit, owner, request, store }: Boarding<Store>) => {
    const { key, plan } = request
    if (plan.wait?.onTimeout === "fail") {
      store.suspects.note(key, flight.holder, leaseOf(context, plan), fiber.getRef(Clock.Clock))
      return Exit.fail(new CacheError({ reason: new WaitTimeout({ name: key, millis: limit!.millis }) }))
    }
    return hurry(store, request, fiber, owner, came)
  }

  /**
   * Loads for a caller that waits for nobody's load any more, but for what begins after it came, and so is as good as its own. Who
   * is late as well shares it.
   */
  const hurry = (
    store: Store,
    request: Request,
    fiber: Fiber.Fiber<unknown, unknown>,
    owner: Work | undefined,
    came: number
  ): Effect.Effect<unknown, unknown, unknown> =>
    Effect.callback((resume) => {
      const { key, plan } = request
      const { flights } = store
      if (flights.broken !== undefined) mend(flights, fiber)
      const there = flights.begunSince(came, key, plan) ?? flights.opened(key, plan, "load", true)
      if (there !== undefined && closesCircle(owner, there.work)) return resume(loadAlone(context, store, request))
      const flight = there ?? newFlight(store, request, "load", fiber, "miss", came)
      const caller = new Boarding(lateLoads, store, request, flight, fiber, owner, resume, came)
      if (there !== undefined) waits(caller, store.backend.name)
      return board(flight, caller)
    })

  const loads: Ends<Store> = {
    // Who has waited for a flight that was late does not begin to wait anew, but for a load that began after it came.
    settle: (boarding, exit) =>
      boarding.flight.isImpatient && boarding.came < boarding.flight.ran
        ? lateLoads.settle(boarding, exit)
        : settle(boarding, exit, readThrough),
    late
  }
  const refreshes: Ends<Store> = { settle: (boarding, exit) => settle(boarding, exit, refreshOn), late }
  const lateLoads: Ends<Store> = {
    // It has waited, and does not begin to wait anew.
    settle: (boarding, exit) =>
      settle(boarding, exit, (store, request, fiber) => hurry(store, request, fiber, boarding.owner, boarding.came)),
    late
  }

  /** The store failed before a load started: carry on in this process, where one load a key is still the rule. */
  const degrade = (
    store: Store,
    request: Request,
    error: CacheError,
    again: Way
  ): Effect.Effect<unknown, unknown, unknown> => {
    const { plan } = request
    const carryOn = mustFail(plan)
      ? Effect.fail(error)
      : store === spare
        ? loadAlone(context, store, request)
        : Effect.andThen(
            spare.catchUp(request.key, keeps(spare, plan) ? spare.sealer.maxAgeMillis : sharedMaxAgeMillis),
            Effect.withFiber((fiber) => again(spare, request, fiber))
          )
    return Effect.andThen(context.record(plan.region, error), carryOn)
  }

  /** Whether a store keeps what is loaded for a plan: the spare may be there to share loads only. */
  const keeps = (store: Store, plan: Plan): boolean => store !== spare || store === primary || spareKeeps || plan.memory

  const bypass = (call: Uncached, error: CacheError) =>
    Effect.andThen(
      context.record(call.plan.region, error),
      call.plan.region.onCacheError === "fail"
        ? Effect.fail(error)
        : Effect.withFiber((fiber) =>
            spanned(
              fiber,
              "cache.load",
              () => attributesOf(call.plan.region.name, undefined, layer, "bypass"),
              Effect.suspend(() => callLoader(call))
            )
          )
    )

  const refresh = (request: Request) =>
    Effect.withFiber((fiber) => refreshOn(request.plan.region.codec === undefined ? local : primary, request, fiber))

  const refreshOn = (
    store: Store,
    request: Request,
    fiber: Fiber.Fiber<unknown, unknown>
  ): Effect.Effect<unknown, unknown, unknown> =>
    Effect.callback<unknown, unknown, unknown>((resume) => {
      if (store.flights.broken !== undefined) mend(store.flights, fiber)
      const within = stillRunning(fiber.getRef(CurrentWork))
      const there = store.flights.opened(request.key, request.plan, "refresh")
      const flight =
        there === undefined || closesCircle(within, there.work)
          ? newFlight(store, request, "refresh", fiber, undefined)
          : there
      return board(flight, new Boarding(refreshes, store, request, flight, fiber, within, resume))
    })

  return { hit, getOrLoad, bypass, refresh, handOut, handOutStored }
}
