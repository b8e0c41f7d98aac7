/**
 * A circuit breaker around the primitives of a primary, with a journal of the invalidations it did not acknowledge.
 *
 * **States**
 *
 * - Trusted: calls go to the primary, each within a deadline. So many failures in a row, or one invalidation that was not
 *   acknowledged, end the trust.
 * - Away: calls fail at once with `Unavailable`; invalidations are journalled, too. In the background the primary is tried,
 *   ever more slowly; once it answers and the whole journal has been replayed, it is trusted again. No read comes before
 *   that: an entry that the journal says is invalid is never seen.
 *
 * Unlike a usual half-open breaker no caller is the probe, because the probe is the replay.
 */
import { Cause, Effect, Exit, Random, type Scope } from "effect"
import { CacheError, TimedOut, Unavailable } from "../CacheError.ts"
import type { CacheBackend } from "../services/CacheBackend.ts"
import type { TagIndex } from "../services/TagIndex.ts"
import type { Primitives } from "./client/store.ts"
import { Journal } from "./journal.ts"

export interface GuardOptions {
  /** The longest a call takes, in milliseconds. A primary that has a deadline at most as long keeps its own. */
  readonly timeoutMillis: number
  /** Failures in a row that end the trust. */
  readonly failureThreshold: number
  /** The first pause between two tries while away, in milliseconds; doubled up to eight times as long, with jitter. */
  readonly retryMillis: number
  /** Invalidations kept; with more, the namespace is cleared instead. */
  readonly journalLimit: number
}

export const guardDefaults: GuardOptions = {
  timeoutMillis: 1_000,
  failureThreshold: 5,
  retryMillis: 500,
  journalLimit: 10_000
}

/** The guarded primitives. `onReturn` runs before the primary is trusted again. */
export const guard = (
  primary: Primitives,
  options: GuardOptions,
  onReturn: Effect.Effect<void>
): Effect.Effect<Primitives, never, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const journal = new Journal(options.journalLimit)
    const { name } = primary.backend
    let away = false
    let failures = 0

    const heldOff = (operation: string): CacheError =>
      new CacheError({
        reason: new Unavailable({ backend: name, operation, cause: new Error("held off until the primary is back") })
      })

    const within = <A>(operation: string, self: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
      Effect.timeoutOrElse(self, {
        duration: options.timeoutMillis,
        orElse: () =>
          Effect.fail(
            new CacheError({ reason: new TimedOut({ backend: name, operation, millis: options.timeoutMillis }) })
          )
      })
    const { deadlineMillis } = primary.backend
    const bounded: typeof within =
      deadlineMillis !== undefined && deadlineMillis <= options.timeoutMillis ? (_, self) => self : within

    const tryAgain = (pause: number): Effect.Effect<void> =>
      Effect.flatMap(Random.next, (random) =>
        Effect.sleep(pause * (0.75 + random / 2)).pipe(
          Effect.andThen(Effect.exit(Effect.andThen(within("probe", primary.tags.epoch), journal.replay(primary)))),
          Effect.flatMap((exit) =>
            Exit.isFailure(exit) || !journal.isEmpty
              ? tryAgain(Exit.isFailure(exit) ? Math.min(pause * 2, options.retryMillis * 8) : 1)
              : Effect.andThen(
                  onReturn,
                  Effect.suspend(() => {
                    // Something may have been journalled while the fallback was being cleared.
                    if (!journal.isEmpty) return tryAgain(1)
                    away = false
                    failures = 0
                    return Effect.logInfo(`effect-cache: ${name} is back`)
                  })
                )
          )
        )
      )

    const leave = (reason: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (away) return Effect.void
        away = true
        return Effect.andThen(
          Effect.logWarning(`effect-cache: ${name} is away, carrying on without it`, reason),
          Effect.forkIn(tryAgain(options.retryMillis), scope)
        )
      })

    /** A call to the primary, while it is trusted. */
    const call = <A>(operation: string, self: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> => {
      const watched = Effect.matchEffect(bounded(operation, self), {
        onFailure: (error) => {
          const counts = error.reason._tag === "Unavailable" || error.reason._tag === "TimedOut"
          const failed = Effect.fail(error)
          return counts && ++failures >= options.failureThreshold
            ? Effect.andThen(leave(error.message), failed)
            : failed
        },
        onSuccess: (value) => {
          failures = 0
          return Exit.succeed(value)
        }
      })
      return Effect.suspend(() => (away ? Effect.fail(heldOff(operation)) : watched))
    }

    /** An invalidation: what is not acknowledged is written down before the caller hears of it. */
    const journalled = <A>(
      operation: string,
      self: Effect.Effect<A, CacheError>,
      note: () => void
    ): Effect.Effect<A, CacheError> =>
      Effect.onExit(call(operation, self), (exit) =>
        // An interrupted caller was told nothing, and so was promised nothing.
        Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)
          ? Effect.void
          : Effect.suspend(() => {
              note()
              return leave(`${operation} was not acknowledged`)
            })
      )

    const { backend, tags } = primary
    return {
      backend: {
        ...backend,
        read: (key) => call("read", backend.read(key)),
        acquire: (key, token, ttl) => call("acquire", backend.acquire(key, token, ttl)),
        takeOver: (key, token, ttl, how) => call("takeOver", backend.takeOver(key, token, ttl, how)),
        renew: (key, token, ttl) => call("renew", backend.renew(key, token, ttl)),
        fill: (key, token, write, onLost) => call("fill", backend.fill(key, token, write, onLost)),
        release: (key, token, onLost) => call("release", backend.release(key, token, onLost)),
        addTags: (key, list) => call("addTags", backend.addTags(key, list)),
        // A hint that cannot be had is waited for like one that is lost: callers poll.
        awaitRelease: backend.awaitRelease,
        usage: call("usage", backend.usage),
        remove: (keys) => journalled("remove", backend.remove(keys), () => journal.addKeys(keys)),
        removeMatching: (pattern) =>
          journalled("removeMatching", backend.removeMatching(pattern), () => journal.addPatterns([pattern])),
        clear: journalled("clear", backend.clear, () => journal.addEverything())
      } satisfies CacheBackend["Service"],
      tags: {
        epoch: call("epoch", tags.epoch),
        markers: (list) => call("markers", tags.markers(list)),
        ensure: (list, ttl) => call("ensure", tags.ensure(list, ttl)),
        invalidate: (list) => journalled("invalidate", tags.invalidate(list), () => journal.addTags(list))
      } satisfies TagIndex["Service"]
    }
  })
