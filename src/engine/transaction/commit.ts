/**
 * How a transaction ends for the cache: by its commit, which carries out what was noted and then settles each key, or without one.
 */
import { Effect, type Scope } from "effect"
import type { CacheError } from "../../CacheError.ts"
import { inSteps, stepSize } from "../../internal/inSteps.ts"
import type { Counters } from "../../observe/stats.ts"
import { warn } from "../../observe/warnings.ts"
import type { Region } from "../../region/region.ts"
import type { LoadContext } from "../land.ts"
import type { Store } from "../store.ts"
import { dropIntent } from "./intend.ts"
import { hasCommitted, type Held, type Level, type Noted, type Transaction } from "./transaction.ts"

/** Invalidations outside of a transaction; they count and tell their failures themselves. */
export interface Removals {
  readonly invalidateKeys: (keys: ReadonlyArray<string>, only?: Store | undefined) => Effect.Effect<void, CacheError>
  readonly invalidatePattern: (pattern: string, only?: Store | undefined) => Effect.Effect<void, CacheError>
  readonly invalidateTags: (tags: ReadonlyArray<string>) => Effect.Effect<void, CacheError>
  readonly clear: Effect.Effect<void, CacheError>
  /** Counts keys that a transaction unlinked by itself. */
  readonly countKeys: (count: number) => Effect.Effect<void>
}

interface Parts {
  readonly context: LoadContext
  readonly counters: Counters
  readonly noRegion: Region
  readonly removals: Removals
}

/** A transaction of which nothing can be heard is asked whether it is open: at first after this, then less often. */
const firstPauseMillis = 50
const lastPauseMillis = 1_000

export interface Ending {
  /** After the outermost commit, if the level was not rolled back. Runs once. */
  readonly commit: (transaction: Transaction, level: Level) => Effect.Effect<void>
  /** Keeps the leases, and sees to the end. Begun once. */
  readonly watch: (transaction: Transaction) => Effect.Effect<void>
  readonly warnAtOnce: (region: Region) => Effect.Effect<void>
}

