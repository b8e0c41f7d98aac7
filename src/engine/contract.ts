/**
 * What a pattern says to the engine: a plan made once, a request for each call. Everything above the engine goes this way.
 */
import { Effect, type Exit, type Fiber, type Option } from "effect"
import type { CacheError } from "../CacheError.ts"
import type { AnyEffect, AnyFunction } from "../internal/erased.ts"
import { absent } from "../internal/stamp.ts"
import type { Meter } from "../observe/hitSeries.ts"
import type { Region } from "../region/region.ts"
import type { Intent } from "../services/CacheBackend.ts"
import type { CacheClient } from "../services/CacheClient.ts"

/** What a stampede-protected call does when the lease is held elsewhere for longer than it wants to wait. */
export type OnTimeout = "load" | "fail"

/** What a pattern wraps: a loader, how its arguments become a key, and how patient it is. Made once per wrapped function. */
export interface Plan {
  readonly region: Region
  readonly load: AnyFunction
  /** Milliseconds; `undefined` for `CacheConfig.lockTtl`. */
  readonly leaseMillis: number | undefined
  /**
   * How long to wait for the load of somebody else; its default is made by `limitOf`. `undefined`: in this process as long as it
   * takes, and for another process not at all.
   */
  readonly wait:
    | {
        readonly timeoutMillis: number | undefined
        readonly onTimeout: OnTimeout
        /** For how many loads of others that leave no entry it waits, before it loads alone. `undefined`: for any number. */
        readonly loads?: number | undefined
      }
    | undefined
  /** Keep values in memory while the cache fails. */
  readonly memory: boolean
  /** A refresh leaves a lease that somebody holds to its holder, and then loads without storing. */
  readonly yields?: boolean | undefined
  /** Told with the arguments of a call that a read has found an entry, but an invalidation had overtaken it. Must not throw. */
  readonly overtaken?: ((...args: ReadonlyArray<never>) => void) | undefined
  /** Told with the arguments of a load that its fill was refused. Must not throw. */
  readonly refused?: ((...args: ReadonlyArray<never>) => void) | undefined
}

/** Whether its calls are to hear that the store has failed. */
export const mustFail = ({ memory, region }: Plan): boolean => region.onCacheError === "fail" && !memory

/** One call of a wrapped function. */
export interface Request {
  readonly plan: Plan
  readonly key: string
  readonly args: ReadonlyArray<unknown>
  /** The `this` of the call, which is the loader's too. No key is made of it. */
  readonly receiver: unknown
  /** What the functions of the region see of it: of the asking that made its key. See `FromArguments.callOf`. */
  readonly params: unknown
}

/** A call that goes by the cache. */
export type Uncached = Omit<Request, "key" | "params">

/** Calls the loader as the wrapped function was called. */
export const callLoader = ({ args, plan, receiver }: Uncached): AnyEffect => {
  const loaded: unknown = Reflect.apply(plan.load, receiver, args)
  return Effect.isEffect(loaded) ? loaded : noEffect(plan, loaded)
}

/** Of who has no types. Nothing of the value is said, which may be anybody's. */
const noEffect = ({ load, region }: Plan, loaded: unknown): AnyEffect => {
  const isPromise = loaded instanceof Promise
  // It has no other listener: if it is rejected, it must not end the process.
  if (isPromise) loaded.catch(() => {})
  const what = isPromise
    ? "a Promise: use Effect.tryPromise"
    : `no effect, but ${loaded === null ? "null" : typeof loaded}: use Effect.succeed`
  return Effect.die(
    new TypeError(
      `effect-cache: the loader${load.name === "" ? "" : ` ${load.name}`} of ${JSON.stringify(region.name)} returned ${what}`
    )
  )
}

/** A call of a write. */
export interface WriteRequest extends Omit<Request, "key"> {
  /** The keys whose slots it holds, as callers give them (`normalEach`); or what is wrong with all of them. */
  readonly keys: ReadonlyArray<string> | CacheError
  /** Whether it leaves its value in its one slot. Otherwise they are empty after it. */
  readonly fills: boolean
  /** What it makes invalid whatever it returns, where that is to be known to others before it: they see to it if it dies. */
  readonly intent?: Intent | undefined
  /**
   * Of a create: the parameters of the key of what was written, which is known only then. No slot is held, and that of this key is
   * emptied. What it throws is a defect of the call.
   */
  readonly keyOf?: ((value: unknown) => unknown) | undefined
  /** The tags of the entries that it replaces, and of that which its value makes, are made old by it. */
  readonly ownTags?: boolean | undefined
  /** Its lists may ask for the value that it replaces. */
  readonly asksPrevious?: boolean | undefined
}

