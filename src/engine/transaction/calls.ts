/**
 * The engine's calls inside a database transaction: reads are of the transaction alone, and what changes is held back until the
 * outermost commit. See `docs/architecture/transactions.md`.
 */
import { Effect, type Fiber, type Scope } from "effect"
import { CacheError } from "../../CacheError.ts"
import { matcherUnsafe } from "../../CacheKey.ts"
import { attributesOf, outcomeOf, sayOutcome, spanned } from "../../observe/span.ts"
import type { Counters } from "../../observe/stats.ts"
import type { Found } from "../../protocol/verdict.ts"
import { checked } from "../../region/checks.ts"
import type { Region } from "../../region/region.ts"
import { type ListsOf, mustFail, type Request, type WriteRequest } from "../contract.ts"
import type { Intent } from "../../services/CacheBackend.ts"
import type { Intents } from "../intents.ts"
import type { LoadContext } from "../land.ts"
import { loadAlone } from "../load.ts"
import { distinct, listOf, normalEach, normalKeys } from "../many.ts"
import { momentOf } from "../moment.ts"
import type { Store } from "../store.ts"
import { during, makeWrite, type WriteParts } from "../write.ts"
import { type Ending, makeEnding, type Removals } from "./commit.ts"
import { type Here, type LevelKey, runAfterCommit, spansOf } from "./current.ts"
import { isGone, type Joined, makeHolds } from "./hold.ts"
import { makeIntend } from "./intend.ts"
import { type Level, Transaction } from "./transaction.ts"

type AnyEffect = Effect.Effect<unknown, unknown, unknown>

interface Parts {
  readonly context: LoadContext
  readonly counters: Counters
  readonly primary: Store
  readonly local: Store
  readonly beside: ReadonlyArray<Store>
  /** Of a call that belongs to no region. */
  readonly noRegion: Region
  readonly handOut: WriteParts["handOut"]
  readonly handOutStored: WriteParts["handOut"]
  /** The same outside of a transaction. */
  readonly removals: Removals
  readonly intents: Intents
}

export const makeTransactions = Effect.fnUntraced(function*(
  parts: Parts
): Effect.fn.Return<ReturnType<typeof callsOf>, never, Scope.Scope> {
  return callsOf(parts, yield* makeEnding(parts))
})

