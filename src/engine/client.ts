/**
 * Builds a `CacheClient` over its stores.
 */
import { Duration, Effect, type Fiber, Option, type Scope } from "effect"
import type { CacheSettings } from "../CacheConfig.ts"
import type { CacheError } from "../CacheError.ts"
import { normalizeKey } from "../CacheKey.ts"
import { inSteps } from "../internal/inSteps.ts"
import { makeTokens } from "../internal/token.ts"
import { noteUsage, showFigures } from "../observe/figures.ts"
import { spanned } from "../observe/span.ts"
import { Counters } from "../observe/stats.ts"
import { checked, stringsOf } from "../region/checks.ts"
import type { Region } from "../region/region.ts"
import { asWriteToken } from "../protocol/lease.ts"
import type { Found } from "../protocol/verdict.ts"
import { CacheClient } from "../services/CacheClient.ts"
import type { BackendUsage } from "../services/CacheBackend.ts"
import type { Primitives } from "../services/CachePrimitives.ts"
import type { BreakerStats, CacheStats } from "../services/CacheStats.ts"
import { mend } from "./boarding.ts"
import { closeFlights } from "./close.ts"
import { type Engine, type Request, withEngine, type WriteRequest } from "./contract.ts"
import { anonymous, given, givenMany, givenValue } from "./given.ts"
import { makeInvalidations } from "./invalidate.ts"
import { makeIntents } from "./intents.ts"
import type { LoadContext } from "./land.ts"
import { readStep } from "./many.ts"
import { momentOf } from "./moment.ts"
import { makeReads } from "./read.ts"
import { makeReports } from "./report.ts"
import { Store, type StoreOptions } from "./store.ts"
import { makeTransactions } from "./transaction/calls.ts"
import { type Here, transactionOf } from "./transaction/current.ts"
import { during, makeWrite, type WriteParts } from "./write.ts"

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
  /** How old a value of the spare may be, in milliseconds from the start of its load. Default 10 seconds. */
  readonly spareTtlMillis?: number | undefined
  /** How often the primary has answered: what was loaded in the spare before the last time is not used any more. */
  readonly answers?: (() => number) | undefined
  /** Of a primary that is guarded. */
  readonly breaker?: (() => BreakerStats) | undefined
  /** For tests: a value that does not come back from its schema as the same is a defect. */
  readonly same?: StoreOptions["same"]
}

/** Of several keys the first. */
const keyOf = ({ keys }: WriteRequest): string => (Array.isArray(keys) ? (keys[0] ?? "") : String(keys))

