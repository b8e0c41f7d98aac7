/**
 * How a load lands: what it loaded is stored under the lease that it was loaded under, and handed to who waits. One way for
 * every store; where nothing takes time, it has ended when `land` returns.
 */
import { type Context, Effect, Exit } from "effect"
import { CacheError } from "../CacheError.ts"
import { isDone } from "../internal/isDone.ts"
import type { Region } from "../region/region.ts"
import type { RegionCounters } from "../observe/stats.ts"
import type { Plan, Request } from "./contract.ts"
import type { Flight } from "./flights.ts"
import type { Sealed } from "./seal.ts"
import type { Store } from "./store.ts"

/** What a load needs of the client that runs it. */
export interface LoadContext {
  readonly makeToken: () => string
  readonly defaultTtlMillis: number
  readonly defaultLeaseMillis: number
  readonly counters: (region: Region) => RegionCounters
  /** Counts and logs a cache failure that is not the caller's to see. */
  readonly record: (region: Region, error: CacheError) => Effect.Effect<void>
  /** Of an entry that was stored and is stale all the same, for memory has no room for the markers of its tags. */
  readonly manyTags: (region: Region) => Effect.Effect<void>
  /** There is what writers of this key were going to invalidate: in the background it is seen to (`intents.ts`). */
  intended: (key: string) => void
}

/** How long a lease of a plan is taken for, in milliseconds. */
export const leaseOf = (context: LoadContext, plan: Plan): number => plan.leaseMillis ?? context.defaultLeaseMillis

/** A load that has succeeded. */
export interface Landing {
  readonly context: LoadContext
  readonly store: Store
  readonly flight: Flight
  readonly request: Request
  readonly leaseMillis: number
  readonly value: unknown
  /** When the load ended, by the wall clock, and how long it took by the time of this process. */
  readonly createdAt: number
  readonly loadMillis: number
}

/**
 * The fenced fill. The value reaches the caller whether or not it was accepted; where it cannot be stored, with
 * `onCacheError: "fail"`, the failure does. `services` are those of the fiber that lands.
 */
export const land = (landing: Landing, services: Context.Context<never>): Effect.Effect<unknown, unknown, unknown> => {
  const { context, createdAt, flight, leaseMillis, loadMillis, request, store, value } = landing
  // Where others' writes are not seen, what has been on its way for too long is as old as what has been kept for too long.
  if (store.sealer.maxAgeMillis - loadMillis < 1) {
    const given = store.giveBack(flight.key, flight.token, leaseMillis)
    return Effect.flatMap(given, () => landed(landing, false, undefined, services))
  }
  const endedAt = flight.startedAt + loadMillis
  // The epoch of before the load: an invalidation during the load makes the entry stale.
  const origin = { born: flight.epoch, createdAt, endedAt, loadMillis, defaultTtl: context.defaultTtlMillis }
  const { region } = request.plan
  const { key, token } = flight
  if (store.inPlace && store.sealer.asIs) {
    const sealed = store.sealer.sealHere(region, key, value, request.params, origin, services)
    if (sealed instanceof CacheError) return unstored(landing, sealed)
    return landed(landing, store.fillHere(key, token, sealed), sealed, services)
  }
  const sealed = store.sealer.seal(region, key, value, request.params, origin, services)
  return isDone(sealed) ? fill(landing, sealed.value, services) : fillLater(landing, sealed, services)
}

const fillLater = (
  landing: Landing,
  sealed: Effect.Effect<Sealed, CacheError, unknown>,
  services: Context.Context<never>
) => {
  const { flight, leaseMillis, store } = landing
  // Nothing was sent yet that would drop the lease.
  const kept = Effect.onError(sealed, () => store.giveBack(flight.key, flight.token, leaseMillis))
  return Effect.matchEffect(kept, {
    onFailure: (error) => unstored(landing, error),
    onSuccess: (sealed) => fill(landing, sealed, services)
  })
}

const fill = (
  landing: Landing,
  sealed: Sealed,
  services: Context.Context<never>
): Effect.Effect<unknown, unknown, unknown> => {
  const { flight, request, store } = landing
  const { key, token } = flight
  const filled = store.fill(request.plan.region, key, token, sealed, "keep", () => landing.context.intended(key))
  return isDone(filled) ? landed(landing, filled.value, sealed, services) : landLater(landing, filled, sealed, services)
}

const landLater = (
  landing: Landing,
  filled: Effect.Effect<boolean, CacheError>,
  sealed: Sealed,
  services: Context.Context<never>
) => {
  const { flight, leaseMillis, store } = landing
  // It may have been carried out all the same, and then the lease is gone; if not, it must not stay for its whole TTL.
  const kept = Effect.onError(filled, () => store.orphans.add(flight.key, flight.token, leaseMillis))
  return Effect.matchEffect(kept, {
    onFailure: (error) => unstored(landing, error),
    onSuccess: (accepted) => landed(landing, accepted, sealed, services)
  })
}

const landed = (
  { context, request, store, value }: Landing,
  accepted: boolean,
  sealed: Sealed | undefined,
  services: Context.Context<never>
): Effect.Effect<unknown> => {
  if (!accepted) {
    const { refused, region } = request.plan
    context.counters(region).refused(services)
    refused?.(...(request.args as ReadonlyArray<never>))
  } else if (sealed !== undefined && store.lacksMarkers(sealed.tags)) {
    return Effect.as(context.manyTags(request.plan.region), value)
  }
  return Exit.succeed(value)
}

const unstored = ({ context, request, value }: Landing, error: CacheError): Effect.Effect<unknown, unknown> => {
  const { region } = request.plan
  return Effect.andThen(
    context.record(region, error),
    region.onCacheError === "fail" ? Effect.fail(error) : Exit.succeed(value)
  )
}
