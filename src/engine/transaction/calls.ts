/**
 * The engine's calls inside a database transaction: reads are of the transaction alone, and what changes is held back until the
 * outermost commit. See `docs/architecture/transactions.md`.
 */
import { Effect, Exit, type Fiber, type Scope } from "effect"
import type { CacheError } from "../../CacheError.ts"
import { matcherUnsafe } from "../../CacheKey.ts"
import { inSteps, stepSize } from "../../internal/inSteps.ts"
import { spanned } from "../../observe/span.ts"
import type { Counters } from "../../observe/stats.ts"
import type { Found } from "../../protocol/verdict.ts"
import { checked } from "../../region/checks.ts"
import type { Region } from "../../region/region.ts"
import { type Invalidations, paramsOf, type Request, type WriteRequest } from "../contract.ts"
import type { Intent } from "../../services/CacheBackend.ts"
import type { Intents } from "../intents.ts"
import { leaseOf, type LoadContext } from "../land.ts"
import { loadAlone, runLoader } from "../load.ts"
import { distinct, listOf, normalKeys } from "../many.ts"
import { momentOf } from "../moment.ts"
import { type Note, Slot, type SlotParts } from "../slot.ts"
import type { Store } from "../store.ts"
import { type During, inlineWrite, makeWrite, type WriteParts } from "../write.ts"
import { type Ending, makeEnding, type Removals } from "./commit.ts"
import { type Here, runAfterCommit, spansOf } from "./current.ts"
import { type Level, maxHeld, Transaction } from "./transaction.ts"

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
  readonly write: ReturnType<typeof makeWrite>
}

/** The transaction of a call, as far as anything is to be held back for it. */
interface Joined {
  readonly transaction: Transaction
  readonly level: Level
}

export const makeTransactions = Effect.fnUntraced(function*(
  parts: Parts
): Effect.fn.Return<ReturnType<typeof callsOf>, never, Scope.Scope> {
  return callsOf(parts, yield* makeEnding(parts))
})

