/**
 * What a pattern says to the engine: a plan made once, a request for each call. Everything above the engine goes this way.
 */
import type { Effect, Exit, Fiber, Option } from "effect"
import type { CacheError } from "../CacheError.ts"
import type { AnyFunction } from "../internal/erased.ts"
import type { Region } from "../region/region.ts"
import type { CacheClient, CacheEngine } from "../services/CacheClient.ts"
import type { Moment } from "./moment.ts"

/** What a stampede-protected call does when the lease is held elsewhere for longer than it wants to wait. */
export type OnTimeout = "load" | "fail" | "stale"

/** What a pattern wraps: a loader, how its arguments become a key, and how patient it is. Made once per wrapped function. */
export interface Plan {
  readonly region: Region
  readonly load: AnyFunction
  /** Milliseconds; `undefined` for `CacheConfig.lockTtl`. */
  readonly leaseMillis: number | undefined
  /** Wait for a holder in another process, by default for the lease and a second. `undefined`: load without storing. */
  readonly wait: { readonly timeoutMillis: number | undefined; readonly onTimeout: OnTimeout } | undefined
  /** Keep values in memory while the cache fails. */
  readonly memory: boolean
  /** A refresh leaves a lease that somebody holds to its holder, and then loads without storing. */
  readonly yields?: boolean | undefined
  /** Told with the arguments of a load that its fill was refused. Must not throw. */
  readonly refused?: ((...args: ReadonlyArray<never>) => void) | undefined
}

/** One call of a wrapped function. */
export interface Request {
  readonly plan: Plan
  readonly key: string
  readonly args: ReadonlyArray<unknown>
}

/** What the region's functions get as `params`: the first argument by name, or the arguments by position. */
export const paramsOf = ({ args, plan }: Pick<Request, "args" | "plan">): unknown =>
  plan.region.key.positional ? args : (args[0] ?? {})

/** A call of a write: with its key, or with what is wrong with it. */
export interface WriteRequest extends Omit<Request, "key"> {
  readonly key: string | CacheError
}

/** What a completed write makes invalid besides its own entry. */
export interface Invalidations {
  readonly keys: ReadonlyArray<string>
  readonly patterns: ReadonlyArray<string>
  readonly tags: ReadonlyArray<string>
  /** What a function that makes a list threw: a defect of the call, once the other lists are done with. */
  readonly thrown?: { readonly error: unknown } | undefined
}

/** The engine behind a client. */
export interface Engine extends CacheEngine {
  /** What `.invalidate` and `.clear` of a cached function do: for patterns. */
  readonly invalidate: (
    region: Region,
    what: { readonly key: string } | { readonly pattern: string }
  ) => Effect.Effect<void, CacheError>

  /**
   * The value of a valid entry that can be handed out as it is, without a trip: counted as a hit. `absent`: go the way of a
   * read. For patterns, which keep nothing of the moment.
   */
  readonly hit: (region: Region, key: string, moment: Moment) => unknown

  /** The way of a read, in the evaluation of the fiber that asks: for patterns. */
  readonly getOrLoad: (
    request: Request,
    fiber: Fiber.Fiber<unknown, unknown>
  ) => Effect.Effect<unknown, unknown, unknown>

  /** What becomes of a call that cannot be cached because of `error`: counted, then loaded or failed. For patterns. */
  readonly bypass: (
    plan: Plan,
    args: ReadonlyArray<unknown>,
    error: CacheError
  ) => Effect.Effect<unknown, unknown, unknown>

  /** Loads now, stores, returns: for patterns. */
  readonly refresh: (request: Request) => Effect.Effect<unknown, unknown, unknown>

  /** Runs a write, then stores its result and invalidates what it made stale: for patterns. */
  readonly write: (
    request: WriteRequest,
    invalidations: (exit: Exit.Exit<unknown, unknown>) => Invalidations
  ) => Effect.Effect<unknown, unknown, unknown>

  /** The valid entry of a key, without a load: for patterns. */
  readonly peek: (region: Region, key: string) => Effect.Effect<Option.Option<unknown>, CacheError, unknown>
}

export const engineOf = (client: CacheClient["Service"]): Engine => client.engine as Engine