export const makeEnding = Effect.fnUntraced(function*({
  context,
  counters,
  noRegion,
  removals
}: Parts): Effect.fn.Return<Ending, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const own = yield* Effect.context<never>()
  const leaseMillis = context.defaultLeaseMillis

  const tell = (region: Region, kind: string, text: string, once: boolean) =>
    Effect.withFiber((fiber) =>
      warn(counters.of(region.name), fiber, {
        kind,
        once,
        text: () => text,
        annotations: region === noRegion ? {} : { region: region.name }
      })
    )

  const warnAtOnce = (region: Region) =>
    tell(
      region,
      "transaction at once",
      "a change in a database transaction was made in the cache at once and not after the commit, and nothing is stored, because the " +
        "transaction's SqlClient is not among the services of the call: a reader may store the old row before the commit. Provide it",
      true
    )

  /** Nobody who could hear of a failure waits any more. */
  const unheard = (transaction: Transaction, self: Effect.Effect<void, CacheError>): Effect.Effect<void> =>
    Effect.catch(self, () => {
      transaction.isAcknowledged = false
      return tell(
        noRegion,
        "after a commit",
        "what a database transaction made old was not acknowledged by the cache after the commit; it is written down and made up for",
        false
      )
    })

  const carryOut = (transaction: Transaction, all: Iterable<Level>): Effect.Effect<void> =>
    Effect.suspend(() => {
      const keys = new Map<Store | undefined, Set<string>>()
      const patterns = new Map<Store | undefined, Set<string>>()
      const tags = new Set<string>()
      let everything = false
      const add = (to: Map<Store | undefined, Set<string>>, only: Store | undefined, items: ReadonlyArray<string>) => {
        let set = to.get(only)
        if (set === undefined) to.set(only, (set = new Set()))
        for (const item of items) set.add(item)
      }
      const sort = (noted: Noted): void => {
        if (noted.kind === "everything") everything = true
        else if (noted.kind === "pattern") add(patterns, noted.only, [noted.pattern])
        else if (noted.kind === "keys") add(keys, noted.only, noted.list)
        else for (const tag of noted.list) tags.add(tag)
      }
      for (const { noted } of all) noted.forEach(sort)
      const steps: Array<Effect.Effect<void>> = []
      if (everything) steps.push(unheard(transaction, removals.clear))
      for (const [only, set] of keys) steps.push(unheard(transaction, removals.invalidateKeys([...set], only)))
      for (const [only, set] of patterns)
        for (const one of set) steps.push(unheard(transaction, removals.invalidatePattern(one, only)))
      if (tags.size > 0) steps.push(unheard(transaction, removals.invalidateTags([...tags])))
      return Effect.all(steps, { discard: true })
    })

  const eachHeld = (all: ReadonlyArray<Held>, settle: (held: Held) => Effect.Effect<void>) =>
    Effect.asVoid(
      inSteps(all, stepSize, (step) =>
        Effect.forEach(
          step,
          (held) => {
            held.settled = true
            return settle(held)
          },
          { concurrency: "unbounded", discard: true }
        )
      )
    )

  /** By what it was written last, if nothing in the transaction overtook that; otherwise it stays empty. */
  const settle = (transaction: Transaction, held: Held): Effect.Effect<void> => {
    const { at, slot, written } = held
    // The connection keeps its last transaction in memory, which needs no values.
    held.written = undefined
    if (written === undefined || transaction.isLost || !hasCommitted(held)) return slot.end
    // Also of a level that is still to be carried out: what is stored until then was never committed.
    if (transaction.overtakes(slot.key, at, written.sealed.tags)) return slot.end
    return slot.fillSealed(written.region, written.sealed)
  }

  const commit = (transaction: Transaction, level: Level): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (level.committed) return Effect.void
      level.committed = transaction.committed = true
      // First what was noted: a fill behind it bears the epoch of before, and one that it covers is not made.
      const settled = Effect.suspend(() => {
        const mine = transaction.isLost ? [...transaction.heldBy(level)] : [...transaction.decided()]
        return eachHeld(mine, (held) => settle(transaction, held))
      })
      return Effect.andThen(
        carryOut(transaction, [level]),
        // A call that takes leases in another fiber is waited for: its slots are settled, too.
        transaction.turn(
          Effect.andThen(
            settled,
            Effect.suspend(() => {
              if (!transaction.isWhole) return Effect.void
              transaction.finish()
              return dropIntent(transaction)
            })
          )
        )
      )
    })

  /** It was rolled back, or nobody knows: COMMIT may have been carried out, or be about to. Gives what is to be done later. */
  const lose = (transaction: Transaction): Effect.Effect<Effect.Effect<void>> =>
    Effect.suspend(() => {
      transaction.isLost = true
      const held = [...transaction.allHeld()]
      const noted = carryOut(transaction, transaction.levels)
      if (transaction.rolledBack) {
        const ended = eachHeld(held, ({ slot }) => slot.end)
        return Effect.as(Effect.andThen(ended, Effect.andThen(noted, dropIntent(transaction))), Effect.void)
      }
      // A lease of a process has no time to live, so it is given back after one.
      const later = held.filter(({ store }) => store.backend.local !== undefined)
      const giveBack = Effect.andThen(
        Effect.sleep(leaseMillis),
        eachHeld(later, ({ slot }) => slot.end)
      )
      const left = eachHeld(held, ({ slot }) => slot.abandon)
      return Effect.as(Effect.andThen(left, noted), later.length === 0 ? Effect.void : giveBack)
    })

  const end = (transaction: Transaction): Effect.Effect<void> =>
    Effect.suspend(() => {
      transaction.finish()
      return Effect.flatten(
        transaction.turn(
          Effect.suspend(() =>
            transaction.committed
              ? // There is left only what savepoints did that were rolled back.
                Effect.as(
                  Effect.andThen(
                    eachHeld([...transaction.allHeld()], ({ slot }) => slot.end),
                    dropIntent(transaction)
                  ),
                  Effect.void
                )
              : lose(transaction)
          )
        )
      )
    })

  const renewAll = (transaction: Transaction) =>
    Effect.andThen(
      inSteps(
        [...transaction.allHeld()].filter(({ store }) => store.backend.local === undefined),
        stepSize,
        (step) =>
          Effect.forEach(step, ({ slot }) => Effect.ignore(slot.renew), { concurrency: "unbounded", discard: true })
      ),
      transaction.intent?.renew ?? Effect.void
    )

  const watching = (transaction: Transaction) =>
    Effect.gen(function*() {
      let pause = transaction.isHeard ? Infinity : firstPauseMillis
      /** Since the leases were renewed, or more. */
      let passed = 0
      while (!transaction.isOver) {
        const millis = Math.min(pause, Math.max(1, Math.min(transaction.leaseMillis, leaseMillis) / 3 - passed))
        yield* Effect.raceFirst(transaction.untilTold, Effect.sleep(millis))
        if (transaction.isOver) return
        if (transaction.hasEnded) return yield* end(transaction)
        passed += millis
        if (passed >= Math.min(transaction.leaseMillis, leaseMillis) / 3) {
          yield* renewAll(transaction)
          passed = 0
        }
        pause = Math.min(pause * 2, transaction.isHeard ? Infinity : lastPauseMillis)
      }
    })

  return {
    commit,
    warnAtOnce,
    watch: (transaction) =>
      Effect.suspend(() => {
        if (transaction.isWatched) return Effect.void
        transaction.isWatched = true
        return Effect.asVoid(Effect.forkIn(Effect.provideContext(watching(transaction), own), scope))
      })
  }
})
