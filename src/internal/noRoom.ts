/**
 * A store that is full refuses what needs room, and nothing else. That is no outage.
 */
import { Effect } from "effect"
import type { CacheError } from "../CacheError.ts"

export const isNoRoom = (error: CacheError | undefined): boolean => error?.reason._tag === "NoRoom"

/** `otherwise` in place of what was refused for want of room. */
export const whenFull = <A, B>(
  self: Effect.Effect<A, CacheError>,
  otherwise: (error: CacheError) => Effect.Effect<B, CacheError>
): Effect.Effect<A | B, CacheError> =>
  Effect.catch(
    self,
    (error): Effect.Effect<A | B, CacheError> => (isNoRoom(error) ? otherwise(error) : Effect.fail(error))
  )
