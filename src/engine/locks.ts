/**
 * The policy of `LockManager` over a store of locks.
 */
import { Clock, Deferred, Duration, Effect, Exit, Fiber, Random } from "effect"
import { CacheError, LockLost, WaitTimeout } from "../CacheError.ts"
import { knownOptions, type Names } from "../internal/knownOptions.ts"
import { monotonicMillis } from "../internal/processTime.ts"
import { makeTokens } from "../internal/token.ts"
import { checked, millisBetween, millisOrZero } from "../region/checks.ts"
import { type Lock, LockManager, type LockOptions, type LockStore } from "../services/LockManager.ts"

/** Settings of the policy. */
export interface LockManagerOptions {
  /** The TTL of a lock that asks for none; the limits are those of `LockOptions.ttl`. */
  readonly defaultTtl: Duration.Duration
}

const names: Names<LockOptions> = { ttl: 0, wait: 0 }
const TTL_MIN_MILLIS = 10
const POLL_MIN_MILLIS = 10
const POLL_MAX_MILLIS = 250

/** Doubles from `POLL_MIN_MILLIS`, and is spread over its upper half, so that those who wait do not come in step. */
const backoff = (attempt: number): Effect.Effect<number> =>
  Effect.map(
    Random.next,
    (random) => Math.min(POLL_MAX_MILLIS, POLL_MIN_MILLIS * 2 ** Math.min(attempt, 10)) * (0.5 + random / 2)
  )

const monotonicNow: Effect.Effect<number> = Clock.clockWith((clock) => Effect.succeed(monotonicMillis(clock)))

/** Timers have whole milliseconds; one that is cut would wake too early, and again and again. */
const sleepMillis = (millis: number) => Effect.sleep(Duration.millis(Math.max(1, Math.ceil(millis))))

/** An acquisition that was granted. */
interface Held {
  readonly name: string
  readonly token: string
  readonly ttlMillis: number
  readonly fence: number
  /** Monotonic milliseconds; `-Infinity` once the lock is known to be lost. */
  validUntil: number
  readonly lost: Deferred.Deferred<void>
}

const validUntil = (sentAt: number, ttlMillis: number) => sentAt + ttlMillis - Math.max(1, ttlMillis / 100)

const remaining = (held: Held): Effect.Effect<number> =>
  Effect.map(monotonicNow, (now) => Math.max(0, held.validUntil - now))

const toLock = (held: Held): Lock => ({ name: held.name, fence: held.fence, remainingMillis: remaining(held) })

/** Best effort: when it fails, the lock ends with its TTL. */
const release = (store: LockStore, name: string, token: string): Effect.Effect<void> =>
  Effect.ignoreCause(store.release(name, token), { log: "Debug", message: "a lock was not released" })

const lose = (held: Held): Effect.Effect<void> =>
  Effect.suspend(() => {
    held.validUntil = Number.NEGATIVE_INFINITY
    return Effect.asVoid(Deferred.succeed(held.lost, undefined))
  })

/** Extends at a third of the TTL. An error is not a loss: it tries on until validity ends. A refusal is. */
const renew = Effect.fnUntraced(function*(store: LockStore, held: Held) {
  let failures = 0
  while (true) {
    const left = yield* remaining(held)
    if (left === 0) return
    yield* sleepMillis(Math.min(failures === 0 ? held.ttlMillis / 3 : yield* backoff(failures), left))
    // Validity is counted from before the send: the store may have started its TTL that early.
    const sentAt = yield* monotonicNow
    if (sentAt >= held.validUntil) return
    const exit = yield* Effect.exit(store.extend(held.name, held.token, held.ttlMillis))
    if (Exit.isFailure(exit)) {
      failures++
    } else if (exit.value) {
      failures = 0
      // Not when validity ended meanwhile: the body has been told already.
      if (held.validUntil > (yield* monotonicNow)) held.validUntil = validUntil(sentAt, held.ttlMillis)
    } else {
      return yield* lose(held)
    }
  }
})

