/**
 * Locks by name, on the same lease that guards a load.
 *
 * A lock is taken for a TTL and renewed at a third of it while its holder works, so a holder that dies frees it within
 * one TTL. Each acquisition has a random token; only who knows it can extend or release.
 *
 * **What it promises.** One holder at a time, as long as the store keeps what it acknowledged and the holder's process
 * gets to run. `withLock` interrupts its body when the lock's validity ends, counted on a monotonic clock from before
 * the command was sent.
 *
 * **What no lock with a time limit can promise**, this one and every other on Redis:
 *
 * - A process that is paused (garbage collection, a suspended machine, a blocked event loop) does not notice that its
 *   time ran out. Until it runs again, another holder may be at work. A write that it had sent cannot be recalled.
 * - Redis replicates asynchronously. After a failover the new primary may not know a lock that was acknowledged, and
 *   may grant it again while the first holder works; its fences may start again from an older number.
 * - A server whose clock jumps forward frees a lock early.
 *
 * So use a lock to avoid doing work twice. Where doing it twice would be wrong, send `lock.fence` along with each
 * write, and let the store that is written to refuse a fence lower than the highest it has seen.
 *
 * Waiting is by polling, and not fair: who asks first after the release gets the lock. Locks are not reentrant: taking
 * a name again while holding it waits for itself, as for anybody else.
 */
import { Clock, Context, Deferred, Duration, Effect, Exit, Fiber, Option, Random, type Scope } from "effect"
import { CacheError, InvalidOption, LockLost, WaitTimeout } from "../CacheError.ts"
import { makeTokens } from "../internal/token.ts"

/** A lock that is held. */
export interface Lock {
  readonly name: string
  /** Grows with every acquisition of the name, in every process: send it along, so a store can refuse older ones. */
  readonly fence: number
  /**
   * Milliseconds for which the lock is surely ours, counted on a monotonic clock from before the acquire, or the last
   * renewal that succeeded, was sent; less 1 % (at least 1 ms), in case our clock and the store's do not run alike. 0
   * when it is lost.
   */
  readonly remainingMillis: Effect.Effect<number>
}

export interface LockOptions {
  /**
   * How long the lock outlives a holder that died. Renewed at a third of it while the holder works. At least 10 ms, and
   * not infinite: otherwise `InvalidOption`. Default: `CacheConfig.lockTtl`.
   */
  readonly ttl?: Duration.Input | undefined
  /** How long to wait for a lock that is held. Zero: ask once. Negative: `InvalidOption`. Default: for ever. */
  readonly wait?: Duration.Input | undefined
}

/** The primitives behind `LockManager`, one implementation a backend. Names are any strings. */
export interface LockStore {
  /**
   * Takes the lock if it is free, or already held by `token` (a resent command). Returns the fencing token, which is
   * greater than every earlier one of the name, or `undefined` when somebody else holds it.
   */
  readonly acquire: (name: string, token: string, ttlMillis: number) => Effect.Effect<number | undefined, CacheError>
  /** Extends the lock to `ttlMillis` from now if `token` holds it. */
  readonly extend: (name: string, token: string, ttlMillis: number) => Effect.Effect<boolean, CacheError>
  /** Drops the lock if `token` holds it. */
  readonly release: (name: string, token: string) => Effect.Effect<boolean, CacheError>
}

export class LockManager extends Context.Service<
  LockManager,
  {
    /**
     * Holds the lock until the scope closes. Fails with `WaitTimeout` when `wait` runs out. Nothing is interrupted when
     * the lock is lost: look at `remainingMillis` before each step that needs it, or use `withLock`.
     */
    readonly acquire: (name: string, options?: LockOptions) => Effect.Effect<Lock, CacheError, Scope.Scope>
    /**
     * Runs `body` under the lock. Fails with `LockLost`, and interrupts the body, when the lock's validity ends first; a
     * body that succeeds after the end of validity fails with `LockLost` too. A release that fails does not change the
     * result: the lock then ends with its TTL.
     */
    readonly withLock: (
      name: string,
      options?: LockOptions
    ) => <A, E, R>(
      body: Effect.Effect<A, E, R> | ((lock: Lock) => Effect.Effect<A, E, R>)
    ) => Effect.Effect<A, E | CacheError, R>
  }