/** How a write has ended, as its lists see it. */
export interface Written {
  readonly exit: Exit.Exit<unknown, unknown>
  /** The parameters of its key. Throws what `keyOf` threw, or what is wrong with `keys` where there are none. */
  readonly params: () => unknown
  /** The value that was replaced. Throws when that has to be waited for; then the lists are made again. */
  readonly previous: () => Option.Option<unknown>
}

/** What a write makes old. */
export type ListsOf = (written: Written) => Invalidations

/** What a completed write makes invalid besides its own entry. */
export interface Invalidations {
  readonly keys: ReadonlyArray<string>
  readonly patterns: ReadonlyArray<string>
  readonly tags: ReadonlyArray<string>
  /** What a function that makes a list threw: a defect of the call, once the other lists are done with. */
  readonly thrown?: { readonly error: unknown } | undefined
  /** What is wrong with lists that functions made. They are left out. */
  readonly refused?: ReadonlyArray<CacheError> | undefined
}

/** When a hit is asked for, and where it is counted. A `Moment` is one. */
export interface When extends Meter {
  readonly now: () => number
}

/** The policy behind a client. */
export interface Engine {
  /** What `.invalidate` and `.clear` of a cached function do. */
  readonly invalidate: (
    region: Region,
    what: { readonly key: string } | { readonly pattern: string }
  ) => Effect.Effect<void, CacheError>

  /**
   * The value of a valid entry that can be handed out as it is, without a trip: counted as a hit. `absent`: go the way of a
   * read. `when` is not kept.
   */
  readonly hit: (region: Region, key: string, when: When) => unknown

  /** The way of a read, in the evaluation of the fiber that asks. */
  readonly getOrLoad: (
    request: Request,
    fiber: Fiber.Fiber<unknown, unknown>
  ) => Effect.Effect<unknown, unknown, unknown>

  /** What becomes of a call that cannot be cached because of `error`: counted, then loaded or failed. */
  readonly bypass: (call: Uncached, error: CacheError) => Effect.Effect<unknown, unknown, unknown>

  /** Loads now, stores, returns. */
  readonly refresh: (request: Request) => Effect.Effect<unknown, unknown, unknown>

  /** Runs a write, then stores its result and invalidates what it made stale. */
  readonly write: (request: WriteRequest, lists: ListsOf) => Effect.Effect<unknown, unknown, unknown>

  /** The valid entry of a key, without a load. */
  readonly peek: (region: Region, key: string) => Effect.Effect<Option.Option<unknown>, CacheError, unknown>
}

/**
 * Where a client keeps its engine: a property that no type shows, and that a copy of the client (`{ ...client, set }`) has too.
 * Of this copy of the module alone: another one, or another version, has words of its own for what is not there.
 */
const engineKey = Symbol("effect-cache/Engine")

interface Carrier {
  readonly [engineKey]?: Engine | undefined
}

/** The client, with its engine. */
export const withEngine = (client: CacheClient["Service"], engine: Engine): CacheClient["Service"] =>
  Object.assign(client, { [engineKey]: engine })

/** The engine of a client. One that has none, such as a mock, gets one whose every step is a defect that says so. */
export const engineOf = (client: CacheClient["Service"]): Engine => {
  const engine = (client as Carrier)[engineKey]
  return typeof engine?.getOrLoad === "function" && typeof engine.hit === "function" ? engine : noEngine
}

const missing = Effect.suspend(() =>
  Effect.die(
    new Error(
      "effect-cache: the CacheClient that was provided was made by no layer of effect-cache, so cached functions cannot go " +
        "through it. In tests, provide CacheTest.layer; to change a client, copy it: { ...client, set }."
    )
  )
)

const noEngine: Engine = {
  hit: () => absent,
  invalidate: () => missing,
  getOrLoad: () => missing,
  bypass: () => missing,
  refresh: () => missing,
  write: () => missing,
  peek: () => missing
}
