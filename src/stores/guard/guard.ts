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
import { Cause, Effect, Exit, Fiber, Option, Random, type Scope } from "effect"
import { CacheError, TimedOut, Unavailable } from "../../CacheError.ts"
import { matcherUnsafe } from "../../CacheKey.ts"
import { stepSize } from "../../internal/inSteps.ts"
import { isCarriedOut, twoPasses } from "../../protocol/passes.ts"
import { isNoRoom } from "../../internal/noRoom.ts"
import { checked } from "../../region/checks.ts"
import type { FastPath, Lookup } from "../../services/CacheBackend.ts"
import type { Primitives } from "../../services/CachePrimitives.ts"
import type { BreakerStats } from "../../services/CacheStats.ts"
import { type Around, around, type Call } from "../around.ts"
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
  /** The bytes they may take, about: keys are short, but tags and patterns need not be. */
  readonly journalBytes: number
}

export const guardDefaults: GuardOptions = {
  timeoutMillis: 1_000,
  failureThreshold: 5,
  retryMillis: 500,
  journalLimit: 10_000,
  journalBytes: 16 * 1024 * 1024
}

/** Keys or tags of one call where each call may have to wait for replicas, which may take long. */
const replicatedStep = 8_192

/**
 * Whether the primary has answered. A no to one key, such as an epoch at its end, is an answer: invalidations go to it, because one
 * of them may be the way out.
 */
const isAnswer = (exit: Exit.Exit<unknown, CacheError>): boolean => {
  if (Exit.isSuccess(exit)) return true
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  return isNoRoom(error) || error?.reason._tag === "InvalidKey"
}

/** A call of many keys or tags, or a part of it. */
interface Part {
  readonly of: Call
  readonly self: Effect.Effect<unknown, CacheError>
}

export interface Guarded extends Primitives {
  /**
   * How often the primary has answered. What was loaded without it before its last answer may be older than what has been
   * read from it since. A count, because two things within one millisecond have an order, too.
   */
  readonly answers: () => number
  readonly breaker: () => BreakerStats
}

