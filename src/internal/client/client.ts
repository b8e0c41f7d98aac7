/**
 * Builds a `CacheClient` over its stores.
 */
import { Cause, Clock, Duration, Effect, Exit, type Fiber, Metric, Option, type Scope, Tracer } from "effect"
import type { CacheSettings } from "../../CacheConfig.ts"
import { CacheError } from "../../CacheError.ts"
import { matcherUnsafe, normalizeKey } from "../../CacheKey.ts"
import { makeUnsafe, positiveMillis, type Region } from "../region.ts"
import { CacheClient } from "../../services/CacheClient.ts"
import { codecOf } from "../entryCodec.ts"
import type { AnyCodec } from "../erased.ts"
import { makeTokens } from "../token.ts"
import { board, Flight, launch } from "./flights.ts"
import {
  CurrentLoads,
  fly,
  isLoading,
  type LoadContext,
  loadUnstored,
  type Plan,
  renewNow,
  type Request,
  StoreFailure
} from "./load.ts"
import { Counters } from "./stats.ts"
import { cloneOf, type Primitives, Store, type StoreOptions } from "./store.ts"
import { makeWrite } from "./write.ts"

export interface ClientOptions {
  readonly primary: Primitives
  readonly settings: CacheSettings
  /**
   * In-process primitives beside a primary that stores bytes: `local` for values that never leave the process, `spare` for
   * what goes on while the primary fails.
   */
  readonly inProcess?: { readonly local: Primitives; readonly spare: Primitives } | undefined
  /** Whether the spare keeps what every pattern loads while the primary fails, or only what `memoize` does. */
  readonly spareKeeps?: boolean | undefined
  /** The longest TTL in the spare, in milliseconds. Default 10 seconds. */
  readonly spareTtlMillis?: number | undefined
  /** For tests: a value that does not come back from its schema as the same is a defect. */
  readonly same?: StoreOptions["same"]
}

/** The label of what `CacheClient.get` and `set` do, which belong to no region. */
const manual = "(client)"

const invalidationCounter = (kind: "key" | "pattern" | "tag" | "clear") =>
  Metric.counter("effect_cache_invalidations_total", {
    description: "Invalidations by kind",
    incremental: true,
    attributes: { kind }
  })
const invalidated = {
  key: invalidationCounter("key"),
  pattern: invalidationCounter("pattern"),
  tag: invalidationCounter("tag"),
  clear: invalidationCounter("clear")
}

const nativeTracer = Tracer.Tracer.defaultValue()

/** A span, where somebody looks at spans: opening one that nobody sees would cost more than a hit. */
const spanned = <A, E, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  name: string,
  attributes: Record<string, unknown>,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  fiber.getRef(Tracer.Tracer) === nativeTracer && fiber.cache.span === undefined
    ? self
    : (Effect.withSpan(self, name, { attributes, captureStackTrace: false }) as Effect.Effect<A, E, R>)

/** What throws a `CacheError` fails with it; anything else is a defect. */
const attempt = <A>(f: () => A): Effect.Effect<A, CacheError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(f())
    } catch (error) {
      return error instanceof CacheError ? Effect.fail(error) : Effect.die(error)
    }
  })

const anonymous = { ...makeUnsafe({ key: "client", schema: undefined }), name: manual }

/** A region for a key that belongs to none. */
const regionOf = (
  schema: AnyCodec,
  options?: {
    readonly ttl?: Duration.Input | undefined
    readonly tags?: ReadonlyArray<string> | undefined
  }
): Region => {
  const codec = codecOf(schema)
  return {
    ...anonymous,
    codec: codec as Region["codec"],
    fingerprint: codec.fingerprint,
    ttl: options?.ttl === undefined ? undefined : positiveMillis("ttl", options.ttl),
    staticTags: [...new Set(options?.tags ?? [])]
  }
}

