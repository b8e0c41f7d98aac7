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
import { Context, type Duration, type Effect, type Scope } from "effect"
import type { CacheError } from "../CacheError.ts"

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

/** For how long a lock is taken at a time, and how long to wait for it. */
export interface LockOptions {
  /**
   * How long the lock outlives a holder that died. Renewed at a third of it while the holder works. At least 10 ms, and
   * not infinite: otherwise `InvalidOption`. Default: `CacheConfig.lockTtl`, which is that of leases, too (5 seconds).
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

/** Locks by name among all processes that share the store, each with a TTL and a fencing token. */
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