/** The guarded primitives. `onReturn` runs before the primary is trusted again. */
export const guard = (
  primary: Primitives,
  options: GuardOptions,
  onReturn: Effect.Effect<void>
): Effect.Effect<Guarded, never, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const context = yield* Effect.context<never>()
    const journal = new Journal({ count: options.journalLimit, bytes: options.journalBytes })
    const { name } = primary.backend
    let away = false
    // The primary answers again, and the journal is being replayed. Invalidations go to it already, because those that
    // came during a replay would keep it from ever ending.
    let answering = false
    let failures = 0
    let answers = 0

    const heldOff = (operation: string): CacheError =>
      new CacheError({
        reason: new Unavailable({ backend: name, operation, cause: new Error("held off until the primary is back") })
      })

    const within = <A>(
      operation: string,
      self: Effect.Effect<A, CacheError>,
      millis: number = options.timeoutMillis
    ): Effect.Effect<A, CacheError> =>
      Effect.timeoutOrElse(self, {
        duration: millis,
        orElse: () => Effect.fail(new CacheError({ reason: new TimedOut({ backend: name, operation, millis }) }))
      })
    const { deadlineMillis, replicationMillis = 0 } = primary.backend
    const bounded: typeof within =
      deadlineMillis !== undefined && deadlineMillis <= options.timeoutMillis ? (_, self) => self : within
    // What waits for replicas may take so much longer: it ends as `NotReplicated`, which ends no trust.
    const boundedWrite: typeof within = (operation, self) =>
      replicationMillis === 0
        ? bounded(operation, self)
        : within(operation, self, options.timeoutMillis + replicationMillis)
    // A scan is many commands, each with the deadline of the primary; together they may take long.
    const boundedScan: typeof within =
      deadlineMillis !== undefined
        ? (_, self) => self
        : (operation, self) => within(operation, self, options.timeoutMillis * 60)

    const warnIfFull = Effect.suspend(() =>
      journal.takeOverflow()
        ? Effect.logWarning(
            `effect-cache: too many invalidations to write down while ${name} is away, so all of its namespace is ` +
              "cleared when it is back",
            { limit: options.journalLimit, bytes: options.journalBytes }
          )
        : Effect.void
    )

    const tryAgain = (pause: number): Effect.Effect<void> =>
      Effect.flatMap(Random.next, (random) =>
        Effect.sleep(pause * (0.75 + random / 2)).pipe(
          Effect.andThen(Effect.exit(within("probe", primary.tags.epoch))),
          Effect.flatMap((exit) => {
            answering = isAnswer(exit)
            return answering ? comeBack(pause) : tryAgain(Math.min(pause * 2, options.retryMillis * 8))
          })
        )
      )

    const comeBack = (pause: number): Effect.Effect<void> =>
      Effect.flatMap(Effect.exit(journal.replay(primary)), (exit) => {
        if (Exit.isFailure(exit)) {
          answering = isAnswer(exit)
          const again = tryAgain(Math.min(pause * 2, options.retryMillis * 8))
          const said = Effect.logDebug(`effect-cache: the replay on ${name} failed`, exit.cause)
          return Effect.andThen(Effect.andThen(warnIfFull, said), again)
        }
        // Something may have been journalled meanwhile, also while the fallback is being cleared.
        return Effect.andThen(
          onReturn,
          Effect.suspend(() => {
            if (!journal.isEmpty) return comeBack(pause)
            away = false
            answering = false
            failures = 0
            return Effect.logInfo(`effect-cache: ${name} is back`)
          })
        )
      })

    const leave = (error: CacheError | undefined): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (away) return Effect.void
        away = true
        // One warning an outage: that it is unavailable, the backend has said already.
        const log = error?.reason._tag === "Unavailable" ? Effect.logInfo : Effect.logWarning
        return Effect.andThen(
          log(
            `effect-cache: ${name} is away, carrying on without it: ${error?.message ?? "an invalidation broke off"}`
          ),
          Effect.forkIn(tryAgain(options.retryMillis), scope)
        )
      })

    // Also when the trust has ended meanwhile: its caller has seen what the primary holds.
    const answered = (): void => {
      answers++
      failures = 0
    }

    // Made once: it is the same for all calls.
    const outcome = {
      onFailure: (error: CacheError) => {
        const counts = error.reason._tag === "Unavailable" || error.reason._tag === "TimedOut"
        const failed = Effect.fail(error)
        return counts && ++failures >= options.failureThreshold ? Effect.andThen(leave(error), failed) : failed
      },
      onSuccess: (value: unknown) => {
        answered()
        return Exit.succeed(value)
      }
    }

    const outcomeOf = <A>() =>
      outcome as { readonly onFailure: typeof outcome.onFailure; readonly onSuccess: (value: A) => Exit.Exit<A> }

    /** A call to the primary, while it is trusted. */
    const call = <A>(
      operation: string,
      self: Effect.Effect<A, CacheError>,
      bound: typeof within = bounded
    ): Effect.Effect<A, CacheError> =>
      Effect.suspend(() =>
        away ? Effect.fail(heldOff(operation)) : Effect.matchEffect(bound(operation, self), outcomeOf<A>())
      )

    /** What a call is given: a scan is many commands, and what must last waits for replicas. */
    const boundOf = (of: Call): typeof within => {
      switch (of.operation) {
        case "removeMatching":
        case "removeMatchingAny":
        case "clear":
          return boundedScan
        case "remove":
        case "invalidate":
          return boundedWrite
        case "takeOver":
          return of.args[3] === "refresh" ? bounded : boundedWrite
        case "fill":
          return of.args[3] === "keep" ? bounded : boundedWrite
        case "release":
          return of.args[2] === "unlink" ? boundedWrite : bounded
        default:
          return bounded
      }
    }

    const note = (of: Call): void => {
      switch (of.operation) {
        case "remove":
          return journal.addKeys(of.args[0])
        case "removeMatching":
          return journal.addPatterns([of.args[0]])
        case "removeMatchingAny":
          return journal.addPatterns(of.args[0])
        case "invalidate":
          return journal.addTags(of.args[0])
        default:
          return journal.addEverything()
      }
    }

    const step = replicationMillis === 0 ? stepSize : replicatedStep

    /** Many keys or tags are several calls, each within a deadline. */
    const partsOf = (of: Call, self: Effect.Effect<unknown, CacheError>): ReadonlyArray<Part> => {
      if ((of.operation !== "remove" && of.operation !== "invalidate") || of.args[0].length <= step) {
        return [{ of, self }]
      }
      const [list] = of.args
      return Array.from({ length: Math.ceil(list.length / step) }, (_, i): Part => {
        const args = [list.slice(i * step, (i + 1) * step)] as const
        return of.operation === "remove"
          ? { of: { ...of, args }, self: primary.backend.remove(...args) }
          : { of: { ...of, args }, self: primary.tags.invalidate(...args) }
      })
    }

    /**
     * An invalidation: what is not acknowledged, and only that, is written down before the caller hears of it. It runs in the
     * scope of the client, so that it is seen to its end also when its caller does not wait.
     */
    const journalled = <A>(of: Call, whole: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> => {
      const work = Effect.gen(function*() {
        const parts = partsOf(of, whole)
        const bound = boundOf(of)
        let outcome: unknown
        let lagging: CacheError | undefined
        for (const [i, { self }] of parts.entries()) {
          if (i > 0) yield* Effect.yieldNow
          const exit = yield* Effect.exit(
            away && answering ? bound(of.operation, self) : call(of.operation, self, bound)
          )
          if (Exit.isSuccess(exit)) {
            outcome = i > 0 && typeof exit.value === "number" ? exit.value + Number(outcome ?? 0) : exit.value
            continue
          }
          const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
          if (isCarriedOut(error)) {
            lagging ??= error
            continue
          }
          for (const left of parts.slice(i)) note(left.of)
          yield* warnIfFull
          // Interrupted: the client is being closed.
          if (!Cause.hasInterruptsOnly(exit.cause)) yield* leave(error)
          return yield* Effect.failCause(exit.cause)
        }
        return lagging === undefined ? (outcome as A) : yield* Effect.fail(lagging)
      })
      // A scope that is closed runs nothing; one that is closing waits for it.
      return Effect.suspend(() =>
        scope.state._tag === "Closed"
          ? Effect.uninterruptible(work)
          : Effect.flatMap(Effect.forkIn(work, scope, { startImmediately: true, uninterruptible: true }), Fiber.join)
      )
    }

    const guarding: Around = (of, self) =>
      of.operation === "awaitRelease"
        ? // A hint that cannot be had is waited for like one that is lost: callers poll.
          self
        : of.operation === "removeMatching" || of.operation === "removeMatchingAny"
          ? Effect.andThen(
              // What is no pattern can never be carried out, and must not be written down.
              checked(() => (of.operation === "removeMatching" ? [of.args[0]] : of.args[0]).map(matcherUnsafe)),
              journalled(of, twoPasses(self))
            )
          : of.kind === "invalidation"
            ? journalled(of, self)
            : call(of.operation, self, boundOf(of))

    /** As `call`. */
    const guardLookup =
      (fast: FastPath): NonNullable<FastPath["lookup"]> =>
      (key, list, done) => {
        if (away) return done(Exit.fail(heldOff("lookup")))
        let told = false
        const tell = (exit: Exit.Exit<Lookup, CacheError>): void => {
          if (told) return
          told = true
          if (Exit.isSuccess(exit)) answered()
          else {
            const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
            if (error !== undefined) Effect.runForkWith(context)(Effect.ignore(outcome.onFailure(error)))
          }
          done(exit)
        }
        try {
          fast.lookup!(key, list, tell)
        } catch (defect) {
          // Whoever waits must hear of it. What is thrown by those who were told is not of the store.
          if (told) throw defect
          tell(Exit.die(defect))
        }
      }

    const { backend, tags } = around(primary, guarding)
    const under = primary.backend.fast
    // Where a call must be timed here, the parts of a look-up are.
    const fast =
      under?.lookup === undefined || bounded === within ? backend.fast : { ...backend.fast, lookup: guardLookup(under) }
    const breaker = (): BreakerStats => ({
      state: away ? (answering ? "replaying" : "away") : "trusted",
      journal: journal.length
    })
    return { answers: () => answers, breaker, backend: { ...backend, fast }, tags }
  })
