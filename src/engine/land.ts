/**
 * How a load lands: what it loaded is stored under the lease that it was loaded under, and handed to who waits. One way for
 * every store; where nothing takes time, it has ended when `land` returns.
 */
import { type Context, Effect, Exit } from "effect"
import type { CacheError } from "../CacheError.ts"
import type { Region } from "../region/region.ts"
import type { RegionCounters } from "../observe/stats.ts"
import { paramsOf, type Request } from "./contract.ts"
import type { Flight } from "./flights.ts"
import type { Store } from "./store.ts"

/** What a load needs of the client that runs it. */
export interface LoadContext {
  readonly makeToken: () => string
  readonly defaultTtlMillis: number
  readonly defaultLeaseMillis: number
  readonly counters: (region: Region) => RegionCounters
  /** Counts and logs a cache failure that is not the caller's to see. */
  readonly record: (region: Region, error: CacheError) => Effect.Effect<void>
}

/** A load that has succeeded. */
export interface Landing {
  readonly context: LoadContext
  readonly store: Store
  readonly flight: Flight
  readonly request: Request
  readonly leaseMillis: number
  readonly value: unknown
  readonly loadMillis: number
}

/**
 * The fenced fill. The value reaches the caller whether or not it was accepted; where it cannot be stored, with
 * `onCacheError: "fail"`, the failure does. A fill drops the lease, so what comes before it and fails gives the lease back; a
 * fill that failed may have been carried out, so its lease is left to the orphans.
 */
export const land = (
  { context, flight, leaseMillis, loadMillis, request, store, value }: Landing,
  services: Context.Context<never>
): Effect.Effect<unknown, unknown, unknown> => {
  const { key, token } = flight
  const { region, refused } = request.plan
  // The epoch of before the load: an invalidation during the load makes the entry stale.
  const origin = { born: flight.epoch, loadMillis, defaultTtl: context.defaultTtlMillis }
  const sealed = store.sealer.seal(region, key, value, paramsOf(request), origin, services)
  const filled = Effect.flatMapEager(
    orElseRun(sealed, () => store.giveBack(key, token, leaseMillis)),
    (sealed) =>
      orElseRun(store.fill(region, key, token, sealed, "keep"), () => store.orphans.add(key, token, leaseMillis))
  )
  const landed = Effect.mapEager(filled, (accepted) => {
    if (!accepted) {
      context.counters(region).counts.rejectedFills++
      refused?.(...(request.args as ReadonlyArray<never>))
    }
    return value
  })
  return Effect.catchEager(landed, (error) =>
    Effect.andThen(
      context.record(region, error),
      region.onCacheError === "fail" ? Effect.fail(error) : Exit.succeed(value)
    )
  )
}

/** Runs `then` when `self` does not succeed, whatever else becomes of it. */
const orElseRun = <A, E, R>(self: Effect.Effect<A, E, R>, then: () => Effect.Effect<void>): Effect.Effect<A, E, R> =>
  Exit.isExit(self) && Exit.isSuccess(self) ? self : Effect.onError(self, then)
