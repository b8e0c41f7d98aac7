import { type Duration, Effect, Layer } from "effect"
import type { CacheError } from "../CacheError.ts"
import { invalidOptionAs } from "../internal/invalidOption.ts"
import { knownOptions, type Names } from "../internal/knownOptions.ts"
import { checked, positiveMillis, wholeNumber } from "../region/checks.ts"
import { assemble, buildStore, type CacheServices } from "./assemble.ts"

/** What `CacheFallback.layer` puts together. */
export interface FallbackOptions<E1, R1, E2, R2> {
  /** The layer that is used while it answers, such as `CacheRedis.layer(...)`. */
  readonly primary: Layer.Layer<CacheServices, E1, R1>
  /** The layer in this process that keeps values meanwhile, such as `CacheMemory.layer({ maxEntries: 1_000 })`. */
  readonly fallback: Layer.Layer<CacheServices, E2, R2>
  /** The longest a call to the primary takes. A primary with a shorter deadline keeps its own. Default: 1 second. */
  readonly timeout?: Duration.Input | undefined
  /**
   * How old a value of the fallback may be, counted from the start of its load: other processes' writes are not seen there. A
   * load that is older is not joined. Default: 10 seconds.
   */
  readonly fallbackTtl?: Duration.Input | undefined
  /** Failures in a row after which the primary is left alone. Default: 5. */
  readonly failureThreshold?: number | undefined
  /** The first pause before the primary is tried again; grows to eight times as long. Default: 500 milliseconds. */
  readonly retryAfter?: Duration.Input | undefined
  /**
   * Unacknowledged invalidations that are kept, at least 1. With more, or with more than 16 MB of them, the namespace is cleared
   * instead, and a warning says so. Default: 10,000.
   */
  readonly journalLimit?: number | undefined
}

const names: Names<FallbackOptions<never, never, never, never>> = {
  primary: 0,
  fallback: 0,
  timeout: 0,
  fallbackTtl: 0,
  failureThreshold: 0,
  retryAfter: 0,
  journalLimit: 0
}

/**
 * A primary that may fail, with memory to fall back to.
 *
 * While the primary answers, it alone is used. After some failures in a row, or one invalidation that was not
 * acknowledged, it is left alone: reads go to the fallback, loads are still one a key in this process, and invalidations
 * fail with `CacheError` and are written down. When it answers again, all that was written down is carried out, the
 * fallback is emptied, and only then is the primary trusted.
 *
 * A primary that fails in part is used for what it answers. What was loaded without it serves others only until it
 * answers again, whatever the question: since then it may have shown something newer.
 *
 * Of both layers the stores are used, with one client over them. A primary that was built before, for another use of
 * its layer, is shared; the fallback is one of its own.
 *
 * While the primary is away, the promise about invalidations holds within this process only: what others invalidate is
 * seen after `fallbackTtl` at the latest, counted from the start of a load to that of a read.
 *
 * What is to hear of a failure is the primary's alone, and fails while it is away: locks, what is asked for by name (`get` and `set`
 * of `CacheClient`, `peek`, invalidations), and the calls of regions with `onCacheError: "fail"`.
 *
 * @example
 * ```ts redis
 * import { Effect, Schema } from "effect"
 * import { cacheAside, CacheFallback, CacheMemory } from "effect-cache"
 * import { CacheRedis } from "effect-cache/redis"
 *
 * const layer = CacheFallback.layer({
 *   primary: CacheRedis.layer({ url: process.env.REDIS_URL, timeout: "250 millis" }),
 *   fallback: CacheMemory.layer({ maxEntries: 1_000 })
 * })
 * const answer = Effect.succeed(42).pipe(cacheAside({ key: "answer", schema: Schema.Number, ttl: "1 minute" }))
 * assert.equal(await Effect.runPromise(answer.pipe(Effect.provide(layer))), 42)
 * ```
 */
const layer = <E1, R1, E2, R2>(
  options: FallbackOptions<E1, R1, E2, R2>
): Layer.Layer<CacheServices, E1 | E2 | CacheError, R1 | R2> =>
  Layer.effectContext(
    Effect.gen(function*() {
      const [guard, spareTtlMillis] = yield* checked(() => {
        knownOptions(options, names)
        return [
          {
            timeoutMillis: positiveMillis("timeout", options.timeout ?? "1 second"),
            failureThreshold: wholeNumber("failureThreshold", options.failureThreshold ?? 5, 1),
            retryMillis: positiveMillis("retryAfter", options.retryAfter ?? "500 millis"),
            journalLimit: wholeNumber("journalLimit", options.journalLimit ?? 10_000, 1)
          },
          positiveMillis("fallbackTtl", options.fallbackTtl ?? "10 seconds")
        ] as const
      })
      // Fresh, so that a fallback which is also provided elsewhere is not emptied under its owner's feet.
      const primary = yield* buildStore(options.primary)
      const spare = yield* buildStore(options.fallback, { fresh: true })
      if (spare.backend.local === undefined) {
        return yield* invalidOptionAs(
          "fallback",
          `the backend ${spare.backend.name}`,
          "a backend in this process, such as CacheMemory.layer"
        )
      }
      return yield* assemble(primary, { guard, spare, spareKeeps: true, spareTtlMillis })
    })
  )

/** The layer of a primary that may fail, with memory to fall back to. */
export const CacheFallback = { layer } as const
