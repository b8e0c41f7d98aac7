/**
 * The slots that a transaction holds: unlinked at once, their leases kept until it ends.
 */
import { Effect, Exit } from "effect"
import type { CacheError } from "../../CacheError.ts"
import { inSteps, stepSize } from "../../internal/inSteps.ts"
import type { Region } from "../../region/region.ts"
import type { Request } from "../contract.ts"
import { leaseOf, type LoadContext } from "../land.ts"
import { runLoader } from "../load.ts"
import { leavesValue } from "../madeOld.ts"
import { type Note, Slot, type SlotParts } from "../slot.ts"
import type { Store } from "../store.ts"
import { type During, inlineWrite, type Ran } from "../write.ts"
import type { Removals } from "./commit.ts"
import type { Intend } from "./intend.ts"
import { type Level, maxHeld, type Transaction } from "./transaction.ts"

/** The transaction of a call, as far as anything is to be held back for it. */
export interface Joined {
  readonly transaction: Transaction
  readonly level: Level
  /** Whether what is written may be stored after the commit. */
  readonly fills: boolean
}

/**
 * It has committed, in whatever level, or its end is seen to already: what a fiber does that outlives it is done at once. A key that was
 * settled is not held again, for nobody would settle it once more.
 */
export const isGone = ({ transaction }: Joined): boolean => transaction.isOver || transaction.committed

interface Parts {
  readonly context: LoadContext
  readonly primary: Store
  readonly beside: ReadonlyArray<Store>
  readonly noRegion: Region
  readonly removals: Removals
  readonly intend: Intend
}

