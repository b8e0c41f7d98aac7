/**
 * Trip 2 of a store outside this process: the lease, the epoch and the entry, all sent in one evaluation and in this order.
 *
 * It is part of every miss, so it is put together by hand: with one `together` in another a miss allocated some percent more.
 */
import { type Context, Effect, Exit } from "effect"
import type { CacheError } from "../CacheError.ts"
import { isDone } from "../internal/isDone.ts"
import { isNoRoom } from "../internal/noRoom.ts"
import { forksAtOnce } from "../internal/together.ts"
import type { Found } from "../protocol/verdict.ts"
import type { Leave } from "./lookup.ts"

/** Who holds the lease, and the epoch and the entry of the same moment. */
export interface Claim {
  /** `undefined`: nobody is known to hold it, because the store has no room for a lease. `refused` is what it said. */
  readonly holder: string | undefined
  /** `NaN` where the store has no room for one that was lost. */
  readonly epoch: number
  readonly found: Found
  readonly refused: CacheError | undefined
}

type Look = (
  services: Context.Context<never>,
  done: (found: Effect.Effect<Found, CacheError, unknown>) => void
) => Leave

/** All three are awaited; the first failure in their order is the failure. */
export const claimOutside = (
  acquire: Effect.Effect<string, CacheError>,
  epoch: Effect.Effect<number, CacheError>,
  look: Look
): Effect.Effect<Claim, CacheError, unknown> =>
  forksAtOnce()
    ? Effect.withFiber((fiber) =>
        Effect.callback<Claim, CacheError, unknown>((resume) => {
          const services = fiber.context
          const fork = Effect.runForkWith(services)
          let lease: Exit.Exit<string, CacheError> | undefined
          let moment: Exit.Exit<number, CacheError> | undefined
          let entry: Effect.Effect<Found, CacheError, unknown> | undefined
          const answered = () => {
            if (lease !== undefined && moment !== undefined && entry !== undefined)
              resume(claimed(lease, moment, entry))
          }
          fork(acquire).addObserver((exit) => {
            lease = exit
            answered()
          })
          fork(epoch).addObserver((exit) => {
            moment = exit
            answered()
          })
          return look(services, (found) => {
            entry = found
            answered()
          })
        })
      )
    : Effect.flatMap(Effect.exit(acquire), (lease) =>
        Effect.flatMap(Effect.exit(epoch), (moment) =>
          Effect.withFiber((fiber) =>
            Effect.callback<Claim, CacheError, unknown>((resume) =>
              look(fiber.context, (entry) => resume(claimed(lease, moment, entry)))
            )
          )
        )
      )

const claimed = (
  lease: Exit.Exit<string, CacheError>,
  moment: Exit.Exit<number, CacheError>,
  entry: Effect.Effect<Found, CacheError, unknown>
): Effect.Effect<Claim, CacheError, unknown> => {
  let holder: string | undefined
  let refused: CacheError | undefined
  if (Exit.isSuccess(lease)) holder = lease.value
  else {
    const error = Exit.findErrorOption(lease)
    if (error._tag === "None" || !isNoRoom(error.value)) return Exit.failCause(lease.cause)
    refused = error.value
  }
  if (Exit.isFailure(moment)) return Exit.failCause(moment.cause)
  const epoch = moment.value
  return isDone(entry)
    ? Exit.succeed({ holder, epoch, found: entry.value as Found, refused })
    : Effect.map(entry, (found) => ({ holder, epoch, found, refused }))
}