export const makeClient: (options: ClientOptions) => Effect.Effect<CacheClient["Service"], never, Scope.Scope> =
  Effect.fnUntraced(function*(options: ClientOptions) {
    const primary = new Store(options.primary, { same: options.same })
    const local = options.inProcess === undefined ? primary : new Store(options.inProcess.local)
    const spare =
      options.inProcess === undefined
        ? primary
        : new Store(options.inProcess.spare, { maxTtlMillis: options.spareTtlMillis ?? 10_000 })
    const stores = [...new Set([primary, local, spare])]
    const beside = stores.filter((store) => store !== primary)
    const layer = primary.backend.name
    const counters = new Counters(layer)

    const context: LoadContext = {
      makeToken: makeTokens(),
      defaultTtlMillis: Duration.toMillis(options.settings.defaultTtl),
      defaultLeaseMillis: Duration.toMillis(options.settings.lockTtl),
      counters: (region) => counters.of(region.name),
      record: (region, error) => record(region.name, error)
    }

    const record = (region: string, error: CacheError): Effect.Effect<void> =>
      Effect.withFiber((fiber) => {
        counters.of(region).error(error, fiber.context)
        // A store that fails is reported by its guard, once an outage; a bad key may be what a client sent. What is left is
        // a mistake in the program, and worth a line each.
        const expected = error.reason._tag !== "EncodeFailed" && error.reason._tag !== "InvalidOption"
        const name = error.reason._tag
        // The message may quote the value that did not encode, which is nothing for a log that others read.
        const details = Effect.logDebug("effect-cache: cache failure", { region, reason: error.message })
        return expected
          ? details
          : Effect.andThen(Effect.logWarning("effect-cache: cache failure", { region, reason: name }), details)
      })

    /** A value on its way to a caller: the object itself, or a copy where callers must not share. */
    const handOut = (store: Store, region: Region, value: unknown): Effect.Effect<unknown, unknown, unknown> =>
      store.backend.format === "values" && store.backend.isolation === "clone"
        ? Effect.catch(cloneOf(region, value), () => Effect.succeed(value))
        : Exit.succeed(value)

    const getOrLoad = (request: Request, fiber: Fiber.Fiber<unknown, unknown>) =>
      readThrough(request.plan.region.codec === undefined ? local : primary, request, fiber)

    const readThrough = (
      store: Store,
      request: Request,
      fiber: Fiber.Fiber<unknown, unknown>
    ): Effect.Effect<unknown, unknown, unknown> => {
      const {
        key,
        plan: { region }
      } = request
      if (store.backend.local !== undefined) {
        const found = store.readLocal(region, key, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())
        const stats = counters.of(region.name)
        if (typeof found === "object") {
          stats.hit(fiber.context)
          return handOut(store, region, found.value)
        }
        stats.miss(found, fiber.context)
        return share(store, request, fiber)
      }
      return Effect.matchEffect(
        spanned(
          fiber,
          "cache.read",
          { "cache.region": region.name, "cache.key": key, "cache.layer": layer },
          store.read(region, key)
        ),
        {
          onFailure: (error) => degrade(store, request, error),
          onSuccess: (found) => {
            const stats = counters.of(region.name)
            if (typeof found === "object") {
              stats.hit(fiber.context)
              return Exit.succeed(found.value)
            }
            stats.miss(found, fiber.context)
            return share(store, request, fiber)
          }
        }
      )
    }

    /** A miss: joins the load of this key, or starts one, in the evaluation that decided it. */
    const share = (
      store: Store,
      request: Request,
      fiber: Fiber.Fiber<unknown, unknown>
    ): Effect.Effect<unknown, unknown, unknown> => {
      const { key, plan } = request
      const { region } = plan
      if (isLoading(fiber.getRef(CurrentLoads), store, key)) return loadUnstored(context, store, request)
      return Effect.callback<unknown, unknown, unknown>((resume) => {
        const party = { codec: region.codec, source: plan }
        const { local } = store.backend
        const holder = local?.holder(key)
        // Join: on a flight whose trip is still to come, or, where a trip is a look at memory, by its holder and epoch.
        let flight =
          local === undefined
            ? store.flights.open(key, party, "load")
            : holder === undefined
              ? undefined
              : store.flights.joinable(key, party, holder, local.epoch())
        if (flight === undefined) {
          flight = new Flight(key, context.makeToken(), party, "load")
          launch(
            store.flights,
            flight,
            fiber,
            spanned(
              fiber,
              "cache.load",
              { "cache.region": region.name, "cache.key": key, "cache.layer": layer },
              fly(context, store, flight, request, keeps(store, plan))
            )
          )
        } else {
          counters.of(region.name).counts.shared++
        }
        const boarded = flight
        return board(flight, resume, (exit) => settle(store, request, boarded, exit))
      })
    }

    const settle = (
      store: Store,
      request: Request,
      flight: Flight,
      exit: Exit.Exit<unknown, unknown>
    ): Effect.Effect<unknown, unknown, unknown> => {
      if (Exit.isSuccess(exit)) return handOut(store, request.plan.region, exit.value)
      const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
      if (error instanceof StoreFailure) return degrade(store, request, error.error)
      // A failure belongs to the function that failed: another function that shared its load looks again for itself.
      return flight.party.source === request.plan ? exit : Effect.withFiber((fiber) => getOrLoad(request, fiber))
    }

    /** The store failed before a load started: carry on in this process, where one load a key is still the rule. */
    const degrade = (
      store: Store,
      request: Request,
      error: CacheError,
      again: typeof refreshOn = readThrough
    ): Effect.Effect<unknown, unknown, unknown> => {
      const { plan } = request
      const carryOn =
        plan.region.onCacheError === "fail" && !plan.memory
          ? Effect.fail(error)
          : store === spare
            ? loadUnstored(context, store, request)
            : Effect.withFiber((fiber) => again(spare, request, fiber))
      return Effect.andThen(context.record(plan.region, error), carryOn)
    }

    /** Whether a store keeps what is loaded for a plan: the spare may be there to share loads only. */
    const keeps = (store: Store, plan: Plan): boolean =>
      store !== spare || store === primary || options.spareKeeps === true || plan.memory

    const bypass = (plan: Plan, args: ReadonlyArray<unknown>, error: CacheError) =>
      Effect.andThen(
        context.record(plan.region, error),
        plan.region.onCacheError === "fail" ? Effect.fail(error) : Effect.suspend(() => plan.load(...args))
      )

    const refresh = (request: Request) =>
      Effect.withFiber((fiber) => refreshOn(request.plan.region.codec === undefined ? local : primary, request, fiber))

    const refreshOn = (
      store: Store,
      request: Request,
      fiber: Fiber.Fiber<unknown, unknown>
    ): Effect.Effect<unknown, unknown, unknown> =>
      Effect.callback<unknown, unknown, unknown>((resume) => {
        const { key, plan } = request
        const { region } = plan
        const party = { codec: region.codec, source: plan }
        let flight = store.flights.open(key, party, "refresh")
        if (flight === undefined) {
          flight = new Flight(key, context.makeToken(), party, "refresh")
          const attributes = { "cache.region": region.name, "cache.key": key, "cache.layer": layer }
          const body = renewNow(context, store, flight, request, keeps(store, plan))
          launch(store.flights, flight, fiber, spanned(fiber, "cache.refresh", attributes, body))
        }
        const boarded = flight
        return board(flight, resume, (exit) => {
          if (Exit.isSuccess(exit)) return handOut(store, region, exit.value)
          const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
          if (error instanceof StoreFailure) return degrade(store, request, error.error, refreshOn)
          return boarded.party.source === plan ? exit : Effect.withFiber((fiber) => refreshOn(store, request, fiber))
        })
      })

    const peek = (region: Region, key: string) => {
      const store = region.codec === undefined ? local : primary
      return Effect.flatMap(store.read(region, key), (found) =>
        typeof found === "object"
          ? Effect.asSome(Effect.orDie(handOut(store, region, found.value)))
          : Effect.succeedNone
      )
    }

    /** Runs an invalidation on the in-process stores, where it cannot fail, and on the primary, whose word counts. */
    const invalidate = (
      kind: keyof typeof invalidated,
      count: number,
      onStore: (store: Store) => Effect.Effect<unknown, CacheError>,
      // Values without a schema are nowhere else.
      only?: Store | undefined
    ): Effect.Effect<void, CacheError> =>
      Effect.withFiber((fiber) => {
        const all = only !== undefined ? Effect.asVoid(onStore(only)) : Effect.andThen(
          Effect.forEach(beside, (store) => Effect.ignore(onStore(store)), { discard: true }),
          Effect.asVoid(onStore(primary))
        )
        const done = Effect.tap(all, () => Effect.sync(() => invalidated[kind].updateUnsafe(count, fiber.context)))
        return spanned(
          fiber,
          "cache.invalidate",
          { "cache.invalidation": kind, "cache.count": count, "cache.layer": layer },
          Effect.tapError(done, (error) => record(manual, error))
        )
      })

    const invalidateKeys = (keys: Iterable<string>, only?: Store | undefined) =>
      Effect.flatMap(
        attempt(() => [...new Set(Array.from(keys, normalizeKey))]),
        (list) =>
          list.length === 0 ? Effect.void : invalidate("key", list.length, ({ backend }) => backend.remove(list), only)
      )

    const invalidatePattern = (pattern: string, only?: Store | undefined) =>
      Effect.andThen(
        attempt(() => matcherUnsafe(pattern)),
        // Two full passes: a load that fills during the first turns its lease into an entry behind the cursor's back.
        invalidate("pattern", 1, ({ backend }) =>
          Effect.andThen(backend.removeMatching(pattern), backend.removeMatching(pattern)), only
        )
      )

    const invalidateTags = (tags: Iterable<string>) =>
      Effect.suspend(() => {
        const list = [...new Set(tags)]
        return list.length === 0 ? Effect.void : invalidate("tag", list.length, (store) => store.tags.invalidate(list))
      })

    /**
     * A write without a fence of its caller's, with one of its own: older loads in flight lose the lease, so they cannot
     * overwrite it; and if it is overtaken itself, by an invalidation or a newer write, it stores nothing.
     */
    const setNow = (key: string, value: unknown, region: Region) =>
      Effect.uninterruptible(
        Effect.gen(function*() {
          const token = context.makeToken()
          const { defaultLeaseMillis, defaultTtlMillis } = context
          yield* Effect.forEach(beside, ({ backend }) => Effect.ignore(backend.remove([key])), { discard: true })
          const store = Effect.gen(function*() {
            // The epoch of its own start: a tag invalidated from here on makes the entry stale. The old entry goes at once:
            // if another write overtakes this one, what was there before both must not be read in between.
            const born = yield* primary.takeOver(key, token, defaultLeaseMillis, true)
            const options = { born, loadMillis: 0, defaultTtl: defaultTtlMillis }
            const sealed = yield* primary.seal(region, key, value, undefined, options)
            return yield* primary.fill(key, token, sealed, "keep")
          })
          // A step that failed may have been carried out all the same.
          yield* Effect.onError(store, () =>
            Effect.catch(Effect.asVoid(primary.backend.release(key, token, "keep")), () =>
              primary.orphans.add(key, token, defaultLeaseMillis)
            )
          )
        })
      )

    const write = makeWrite({
      context,
      primary,
      local,
      beside,
      handOut,
      invalidateKeys,
      invalidatePattern,
      invalidateTags
    })

    yield* Effect.addFinalizer(() =>
      Effect.forEach(stores, ({ flights, orphans }) => Effect.andThen(flights.close, orphans.close), { discard: true })
    )

    return CacheClient.of({
      getOrLoad,
      bypass,
      refresh,
      peek,
      write: (request, invalidations) =>
        Effect.withFiber((fiber) =>
          spanned(
            fiber,
            "cache.write",
            { "cache.region": request.plan.region.name, "cache.key": request.key, "cache.layer": layer },
            write(request, invalidations)
          )
        ),
      invalidateKeys: (keys) => invalidateKeys(keys),
      invalidatePattern: (pattern) => invalidatePattern(pattern),
      invalidateTags,
      invalidate: ({ codec }, what) => {
        const only = codec === undefined ? local : undefined
        return "key" in what ? invalidateKeys([what.key], only) : invalidatePattern(what.pattern, only)
      },
      clear: invalidate("clear", 1, ({ backend }) => backend.clear),
      get: (key, schema) =>
        Effect.flatMap(
          attempt(() => [normalizeKey(key), regionOf(schema)] as const),
          ([normal, region]) =>
            Effect.withFiber((fiber) =>
              Effect.tap(peek(region, normal) as Effect.Effect<Option.Option<never>, CacheError, never>, (found) =>
                Effect.sync(() => {
                  const stats = counters.of(manual)
                  if (Option.isSome(found)) stats.hit(fiber.context)
                  else stats.miss("miss", fiber.context)
                })
              )
            )
        ),
      set: (key, value, setOptions) =>
        Effect.flatMap(
          attempt(() => [normalizeKey(key), regionOf(setOptions.schema, setOptions)] as const),
          ([normal, region]) => setNow(normal, value, region) as Effect.Effect<void, CacheError, never>
        ),
      tag: (key, tags) =>
        Effect.flatMap(
          attempt(() => [normalizeKey(key), [...new Set(tags)]] as const),
          ([normal, list]) => primary.addTags(normal, list)
        ),
      counters: Effect.sync(() => counters.snapshot()),
      stats: Effect.map(primary.backend.usage, (usage) => {
        const { regions, total } = counters.snapshot()
        return {
          backend: layer,
          scope: usage.scope,
          ...total,
          size: usage.entries,
          memoryMb: usage.bytes / (1024 * 1024),
          evictions: usage.evictions,
          inFlight: stores.reduce((sum, { flights }) => sum + flights.size, 0),
          regions
        }
      })
    })
  })