>()("effect-cache/LockManager") {}

/** Settings of the policy. */
export interface LockManagerOptions {
  /** The TTL of a lock that asks for none; the limits are those of `LockOptions.ttl`. */
  readonly defaultTtl: Duration.Duration
}

const TTL_MIN_MILLIS = 10
const POLL_MIN_MILLIS = 10
const POLL_MAX_MILLIS = 250

/** Doubles from `POLL_MIN_MILLIS`, and is spread over its upper half, so that those who wait do not come in step. */
const backoff = (attempt: number): Effect.Effect<number> =>
  Effect.map(
    Random.next,
    (random) => Math.min(POLL_MAX_MILLIS, POLL_MIN_MILLIS * 2 ** Math.min(attempt, 10)) * (0.5 + random / 2)
  )

const monotonicMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/** Timers have whole milliseconds; one that is cut would wake too early, and again and again. */
const sleepMillis = (millis: number) => Effect.sleep(Duration.millis(Math.max(1, Math.ceil(millis))))

const invalidOption = (option: string, actual: unknown, expected: string) =>
  new CacheError({ reason: new InvalidOption({ option, actual: String(actual), expected }) })

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
  Effect.map(monotonicMillis, (now) => Math.max(0, held.validUntil - now))

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
    const sentAt = yield* monotonicMillis
    if (sentAt >= held.validUntil) return
    const exit = yield* Effect.exit(store.extend(held.name, held.token, held.ttlMillis))
    if (Exit.isFailure(exit)) {
      failures++
    } else if (exit.value) {
      failures = 0
      // Not when validity ended meanwhile: the body has been told already.
      if (held.validUntil > (yield* monotonicMillis)) held.validUntil = validUntil(sentAt, held.ttlMillis)
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
    Effect.suspend(() => {
      const ttl = Duration.fromInput(lock?.ttl ?? options.defaultTtl)
      const ttlMillis = Option.isSome(ttl) ? Math.floor(Duration.toMillis(ttl.value)) : Number.NaN
      if (!(ttlMillis >= TTL_MIN_MILLIS && ttlMillis <= Number.MAX_SAFE_INTEGER)) {
        return Effect.fail(
          invalidOption("ttl", lock?.ttl ?? options.defaultTtl, `a finite duration of at least ${TTL_MIN_MILLIS} ms`)
        )
      }
      const wait = Duration.fromInput(lock?.wait ?? Duration.infinity)
      const waitMillis = Option.isSome(wait) ? Duration.toMillis(wait.value) : Number.NaN
      if (!(waitMillis >= 0)) {
        return Effect.fail(invalidOption("wait", lock?.wait, "a duration, zero or more"))
      }
      return Effect.succeed({ ttlMillis, waitMillis })
    })

  /** Polls until the lock is granted. Run it in an uninterruptible region, with that region's `restore`. */
  const take = Effect.fn("LockManager.acquire")(function*(
    restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
    name: string,
    lock: LockOptions | undefined
  ) {
    const { ttlMillis, waitMillis } = yield* check(lock)
    const token = yield* makeToken
    const deadline = (yield* monotonicMillis) + waitMillis
    for (let attempt = 0; ; attempt++) {
      // Validity is counted from before the send: the store may have started its TTL that early.
      const sentAt = yield* monotonicMillis
      const exit = yield* Effect.exit(restore(store.acquire(name, token, ttlMillis)))
      if (Exit.isFailure(exit)) {
        // Interrupted, timed out or cut off: the store may have granted it all the same, and nobody would release it.
        yield* release(store, name, token)
        return yield* Effect.failCause(exit.cause)
      }
      const now = yield* monotonicMillis
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
