/**
 * The way of a read: look, and on a miss join or start the one load of the key in this process; when the store fails, the
 * same in memory.
 */
import { Cause, Effect, Exit, type Fiber, Option } from "effect"
import type { CacheError } from "../CacheError.ts"
import { absent } from "../internal/stamp.ts"
import { openSpan, spanned } from "../observe/span.ts"
import type { Counters } from "../observe/stats.ts"
import type { Found } from "../protocol/verdict.ts"
import type { Region } from "../region/region.ts"
import { callLoader, type Plan, type Request, type When } from "./contract.ts"
import { board, Flight, launch } from "./flights.ts"
import type { LoadContext } from "./land.ts"
import { CurrentLoads, fly, isLoading, loadUnstored, renewNow, StoreFailure } from "./load.ts"
import { loadLocal } from "./localLoad.ts"
import { momentOf } from "./moment.ts"
import { cloneAgain, cloneOf } from "./seal.ts"
import type { Store } from "./store.ts"

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

  const attributesOf = (region: Region, key: string) => ({
    "cache.region": region.name,
    "cache.key": key,
    "cache.layer": layer
  })

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
      const span = openSpan(fiber, "cache.read", () => attributesOf(region, key))
      const leave = store.look(region, key, span === undefined ? fiber.context : span.services, (found) => {
        // Interrupted meanwhile: nobody reads, and nothing is counted.
        if (fiber.pollUnsafe() !== undefined) return
        tell(goOn(store, request, fiber, span === undefined ? found : span.over(found)))
      })
      return span === undefined ? leave : leave === undefined ? span.broken : Effect.andThen(leave, span.broken)
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
      return exit?._tag === "Success" ? exit : Effect.catch(copy, () => loadShared(store, request, fiber))
    }
    stats.miss(found, fiber.context)
    return loadShared(store, request, fiber)
  }

  /** A miss: joins the load of this key, or starts one, in the evaluation that decided it. */
  const loadShared = (
    store: Store,
    request: Request,
    fiber: Fiber.Fiber<unknown, unknown>
  ): Effect.Effect<unknown, unknown, unknown> => {
    const { key, plan } = request
    if (isLoading(fiber.getRef(CurrentLoads), store, key)) return loadUnstored(context, store, request)
    const { local } = store.backend
    return Effect.callback<unknown, unknown, unknown>((resume) => {
      const holder = local?.holder(key)
      // Join: on a flight whose trip is still to come, or, where a trip is a look at memory, by its holder and epoch.
      let flight =
        local === undefined
          ? store.flights.open(key, plan, "load")
          : holder === undefined
            ? undefined
            : store.flights.joinable(key, plan, holder, local.epoch())
      if (flight !== undefined) counters.of(plan.region.name).counts.shared++
      else if (local !== undefined && holder === undefined) {
        flight = loadLocal({ context, store, keep: keeps(store, plan) }, request, fiber, () =>
          attributesOf(plan.region, key)
        )
      } else {
        flight = new Flight(key, context.makeToken(), plan, "load")
        const body = fly(context, store, flight, request, keeps(store, plan))
        launch(
          store.flights,
          flight,
          fiber,
          spanned(fiber, "cache.load", () => attributesOf(plan.region, key), body)
        )
      }
      const boarded = flight
      return board(flight, resume, (exit) => settle(store, request, boarded, exit, readThrough))
    })
  }

  /** How a shared load ended, for one of its callers; `again` is the way it came. */
  const settle = (
    store: Store,
    request: Request,
    flight: Flight,
    exit: Exit.Exit<unknown, unknown>,
    again: Way
  ): Effect.Effect<unknown, unknown, unknown> => {
    if (Exit.isSuccess(exit)) {
      const { region } = request.plan
      return flight.boarded > 1 ? share(store, region, exit.value, flight) : handOut(store, region, exit.value)
    }
    const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    if (error instanceof StoreFailure) return degrade(store, request, error.error, again)
    // A failure belongs to the function that failed: another function that shared its load looks again for itself.
    return flight.party === request.plan ? exit : Effect.withFiber((fiber) => again(store, request, fiber))
  }

  /** The store failed before a load started: carry on in this process, where one load a key is still the rule. */
  const degrade = (
    store: Store,
    request: Request,
    error: CacheError,
    again: Way
  ): Effect.Effect<unknown, unknown, unknown> => {
    const { plan } = request
    const carryOn =
      plan.region.onCacheError === "fail" && !plan.memory
        ? Effect.fail(error)
        : store === spare
          ? loadUnstored(context, store, request)
          : Effect.andThen(
              spare.catchUp,
              Effect.withFiber((fiber) => again(spare, request, fiber))
            )
    return Effect.andThen(context.record(plan.region, error), carryOn)
  }

  /** Whether a store keeps what is loaded for a plan: the spare may be there to share loads only. */
  const keeps = (store: Store, plan: Plan): boolean => store !== spare || store === primary || spareKeeps || plan.memory

  const bypass = (call: Omit<Request, "key">, error: CacheError) =>
    Effect.andThen(
      context.record(call.plan.region, error),
      call.plan.region.onCacheError === "fail" ? Effect.fail(error) : Effect.suspend(() => callLoader(call))
    )

  const refresh = (request: Request) =>
    Effect.withFiber((fiber) => refreshOn(request.plan.region.codec === undefined ? local : primary, request, fiber))

  const refreshOn = (
    store: Store,
    request: Request,
    fiber: Fiber.Fiber<unknown, unknown>
  ): Effect.Effect<unknown, unknown, unknown> =>
    Effect.callback<unknown, unknown, unknown>((resume) => {
      const { key, plan } = request
      let flight = store.flights.open(key, plan, "refresh")
      if (flight === undefined) {
        flight = new Flight(key, context.makeToken(), plan, "refresh")
        const body = renewNow(context, store, flight, request, keeps(store, plan))
        launch(store.flights, flight, fiber, spanned(fiber, "cache.refresh", attributesOf(plan.region, key), body))
      }
      const boarded = flight
      return board(flight, resume, (exit) => settle(store, request, boarded, exit, refreshOn))
    })

  return { hit, getOrLoad, bypass, refresh, handOut, handOutStored }
}
