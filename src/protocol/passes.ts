/**
 * Removal by pattern takes two passes, and replicas that lag do not make it undone.
 */
import { Effect } from "effect"
import type { CacheError } from "../CacheError.ts"

/** The primary has carried it out, and its word is what reads go by; only that replicas have it is not known. */
export const isCarriedOut = (error: CacheError | undefined): boolean => error?.reason._tag === "NotReplicated"

/** Succeeds when the primary has carried it out, whatever replicas say. */
export const carriedOut = (self: Effect.Effect<unknown, CacheError>): Effect.Effect<unknown, CacheError> =>
  Effect.catch(self, (error) => (isCarriedOut(error) ? Effect.void : Effect.fail(error)))

/**
 * Two full passes of a removal by pattern: a load that fills during the first turns its lease into an entry behind the cursor's
 * back. The second is carried out also when too few replicas have the first. It fails then all the same: the primary may have
 * been replaced in between, by a replica that has only the second.
 */
export const twoPasses = <A>(pass: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
  Effect.matchEffect(pass, {
    onFailure: (error) =>
      isCarriedOut(error) ? Effect.andThen(carriedOut(pass), Effect.fail(error)) : Effect.fail(error),
    onSuccess: () => pass
  })