export const makeHolds = ({ beside, context, intend, noRegion, primary, removals }: Parts) => {
  const onlyOf = (store: Store) => (store === primary ? undefined : store)

  /** Unlinks the entries of these keys and holds their leases until the transaction ends; gives how many it holds. */
  const hold = (
    joined: Joined,
    keys: ReadonlyArray<string>,
    slots: Omit<SlotParts, "note">,
    region: Region,
    note: Note
  ): Effect.Effect<number> => {
    const { level, transaction } = joined
    const { store } = slots
    const holdOne = (key: string) =>
      Effect.suspend(() => {
        const there = transaction.held(store, key)
        if (there === undefined && transaction.heldCount >= maxHeld) return Effect.succeed([key])
        // Held all the while since: nobody can have stored anything. Otherwise it is taken anew, with another token.
        const kept =
          there === undefined || there.slot.failed
            ? Effect.succeed(false)
            : Effect.catch(there.slot.renew, () => Effect.as(there.slot.disown, false))
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
    const atOnce = (list: ReadonlyArray<string>) =>
      list.length === 0 ? Effect.void : Effect.catch(removals.invalidateKeys(list, onlyOf(store)), note)
    const all = inSteps(keys, stepSize, (step) => Effect.forEach(step, holdOne, { concurrency: "unbounded" }))
    return transaction.turn(
      Effect.suspend(() =>
        isGone(joined)
          ? Effect.as(atOnce(keys), 0)
          : Effect.flatMap(all, (steps) => {
              const left = steps.flat(2)
              const held = keys.length - left.length
              if (left.length === 0) return Effect.succeed(held)
              transaction.note(level, { kind: "keys", list: left, only: onlyOf(store) })
              return Effect.as(Effect.andThen(intend(transaction, { keys: left }, region), atOnce(left)), held)
            })
      )
    )
  }

  /** What is written between: filled after the commit, where it is to be, with what it is now. */
  const writing = <E>(
    joined: Joined,
    keys: ReadonlyArray<string>,
    slots: Omit<SlotParts, "note">,
    request: Pick<Request, "plan" | "params">,
    options: { readonly fills: boolean; readonly note: Note; readonly goOn: Effect.Effect<void, E> },
    run: Effect.Effect<Ran, never, unknown>
  ): Effect.Effect<Ran, E, unknown> => {
    const { level, transaction } = joined
    const { store } = slots
    const { region } = request.plan
    const sealed = ([exit, loadMillis]: Ran) => {
      const slot = transaction.held(store, keys[0]!)?.slot
      if (slot?.born === undefined || !options.fills || !joined.fills || Exit.isFailure(exit)) return Effect.undefined
      return Effect.catch(slot.seal(region, request.params, exit.value, loadMillis), (error) =>
        Effect.as(options.note(error), undefined)
      )
    }
    return Effect.gen(function*() {
      yield* hold(joined, keys, slots, region, options.note)
      for (const key of keys) transaction.touch(level, store, key)
      yield* options.goOn
      const begun = keys.map((key) => [key, transaction.writing(level, store, key)] as const)
      let ran: Ran | undefined
      let entry: Effect.Success<ReturnType<typeof sealed>>
      yield* Effect.ensuring(
        Effect.gen(function*() {
          ran = yield* run
          entry = yield* sealed(ran)
        }),
        Effect.sync(() => {
          const written = entry === undefined ? undefined : { region, sealed: entry }
          for (const [key, at] of begun) transaction.wrote(store, key, at, written)
        })
      )
      // The transaction ended before it did, and its slots were given back.
      if (isGone(joined)) yield* hold(joined, keys, slots, region, options.note)
      return ran!
    })
  }

  /** A write's slots are held until the transaction ends, and filled or left empty then. */
  const during =
    (joined: Joined): During =>
    ({ goOn, intent, keys, request, run, slots: { note, ...slots }, taken }) => {
      const known = Effect.sync(() => {
        for (const key of keys) {
          const held = joined.transaction.held(slots.store, key)
          if (held !== undefined) taken.push(held.slot)
        }
      })
      const begin = Effect.andThen(known, Effect.andThen(goOn, intent?.put ?? Effect.void))
      const options = { fills: leavesValue(request), note, goOn: begin }
      return writing(joined, keys, slots, request, options, inlineWrite(slots.store, keys, run))
    }

  /**
   * Loads anew, and leaves the slot empty: the snapshot of a transaction may be from before the lease was taken, and what it gives older than
   * what others have acknowledged.
   */
  const refresh = (joined: Joined, store: Store, request: Request) =>
    Effect.uninterruptibleMask((restore) => {
      const { key, plan } = request
      const { failed, note } = firstOf(plan.region)
      const others = beside.filter((other) => other !== store)
      const slots = { context, store, others, leaseMillis: leaseOf(context, plan) }
      const goOn = Effect.suspend(() => {
        const error = failed()
        return error !== undefined && plan.region.onCacheError === "fail" ? Effect.fail(error) : Effect.void
      })
      const load = inlineWrite(store, [key], (work) => runLoader(context, work, request, { restore, shared: true }))
      return Effect.flatMap(
        writing(joined, [key], slots, request, { fills: false, note, goOn }, load),
        ([exit]) => exit
      )
    })

  /** Notes failures, and keeps the first for the caller. */
  const firstOf = (region: Region) => {
    let failure: CacheError | undefined
    const note: Note = (error) => {
      failure ??= error
      return context.record(region, error)
    }
    return { note, failed: () => failure }
  }

  /** What could not be unlinked at once is made up for after the commit. Gives how many were unlinked and nowhere counted. */
  const unlink = (joined: Joined, keys: ReadonlyArray<string>, only?: Store | undefined) =>
    Effect.uninterruptible(
      Effect.suspend(() => {
        const store = only ?? primary
        const others = only === undefined ? beside : []
        const slots = { context, store, others, leaseMillis: context.defaultLeaseMillis }
        const { failed, note } = firstOf(noRegion)
        return Effect.flatMap(hold(joined, keys, slots, noRegion, note), (held) => {
          for (const key of keys) joined.transaction.touch(joined.level, store, key)
          const error = failed()
          return error === undefined ? Effect.succeed(held) : Effect.fail(error)
        })
      })
    )

  /** What `CacheClient.set` gives. What cannot be stored is its caller's to hear of: after the commit nobody would be told. */
  const set = (joined: Joined, key: string, value: unknown, region: Region, params: unknown) =>
    Effect.uninterruptible(
      Effect.andThen(
        unlink(joined, [key]),
        Effect.suspend((): Effect.Effect<void, CacheError, unknown> => {
          const held = joined.transaction.held(primary, key)
          if (held?.slot.born === undefined) return Effect.void
          const { at } = held
          return Effect.map(held.slot.seal(region, params, value, 0), (sealed) => {
            // Beside a write that runs it is not known whose value is the newer.
            if (joined.fills && !isGone(joined) && held.running === 0 && held.at === at) {
              held.written = { region, sealed }
            }
          })
        })
      )
    )

  return { during, refresh, set, unlink }
}