const callsOf = (parts: Parts, ending: Ending) => {
  const { beside, context, counters, handOut, handOutStored, intents, local, noRegion, primary, removals } = parts
  /** By connection, which is one transaction's at a time. */
  const transactions = new WeakMap<object, Transaction>()

  const storeOf = (region: Region): Store => (region.codec === undefined ? local : primary)

  /** Where a transaction is kept: without its client nobody says when it ends, so there it is kept by what ends with it. */
  const placeOf = (here: Here): object =>
    here.client === undefined ? (spansOf(here.services).at(-1) ?? here.level) : here.level[0]

  const known = (here: Here): Transaction | undefined => {
    const transaction = transactions.get(placeOf(here))
    return here.client === undefined || transaction?.covers(here) === true ? transaction : undefined
  }

  const transactionAt = (here: Here): Transaction => {
    const there = known(here)
    if (there !== undefined) return there
    const transaction = new Transaction(here, context.makeToken())
    transactions.set(placeOf(here), transaction)
    return transaction
  }

  /**
   * What a change is to be held back by; `undefined`: it is to be made at once, because the transaction has ended, or its client is
   * not at hand.
   */
  const join = (here: Here, region: Region): Effect.Effect<Joined | undefined> =>
    Effect.suspend(() => {
      const transaction = transactionAt(here)
      if (here.client === undefined) return Effect.as(ending.warnAtOnce(region), undefined)
      if (transaction.isOver) return Effect.undefined
      const level = transaction.level(here)
      // First: what a call holds or notes from here on is seen to when the transaction ends.
      if (!runAfterCommit(here, ending.commit(transaction, level))) return Effect.undefined
      return Effect.as(ending.watch(transaction), { transaction, level })
    })

  /** What is there at once, for what cannot be held back: so the transaction's own reads know of it. */
  const markAtOnce = (here: Here, mark: (transaction: Transaction, level: Level) => void): void => {
    const transaction = known(here)
    if (transaction !== undefined && !transaction.isOver) mark(transaction, transaction.level(here))
  }

  /**
   * Lets others know what is to be made invalid after the commit, as far as it is known: they see to it if this process dies. Keys
   * that are held need none: their slots are empty, and stay so for a lease.
   */
  const intend = ({ transaction }: Joined, { keys, patterns, tags }: Intent, region: Region) =>
    Effect.suspend(() => {
      const { intended } = transaction
      const known = intended.keys.size + intended.patterns.size + intended.tags.size
      for (const key of keys) intended.keys.add(key)
      for (const pattern of patterns) intended.patterns.add(pattern)
      for (const tag of tags) intended.tags.add(tag)
      if (intended.keys.size + intended.patterns.size + intended.tags.size === known) return Effect.void
      const all = { keys: [...intended.keys], patterns: [...intended.patterns], tags: [...intended.tags] }
      transaction.intent = intents.of(transaction.token, transaction.token, all, context.defaultLeaseMillis, (error) =>
        context.record(region, error)
      )
      return Effect.asVoid(transaction.intent?.put ?? Effect.void)
    })

  /** Unlinks the entries of these keys and holds their leases until the transaction ends. */
  const hold = (
    joined: Joined,
    keys: ReadonlyArray<string>,
    slots: Omit<SlotParts, "note">,
    region: Region,
    note: Note
  ): Effect.Effect<void> => {
    const { store } = slots
    const { level, transaction } = joined
    const holdOne = (key: string) =>
      Effect.suspend(() => {
        const there = transaction.held(store, key)
        if (there === undefined && transaction.heldCount >= maxHeld) return Effect.succeed([key])
        // Held all the while since: nobody can have stored anything. Otherwise it is taken anew, with another token.
        const kept =
          there === undefined || there.slot.failed
            ? Effect.succeed(false)
            : Effect.catch(there.slot.renew, () => Effect.succeed(false))
        return Effect.flatMap(kept, (isKept) => {
          if (isKept) {
            there!.by.add(level)
            return Effect.succeed([])
          }
          // Of what fails at its end the caller hears no more.
          let told = note
          const slot = new Slot({ ...slots, note: (error) => told(error) }, key)
          const held = there ?? transaction.hold(store, slot)
          held.slot = slot
          held.by.add(level)
          return Effect.map(slot.begin, () => {
            told = (error) => context.record(region, error)
            return []
          })
        })
      })
    const all = inSteps(keys, stepSize, (step) => Effect.forEach(step, holdOne, { concurrency: "unbounded" }))
    return transaction.turn(
      Effect.flatMap(all, (steps) => {
        const left = steps.flat(2)
        if (left.length === 0) return Effect.void
        const only = store === primary ? undefined : store
        transaction.note(level, { kind: "keys", list: left, only })
        const unlinked = Effect.catch(removals.invalidateKeys(left, only), note)
        return Effect.andThen(intend(joined, { keys: left, patterns: [], tags: [] }, region), unlinked)
      })
    )
  }

  /** What was written last in a slot that is held; nothing, where it is not to be stored. */
  const touch = (
    { level, transaction }: Joined,
    store: Store,
    keys: ReadonlyArray<string>,
    written: Parameters<Transaction["touch"]>[3]
  ) => {
    for (const key of keys) transaction.touch(level, store, key, written)
  }

  /** A write's slots are held until the transaction ends, and filled or left empty then. */
  const duringTransaction =
    (here: Here, joined: Joined): During =>
    ({ goOn, keys, request, run, slots }) =>
      Effect.gen(function*() {
        const { note, ...places } = slots
        const { region } = request.plan
        yield* hold(joined, keys, places, region, note)
        touch(joined, slots.store, keys, undefined)
        yield* goOn
        if (request.intent !== undefined) yield* intend(joined, request.intent, region)
        const ran = yield* inlineWrite(slots.store, keys, run)
        const [exit, loadMillis] = ran
        const fills = request.fills && !here.isWithin && Exit.isSuccess(exit)
        const written = fills
          ? { region, params: paramsOf(request), value: exit.value, loadMillis, services: here.services }
          : undefined
        touch(joined, slots.store, keys, written)
        return ran
      })

  const unlinked = (joined: Joined, keys: ReadonlyArray<string>, only?: Store | undefined) => {
    const store = only ?? primary
    const others = only === undefined ? beside : []
    const slots = { context, store, others, leaseMillis: context.defaultLeaseMillis }
    let failure: CacheError | undefined
    const note: Note = (error) => {
      failure ??= error
      return context.record(noRegion, error)
    }
    return Effect.suspend(() => {
      // What could not be unlinked at once is made up for after the commit.
      const held = Effect.andThen(hold(joined, keys, slots, noRegion, note), () => {
        touch(joined, store, keys, undefined)
        return failure === undefined ? Effect.void : Effect.fail(failure)
      })
      return Effect.uninterruptible(held)
    })
  }

  /** Runs a change where it is held back, or at once. */
  const change = <E>(
    here: Here,
    held: (joined: Joined) => Effect.Effect<void, E>,
    atOnce: Effect.Effect<void, E>,
    mark: (transaction: Transaction, level: Level) => void
  ): Effect.Effect<void, E> =>
    Effect.flatMap(join(here, noRegion), (joined) => {
      if (joined !== undefined) return held(joined)
      markAtOnce(here, mark)
      return atOnce
    })

  const invalidateKeys = (here: Here, keys: Iterable<string>, only?: Store | undefined) =>
    Effect.flatMap(Effect.flatMap(normalKeys(keys), distinct), (list) =>
      list.length === 0
        ? Effect.void
        : change(
            here,
            (joined) => unlinked(joined, list, only),
            removals.invalidateKeys(list, only),
            (transaction, level) => transaction.note(level, { kind: "keys", list, only })
          )
    )

  const invalidatePattern = (here: Here, pattern: string, only?: Store | undefined) => {
    const mark = (transaction: Transaction, level: Level) => transaction.note(level, { kind: "pattern", pattern, only })
    return Effect.andThen(
      checked(() => matcherUnsafe(pattern)),
      change(
        here,
        (joined) => {
          mark(joined.transaction, joined.level)
          return intend(joined, { keys: [], patterns: [pattern], tags: [] }, noRegion)
        },
        removals.invalidatePattern(pattern, only),
        mark
      )
    )
  }

  const invalidateTags = (here: Here, tags: Iterable<string>) =>
    Effect.flatMap(Effect.flatMap(listOf("tags", tags), distinct), (list) => {
      const mark = (transaction: Transaction, level: Level) =>
        transaction.note(level, { kind: "tags", list, only: undefined })
      return list.length === 0
        ? Effect.void
        : change(
            here,
            (joined) => {
              mark(joined.transaction, joined.level)
              return intend(joined, { keys: [], patterns: [], tags: list }, noRegion)
            },
            removals.invalidateTags(list),
            mark
          )
    })

  const clear = (here: Here) => {
    const mark = (transaction: Transaction, level: Level) => transaction.note(level, { kind: "everything" })
    return change(here, ({ level, transaction }) => Effect.sync(() => mark(transaction, level)), removals.clear, mark)
  }

  /** What a read found, but for what this transaction made old. */
  const asSeen = (here: Here, store: Store, key: string, found: Found): Found =>
    typeof found === "object" && known(here)?.touches(store, key, found.tags) === true ? "miss" : found

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
      onFailure: (error) =>
        Effect.andThen(
          context.record(region, error),
          region.onCacheError === "fail" && !plan.memory ? Effect.fail(error) : alone
        ),
      onSuccess: (there) => {
        const found = asSeen(here, store, key, there)
        if (typeof found !== "object") return missed(found)
        counters.of(region.name).hit(momentOf(fiber.context))
        return Effect.catch(handOutStored(store, region, found.value), () => alone)
      }
    })
    return spanned(fiber, "cache.read", { "cache.region": region.name, "cache.key": key }, looked)
  }

  const write = (
    here: Here,
    request: WriteRequest,
    invalidations: (exit: Exit.Exit<unknown, unknown>) => Invalidations
  ): AnyEffect =>
    Effect.flatMap(join(here, request.plan.region), (joined) => {
      if (joined === undefined) {
        const store = storeOf(request.plan.region)
        const { keys } = request
        const list = Array.isArray(keys) ? keys : []
        const only = store === primary ? undefined : store
        markAtOnce(here, (transaction, level) => transaction.note(level, { kind: "keys", list, only }))
        return parts.write({ ...request, fills: false }, invalidations)
      }
      return makeWrite({
        context,
        primary,
        local,
        beside,
        handOut,
        during: duringTransaction(here, joined),
        // The transaction has one for all of its calls.
        intentOf: () => undefined,
        invalidateKeys: (keys) => invalidateKeys(here, keys),
        invalidatePattern: (pattern) => invalidatePattern(here, pattern),
        invalidateTags: (tags) => invalidateTags(here, tags)
      })(request, invalidations)
    })

  /** Loads for this caller, and stores after the commit. */
  const refresh = (here: Here, request: Request): AnyEffect => {
    const { key, plan } = request
    const { region } = plan
    const store = storeOf(region)
    const places = {
      context,
      store,
      others: beside.filter((other) => other !== store),
      leaseMillis: leaseOf(context, plan)
    }
    return Effect.flatMap(join(here, region), (joined) => {
      if (joined === undefined) {
        return Effect.andThen(
          Effect.ignore(removals.invalidateKeys([key], store === primary ? undefined : store)),
          loadAlone(context, store, request)
        )
      }
      let failure: CacheError | undefined
      const note: Note = (error) => {
        failure ??= error
        return context.record(region, error)
      }
      return Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          yield* hold(joined, [key], places, region, note)
          touch(joined, store, [key], undefined)
          if (failure !== undefined && region.onCacheError === "fail") return yield* Effect.fail(failure)
          const [exit, loadMillis] = yield* inlineWrite(store, [key], (work) =>
            runLoader(context, work, request, { restore, shared: true })
          )
          if (Exit.isSuccess(exit) && !here.isWithin) {
            const params = paramsOf(request)
            touch(joined, store, [key], { region, params, value: exit.value, loadMillis, services: here.services })
          }
          return yield* exit
        })
      )
    })
  }

  const set = (here: Here, key: string, value: unknown, region: Region): Effect.Effect<void, CacheError, unknown> =>
    Effect.flatMap(join(here, region), (joined) => {
      if (joined === undefined) {
        markAtOnce(here, (transaction, level) =>
          transaction.note(level, { kind: "keys", list: [key], only: undefined })
        )
        return removals.invalidateKeys([key])
      }
      const origin = { born: 0, loadMillis: 0, defaultTtl: context.defaultTtlMillis }
      // What cannot be stored is its caller's to hear of, and after the commit nobody would be told.
      return Effect.andThen(
        primary.sealer.sealNow(region, key, value, undefined, origin),
        Effect.andThen(unlinked(joined, [key]), () => {
          if (!here.isWithin) {
            const { services } = here
            touch(joined, primary, [key], { region, params: undefined, value, loadMillis: 0, services })
          }
          return Effect.void
        })
      )
    })

  return { asSeen, clear, invalidateKeys, invalidatePattern, invalidateTags, read, refresh, set, write }
}