export const makeClient: (options: ClientOptions) => Effect.Effect<CacheClient["Service"], never, Scope.Scope> =
  Effect.fnUntraced(function*(options: ClientOptions) {
    const layer = options.primary.backend.name
    const counters = new Counters(layer)
    const { manyTags, mistaken, record, undecoded } = makeReports(counters)
    const primary = new Store(options.primary, { same: options.same, undecoded })
    const local = options.inProcess === undefined ? primary : new Store(options.inProcess.local)
    const spare =
      options.inProcess === undefined
        ? primary
        : new Store(options.inProcess.spare, {
            maxAgeMillis: options.spareTtlMillis ?? 10_000,
            answers: options.answers
          })
    const stores = [...new Set([primary, local, spare])]
    const beside = stores.filter((store) => store !== primary)
    const copied = primary.backend.format === "values" && primary.backend.isolation === "clone"

    const context: LoadContext = {
      makeToken: makeTokens(),
      defaultTtlMillis: Duration.toMillis(options.settings.defaultTtl),
      defaultLeaseMillis: Duration.toMillis(options.settings.lockTtl),
      counters: (region) => counters.of(region.name),
      record,
      manyTags,
      intended: () => {}
    }

    const { bypass, getOrLoad, handOut, handOutStored, hit, refresh } = makeReads({
      context,
      counters,
      primary,
      local,
      spare,
      spareKeeps: options.spareKeeps === true
    })

    /** What is there, but for what the transaction of the call made old. */
    const seen = (store: Store, region: Region, key: string) =>
      Effect.withFiber<Found, CacheError, unknown>((fiber) => {
        const here = transactionOf(fiber.context)
        const found = store.read(region, key)
        return here === undefined ? found : Effect.map(found, (there) => transactions.asSeen(here, key, there))
      })

    const peek = (region: Region, key: string) => {
      const store = region.codec === undefined ? local : primary
      return Effect.flatMap(seen(store, region, key), (found) =>
        typeof found === "object"
          ? Effect.catch(Effect.asSome(handOutStored(store, region, found.value)), () => Effect.succeedNone)
          : Effect.succeedNone
      )
    }

    const getMany = (region: Region, keys: ReadonlyArray<string>, fiber: Fiber.Fiber<unknown, unknown>) => {
      const attributes = { "cache.region": region.name, "cache.count": keys.length, "cache.layer": layer }
      const here = transactionOf(fiber.context)
      const step = (some: ReadonlyArray<string>) =>
        Effect.flatMap(primary.lookMany(region, some), (found) =>
          handOutAll(here === undefined ? found : found.map((one, i) => transactions.asSeen(here, some[i]!, one)))
        )
      const handOutAll = (entries: ReadonlyArray<Found>) => {
        const stats = counters.of(region.name)
        const moment = momentOf(fiber.context)
        const values: Array<Option.Option<unknown>> = []
        const copies: Array<Effect.Effect<void, never, unknown>> = []
        for (let i = 0; i < entries.length; i++) {
          const entry = entries[i]!
          if (typeof entry !== "object") {
            stats.miss(entry, fiber.context)
            values.push(Option.none())
            continue
          }
          stats.hit(moment)
          values.push(Option.some(entry.value))
          if (copied) {
            copies.push(
              Effect.map(Effect.option(handOutStored(primary, region, entry.value)), (copy) => {
                values[i] = copy
              })
            )
          }
        }
        return copies.length === 0 ? Effect.succeed(values) : Effect.as(Effect.all(copies, { discard: true }), values)
      }
      const values = Effect.map(inSteps(keys, readStep, step), (steps) =>
        steps.length === 1 ? steps[0]! : steps.flat()
      )
      return spanned(fiber, "cache.readMany", attributes, values)
    }

    /**
     * A write without a fence of its caller's, with one of its own: older loads in flight lose the lease, so they cannot
     * overwrite it. The old entry stays until the new one takes its place, so a reader finds one of the two. If it is overtaken
     * itself, by an invalidation, a newer write or the loss of its lease, it stores nothing and empties the slot: whose value is
     * the newest is not known, and the old one must not outlive it. The lease that is there then is another's, and stays.
     */
    const setNow = (key: string, value: unknown, region: Region, params: unknown) =>
      Effect.uninterruptible(
        Effect.gen(function*() {
          const token = context.makeToken()
          const { defaultLeaseMillis, defaultTtlMillis } = context
          yield* Effect.forEach(beside, ({ backend }) => Effect.ignore(backend.remove([key])), { discard: true })
          const store = Effect.gen(function*() {
            // The epoch of its own start: a tag invalidated from here on makes the entry stale.
            const { epoch: born, holder } = yield* primary.takeOver(key, token, defaultLeaseMillis, "set")
            // Beside writes it is not known whose value is the newest: nothing is stored, by none of them.
            if (holder !== token) return false
            const origin = { born, loadMillis: 0, defaultTtl: defaultTtlMillis }
            const sealed = yield* primary.sealer.sealNow(region, key, value, params, origin)
            const filled = yield* primary.fill(region, key, token, sealed, "empty")
            if (filled && primary.lacksMarkers(sealed.tags)) yield* manyTags(region)
            return filled
          })
          // A step that failed may have been carried out all the same.
          yield* Effect.onError(store, () => primary.giveBack(key, token, defaultLeaseMillis))
        })
      )

    const removals = makeInvalidations({
      primary,
      beside,
      record: (error) => record(anonymous, error)
    })

    const { sweepInterval } = options.settings
    const intents = yield* makeIntents({
      backend: primary.backend,
      sweepMillis: sweepInterval === false ? undefined : Duration.toMillis(sweepInterval),
      ...removals
    })
    context.intended = intents.intended
    const intentOf: WriteParts["intentOf"] = ({ intent }, key, leaseMillis, note) => {
      if (intent === undefined) return undefined
      const token = asWriteToken(context.makeToken())
      return intents.of(key ?? token, token, intent, leaseMillis, note)
    }
    const write = makeWrite({
      context,
      primary,
      local,
      beside,
      handOut,
      handOutStored,
      during,
      intentOf,
      ...removals
    })

    const transactions = yield* makeTransactions({
      context,
      counters,
      primary,
      local,
      beside,
      noRegion: anonymous,
      handOut,
      handOutStored,
      removals,
      intents
    })
    /** A call goes one way in a database transaction, and another outside. */
    const within = <A, E, R>(
      inside: (here: Here) => Effect.Effect<A, E, R>,
      outside: Effect.Effect<A, E, R>
    ): Effect.Effect<A, E, R> =>
      Effect.withFiber((fiber) => {
        const here = transactionOf(fiber.context)
        return here === undefined ? outside : inside(here)
      })
    const invalidateKeys = (keys: Iterable<string>, only?: Store | undefined) =>
      within((here) => transactions.invalidateKeys(here, keys, only), removals.invalidateKeys(keys, only))
    const invalidatePattern = (pattern: string, only?: Store | undefined) =>
      within((here) => transactions.invalidatePattern(here, pattern, only), removals.invalidatePattern(pattern, only))

    // What asks for no trip. The figures go with the registry in which the layer is built.
    const inProcess = stores.flatMap(({ backend }) => (backend.local === undefined ? [] : [backend]))
    const figures = showFigures(yield* Effect.context<never>(), layer, inProcess, options.breaker)
    yield* Effect.addFinalizer(() => Effect.sync(figures))
    yield* Effect.addFinalizer(() =>
      Effect.andThen(
        closeFlights(stores.map(({ flights }) => flights)),
        Effect.forEach(stores, ({ orphans }) => orphans.close, { discard: true })
      )
    )

    const getOrLoadWithin = (request: Request, fiber: Fiber.Fiber<unknown, unknown>) => {
      const here = transactionOf(fiber.context)
      return here === undefined ? getOrLoad(request, fiber) : transactions.read(here, request, fiber)
    }
    const told = <A, E, R>(region: Region, call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
      const warning = mistaken(region)
      return warning === undefined ? call : Effect.andThen(warning, call)
    }

    const engine: Engine = {
      hit,
      getOrLoad: (request, fiber) => {
        const warning = mistaken(request.plan.region)
        // It looks after the warning: what it decides is of one evaluation.
        return warning === undefined
          ? getOrLoadWithin(request, fiber)
          : Effect.andThen(
              warning,
              Effect.suspend(() => getOrLoadWithin(request, fiber))
            )
      },
      bypass,
      refresh: (request) =>
        told(
          request.plan.region,
          within((here) => transactions.refresh(here, request), refresh(request))
        ),
      peek,
      write: (request, lists) =>
        Effect.withFiber((fiber) =>
          spanned(
            fiber,
            "cache.write",
            { "cache.region": request.plan.region.name, "cache.key": keyOf(request), "cache.layer": layer },
            told(
              request.plan.region,
              within((here) => transactions.write(here, request, lists), write(request, lists))
            )
          )
        ),
      invalidate: ({ codec }, what) => {
        const only = codec === undefined ? local : undefined
        return "key" in what ? invalidateKeys([what.key], only) : invalidatePattern(what.pattern, only)
      }
    }

    const statsOf = (usage: BackendUsage | undefined, unavailable: CacheError | undefined): CacheStats => {
      const { regions, total } = counters.snapshot()
      return {
        backend: layer,
        breaker: options.breaker?.(),
        ...total,
        inFlight: stores.reduce((sum, { flights }) => sum + flights.size, 0),
        regions,
        unavailable,
        scope: usage?.scope,
        size: usage?.entries,
        memoryMb: usage && usage.bytes / (1024 * 1024),
        evictions: usage?.evictions
      }
    }

    const client = CacheClient.of({
      invalidateKeys: (keys) => invalidateKeys(keys),
      invalidatePattern: (pattern) => invalidatePattern(pattern),
      invalidateTags: (tags) =>
        within((here) => transactions.invalidateTags(here, tags), removals.invalidateTags(tags)),
      clear: within(transactions.clear, removals.clear),
      get: (of, by) =>
        Effect.flatMap(given(of, by), ({ key, region }) =>
          told(
            region,
            Effect.withFiber((fiber) =>
              Effect.tap(peek(region, key) as Effect.Effect<Option.Option<never>, CacheError, never>, (found) =>
                Effect.sync(() => {
                  const stats = counters.of(region.name)
                  if (Option.isSome(found)) stats.hit(momentOf(fiber.context))
                  else stats.miss("miss", fiber.context)
                })
              )
            )
          )
        ),
      getMany: (of, by) =>
        Effect.flatMap(givenMany(of, by), ({ keys, region }) =>
          told(
            region,
            Effect.withFiber((fiber) => getMany(region, keys, fiber) as never)
          )
        ),
      set: (of, second, third) =>
        Effect.flatMap(
          givenValue(of, second, third),
          ({ key, params, region, value }) =>
            told(
              region,
              within((here) => transactions.set(here, key, value, region, params), setNow(key, value, region, params))
            ) as Effect.Effect<void, CacheError, never>
        ),
      tag: (key, tags) =>
        Effect.flatMap(
          checked(() => [normalizeKey(key), [...new Set(stringsOf("tags", tags))]] as const),
          ([normal, list]) =>
            within(
              (here) => {
                transactions.tagged(here, normal)
                return primary.addTags(normal, list)
              },
              primary.addTags(normal, list)
            )
        ),
      counters: Effect.sync(() => counters.snapshot()),
      stats: Effect.withFiber((fiber) => {
        for (const { flights } of stores) if (flights.broken !== undefined) mend(flights, fiber)
        return Effect.match(primary.backend.usage, {
          onFailure: (error) => statsOf(undefined, error),
          onSuccess: (usage) => {
            if (primary.backend.local === undefined) noteUsage(layer, usage, momentOf(fiber.context))
            return statsOf(usage, undefined)
          }
        })
      })
    })
    return withEngine(client, engine)
  })
