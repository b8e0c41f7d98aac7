import type { Duration } from "effect"
import type { CacheError } from "../CacheError.ts"
import type { AnyKey } from "../CacheKey.ts"
import type { OnCacheError, RegionOptions } from "../CacheRegion.ts"
import type { ADuration, AnOnTimeout, ARegion, BesideRegion } from "../internal/strings.ts"
import type { OnTimeout } from "../engine/contract.ts"
import type { DurationInput } from "../region/settings.ts"
import { leaseMillis, oneOf, positiveMillis } from "../region/checks.ts"
import { resolveUnsafe } from "../region/region.ts"
import { type First, makePattern, type Patterned, type ReadOptions, type Second } from "./cached.ts"
import type { FailureOf, Wrap } from "./shape.ts"

/** How a call waits for the load of its key by somebody else. */
export interface StampedeOptions<W extends OnTimeout = "load"> {
  /**
   * How long the lease outlives a process that died while loading; then another takes over. Renewed at a third of it, so
   * loads may take longer. From 10 milliseconds to a day. Default: `CacheConfig.lockTtl` (5 seconds).
   */
  readonly lockTtl?: DurationInput | ADuration | undefined
  /**
   * How long to wait for a load that began before the call, in this process or in another. Not bounded by it are who loads, and
   * those whose call came before its trip was sent. Positive. Default: `lockTtl` and one second; where the pattern sets no
   * `lockTtl`, `CacheConfig.lockTtl` or 30 seconds, whichever is longer, and one second. So the take-over after a crash comes first.
   */
  readonly waitTimeout?: DurationInput | ADuration | undefined
  /**
   * What to do after `waitTimeout`: `"load"` (default) without storing; `"fail"` with `CacheError` (`WaitTimeout`), which
   * the type gains. A holder that is still there a lease later counts as hung: its lease is taken over, and it may not store.
   */
  readonly onTimeout?: W | AnOnTimeout | undefined
}

type WaitFailureOf<W extends OnTimeout> = W extends "fail" ? CacheError : never

/** The signature of `stampedeProtect`: as `Pattern`, with more options and another error. */
export interface StampedeProtect {
  <
    const T extends AnyKey,
    A,
    I,
    RD = never,
    RE = never,
    F extends OnCacheError = "bypass",
    W extends OnTimeout = "load",
    const Ig extends string | number = never
  >(
    options: (RegionOptions<T, A, I, RD, RE, F> & StampedeOptions<W> & ReadOptions<Ig>) | ARegion
  ): Wrap<T, A, RD | RE, FailureOf<F> | WaitFailureOf<W>, Ig>
  <
    const L,
    const T extends AnyKey,
    A,
    I,
    RD = never,
    RE = never,
    F extends OnCacheError = "bypass",
    W extends OnTimeout = "load",
    const Ig extends string | number = never
  >(
    first: First<L, T, A, Ig>,
    second: Second<
      L,
      StampedeOptions<W> & ReadOptions<Ig> & BesideRegion,
      RegionOptions<T, A, I, RD, RE, F> & StampedeOptions<W> & ReadOptions<Ig>
    >
  ): Patterned<L, A, RD | RE, FailureOf<F>, WaitFailureOf<W>, Ig>
}

/**
 * Cache-aside with one load at a time among all processes that share the store. For hot keys and expensive loads.
 *
 * The first process takes a lease and loads; the others wait for it, for `waitTimeout` at most. When the holder dies, another
 * takes over within `lockTtl`. Loads of one process that need each other do not wait for each other; of other processes that is not
 * seen, and `waitTimeout` ends it. While the cache itself fails, each process loads for itself, once a key.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { CacheMemory, stampedeProtect } from "effect-cache"
 *
 * let loads = 0
 * const stats = Effect.sync(() => ++loads).pipe(
 *   Effect.delay("10 millis"),
 *   stampedeProtect({ key: "dashboard:stats", schema: Schema.Number, ttl: "5 minutes", lockTtl: "1 minute" })
 * )
 * const program = Effect.all(Array.from({ length: 100 }, () => stats), { concurrency: "unbounded" })
 * assert.deepEqual(new Set(await Effect.runPromise(program.pipe(Effect.provide(CacheMemory.layer())))), new Set([1]))
 * ```
 */
export const stampedeProtect: StampedeProtect = makePattern<StampedeOptions<OnTimeout>>(
  { lockTtl: 0, waitTimeout: 0, onTimeout: 0 },
  (options, extra) => {
    const { lockTtl, waitTimeout } = extra
    const onTimeout = oneOf("onTimeout", (extra.onTimeout ?? "load") as OnTimeout, ["load", "fail"])
    const region = resolveUnsafe(options)
    const lease = lockTtl === undefined ? undefined : leaseMillis("lockTtl", lockTtl as Duration.Input)
    const timeoutMillis =
      waitTimeout === undefined ? undefined : positiveMillis("waitTimeout", waitTimeout as Duration.Input)
    return (load) => ({ region, load, leaseMillis: lease, wait: { timeoutMillis, onTimeout }, memory: false })
  }
) as StampedeProtect