/** Tells when validity ends. Apart from `renew`, because an extend may hang for longer than validity lasts. */
const watch = Effect.fnUntraced(function*(held: Held) {
  while (true) {
    const left = yield* remaining(held)
    if (left === 0) return yield* lose(held)
    yield* sleepMillis(left)
  }
})

/** The two fibers of a lock that is held; run it to stop them. */
const keep = (store: LockStore, held: Held): Effect.Effect<Effect.Effect<void>> =>
  Effect.map(Effect.all([Effect.forkDetach(renew(store, held)), Effect.forkDetach(watch(held))]), (fibers) =>
    Fiber.interruptAll(fibers)
  )

/**
 * The policy over a store of locks. Options of single calls are checked when they are run.
 */
export const make = (store: LockStore, options: LockManagerOptions): LockManager["Service"] => {
  const token = makeTokens()
  const makeToken: Effect.Effect<string> = Effect.sync(token)

  const check = (lock: LockOptions | undefined): Effect.Effect<{ ttlMillis: number; waitMillis: number }, CacheError> =>
    checked(() => {
      if (lock !== undefined) knownOptions(lock, names)
      return {
        ttlMillis: Math.floor(millisBetween("ttl", lock?.ttl ?? options.defaultTtl, TTL_MIN_MILLIS)),
        waitMillis: millisOrZero("wait", lock?.wait ?? Duration.infinity)
      }
    })

  /** Polls until the lock is granted. Run it in an uninterruptible region, with that region's `restore`. */
  const take = Effect.fn("LockManager.acquire")(function*(
    restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
    name: string,
    lock: LockOptions | undefined
  ) {
    const { ttlMillis, waitMillis } = yield* check(lock)
    const token = yield* makeToken
    const deadline = (yield* monotonicNow) + waitMillis
    for (let attempt = 0; ; attempt++) {
      // Validity is counted from before the send: the store may have started its TTL that early.
      const sentAt = yield* monotonicNow
      const exit = yield* Effect.exit(restore(store.acquire(name, token, ttlMillis)))
      if (Exit.isFailure(exit)) {
        // Interrupted, timed out or cut off: the store may have granted it all the same, and nobody would release it.
        yield* release(store, name, token)
        return yield* Effect.failCause(exit.cause)
      }
      const now = yield* monotonicNow
      if (exit.value !== undefined) {
        const held: Held = {
          name,
          token,
          ttlMillis,
          fence: exit.value,
          validUntil: validUntil(sentAt, ttlMillis),
          lost: Deferred.makeUnsafe()
        }
        if (held.validUntil > now) return held
        // The answer took longer than the TTL: it may be somebody else's by now.
        yield* release(store, name, token)
      }
      if (now >= deadline) return yield* new CacheError({ reason: new WaitTimeout({ name, millis: waitMillis }) })
      yield* restore(sleepMillis(Math.min(yield* backoff(attempt), deadline - now)))
    }
  })

  return LockManager.of({
    acquire: (name, lock) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          const held = yield* take(restore, name, lock)
          const stop = yield* keep(store, held)
          yield* Effect.addFinalizer(() => Effect.andThen(stop, release(store, name, held.token)))
          return toLock(held)
        })
      ),

    withLock:
      (name, lock) =>
      <A, E, R>(body: Effect.Effect<A, E, R> | ((lock: Lock) => Effect.Effect<A, E, R>)) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.gen(function*() {
            const held = yield* take(restore, name, lock)
            const stop = yield* keep(store, held)
            const work = Effect.suspend(() => (typeof body === "function" ? body(toLock(held)) : body))
            const lockLost = Effect.suspend(() => Effect.fail(new CacheError({ reason: new LockLost({ name }) })))
            // The race ends when its loser has ended, so the lock is released after the body's finalizers.
            const exit: Exit.Exit<A, E | CacheError> = yield* Effect.exit(
              restore(
                Effect.raceFirst(
                  work,
                  Effect.flatMap(Deferred.await(held.lost), () => lockLost)
                )
              )
            )
            const left = yield* remaining(held)
            yield* stop
            yield* release(store, name, held.token)
            return yield* Exit.isSuccess(exit) && left === 0 ? lockLost : exit
          })
        )
  })
}