const callsOf = (parts: Parts, ending: Ending) => {
  const { beside, context, counters, handOut, handOutStored, local, noRegion, primary, removals } = parts
  const intend = makeIntend(context, parts.intents)
  const holds = makeHolds({ ...parts, intend })
  const byLevel = new WeakMap<LevelKey, Transaction>()
  /** The newest of a connection, which is one transaction's at a time. */
  const byPlace = new WeakMap<object, Transaction>()

  const storeOf = (region: Region): Store => (region.codec === undefined ? local : primary)

  /** Where a transaction is kept: without its client nobody says when it ends, so there it is kept by what ends with it. */
  const placeOf = (here: Here): object =>
    here.client === undefined ? (spansOf(here.services).at(-1) ?? here.level) : here.level[0]

  const known = (here: Here): Transaction | undefined => {
    const there = byLevel.get(here.level)
    if (there !== undefined) return there
    const newest = byPlace.get(here.level[0])
    const found =
      newest?.covers(here) === true ? newest : here.client === undefined ? byPlace.get(placeOf(here)) : undefined
    if (found !== undefined) byLevel.set(here.level, found)
    return found
  }

  /** Whether it, or one that it is within, wrote or invalidated the entry of a key. */
  const touches = (here: Here, key: string, tags: ReadonlyArray<string>): boolean =>
    known(here)?.touches(key, tags) === true ||
    here.around.some((level) => (byLevel.get(level) ?? byPlace.get(level[0]))?.touches(key, tags) === true)

  const transactionAt = (here: Here): Transaction => {
    const transaction = known(here) ?? new Transaction()
    byLevel.set(here.level, transaction)
    byPlace.set(placeOf(here), transaction)
    return transaction
  }

  /** Has the level ended by its callback. `undefined`: it has ended already. */
  const register = (transaction: Transaction, here: Here): Level | undefined => {
    let level: Level | undefined
    const later = Effect.suspend(() => (level === undefined ? Effect.void : ending.commit(transaction, level)))
    // A level that has ended is none of the transaction's, which would wait for its end.
    if (runAfterCommit(here, later)) level = transaction.level(here)
    return level
  }

  /**
   * What a change is to be held back by; `undefined`: it is to be made at once, because the transaction has ended, or its client is
   * not at hand.
   */
  const join = (here: Here, region: Region): Effect.Effect<Joined | undefined> =>
    Effect.suspend(() => {
      if (here.client === undefined) {
        transactionAt(here)
        return Effect.as(ending.warnAtOnce(region), undefined)
      }
      // A fiber that outlived one must not take the place of the one that has the connection now.
      if (known(here) === undefined && !runAfterCommit(here, Effect.void)) return Effect.undefined
      const transaction = transactionAt(here)
      if (transaction.isOver) return Effect.undefined
      transaction.listen(here)
      // First: what a call holds or notes from here on is seen to when the transaction ends.
      let level = register(transaction, here)
      const fills = level !== undefined && here.around.length === 0
      // Of a fiber that outlived its savepoint: what it changes is of the transaction all the same.
      if (level === undefined && transaction.root !== undefined) level = register(transaction, transaction.root)
      return level === undefined
        ? Effect.undefined
        : Effect.as(ending.watch(transaction), { transaction, level, fills })
    })

  /** What is there at once, for what cannot be held back: so the transaction's own reads know of it. */
  const markAtOnce = (here: Here, mark: (transaction: Transaction, level: Level) => void): void => {
    const transaction = known(here)
    if (transaction !== undefined && !transaction.isOver) mark(transaction, transaction.level(here))
  }

  const keysAtOnce = (here: Here, list: ReadonlyArray<string>): void =>
    markAtOnce(here, (transaction, level) => transaction.note(level, { kind: "keys", list, only: undefined }))

  /** Runs a change where it is held back, or at once. */
  const change = <E>(
    here: Here,
    held: (joined: Joined) => Effect.Effect<void, E>,
    atOnce: Effect.Effect<void, E>,
    mark: (transaction: Transaction, level: Level) => void
  ): Effect.Effect<void, E> =>
    Effect.flatMap(join(here, noRegion), (joined) => {
      if (joined !== undefined && !isGone(joined)) return held(joined)
      markAtOnce(here, mark)
      return atOnce
    })

  const note = (
    here: Here,
    atOnce: Effect.Effect<void, CacheError>,
    mark: (transaction: Transaction, level: Level) => void,
    intent: Partial<Intent> = {}
  ) =>
    change(
      here,
      ({ level, transaction }) => {
        mark(transaction, level)
        return intend(transaction, intent, noRegion)
      },
      atOnce,
      mark
    )

  const invalidateKeys = (here: Here, keys: Iterable<string>, only?: Store | undefined) =>
    Effect.flatMap(Effect.flatMap(normalKeys(keys), distinct), (list) =>
      list.length === 0
        ? Effect.void
        : change(
            here,
            (joined) => Effect.flatMap(holds.unlink(joined, list, only), removals.countKeys),
            removals.invalidateKeys(list, only),
            (transaction, level) => transaction.note(level, { kind: "keys", list, only })
          )
    )

  const invalidatePattern = (here: Here, pattern: string, only?: Store | undefined) =>
    Effect.andThen(
      checked(() => matcherUnsafe(pattern)),
      note(
        here,
        removals.invalidatePattern(pattern, only),
        (transaction, level) => transaction.note(level, { kind: "pattern", pattern, only }),
        { patterns: [pattern] }
      )
    )

  const invalidateTags = (here: Here, tags: Iterable<string>) =>
    Effect.flatMap(Effect.flatMap(listOf("tags", tags), distinct), (list) =>
      list.length === 0
        ? Effect.void
        : note(
            here,
            removals.invalidateTags(list),
            (transaction, level) => transaction.note(level, { kind: "tags", list, only: undefined }),
            { tags: list }
          )
    )

  const clear = (here: Here) =>
    note(here, removals.clear, (transaction, level) => transaction.note(level, { kind: "everything" }), {
      patterns: ["*"]
    })

  /** What a read found, but for what this transaction made old. */
  const asSeen = (here: Here, key: string, found: Found): Found =>
    typeof found === "object" && touches(here, key, found.tags) ? "miss" : found

  /** Looks; a miss loads for this caller alone, and nothing is stored. */
  const read = (here: Here, request: Request, fiber: Fiber.Fiber<unknown, unknown>): AnyEffect => {
    const { key, plan } = request
    const { region } = plan
    const store = storeOf(region)
    const alone = loadAlone(context, store, request)
    const missed = (found: Exclude<Found, object>) => {
      counters.of(region.name).miss(found, fiber.context)
      return alone
    }
    const looked = Effect.matchEffect(store.read(region, key), {
      onFailure: (error) => {
        const fails = mustFail(plan)
        if (!fails) sayOutcome(fiber, "bypass")
        return Effect.andThen(context.record(region, error), fails ? Effect.fail(error) : alone)
      },
      onSuccess: (there) => {
        const found = asSeen(here, key, there)
        sayOutcome(fiber, outcomeOf(found))
        if (typeof found !== "object") return missed(found)
        counters.of(region.name).hit(momentOf(fiber.context))
        return Effect.catch(handOutStored(store, region, found.value), () => alone)
      }
    })
    return spanned(fiber, "cache.read", () => attributesOf(region.name, key, store.backend.name), looked)
  }

  const write = (here: Here, request: WriteRequest, lists: ListsOf): AnyEffect =>
    Effect.flatMap(join(here, request.plan.region), (joined) => {
      const { keys } = request
      const marked =
        joined !== undefined || keys instanceof CacheError
          ? Effect.void
          : Effect.map(normalEach(keys), ({ good }) => keysAtOnce(here, good))
      const written = makeWrite({
        context,
        primary,
        local,
        beside,
        handOut,
        handOutStored,
        during: joined === undefined ? during : holds.during(joined),
        // The transaction has one for all of its calls.
        intentOf: ({ intent, plan }) =>
          joined === undefined || intent === undefined
            ? undefined
            : {
                put: Effect.as(intend(joined.transaction, intent, plan.region), true),
                renew: undefined,
                drop: Effect.void
              },
        invalidateKeys: (list) => invalidateKeys(here, list),
        invalidatePattern: (pattern) => invalidatePattern(here, pattern),
        invalidateTags: (tags) => invalidateTags(here, tags)
      })(joined === undefined ? { ...request, fills: false } : request, lists)
      return Effect.andThen(marked, written)
    })

  /** Loads for this caller, and empties the slot. */
  const refresh = (here: Here, request: Request): AnyEffect => {
    const { key, plan } = request
    const store = storeOf(plan.region)
    return Effect.flatMap(join(here, plan.region), (joined) => {
      if (joined !== undefined) return holds.refresh(joined, store, request)
      keysAtOnce(here, [key])
      return Effect.andThen(
        Effect.ignore(removals.invalidateKeys([key], store === primary ? undefined : store)),
        loadAlone(context, store, request)
      )
    })
  }

  const set = (
    here: Here,
    key: string,
    value: unknown,
    region: Region,
    params: unknown
  ): Effect.Effect<void, CacheError, unknown> =>
    Effect.flatMap(join(here, region), (joined) => {
      if (joined !== undefined) return holds.set(joined, key, value, region, params)
      keysAtOnce(here, [key])
      return removals.invalidateKeys([key])
    })

  /** Tags are added to what is stored; what is to be stored after the commit would lack them. */
  const tagged = (here: Here, key: string): void => known(here)?.touch(undefined, primary, key)

  return { asSeen, clear, invalidateKeys, invalidatePattern, invalidateTags, read, refresh, set, tagged, write }
}
