/**
 * The slot of a key that is being written: its lease from the take-over to the fill, or to where it is left empty. What goes wrong is
 * noted, never thrown.
 *
 * Of several writers at once none leaves its value behind: who comes joins the lease, and it is void. Nobody knows in which order
 * the database committed. The lease ends with the last of them, and until then no reader stores what he loaded: so a writer that
 * dies after its commit leaves an empty slot, also beside others and beside invalidations, which make the lease void and leave it.
 */
import { Effect } from "effect"
import type { CacheError } from "../CacheError.ts"
import { inSteps, stepSize } from "../internal/inSteps.ts"
import { asWriteToken } from "../protocol/lease.ts"
import type { Region } from "../region/region.ts"
import type { Give, Intent, Stored } from "../services/CacheBackend.ts"
import type { LeasedIntent } from "./intents.ts"
import type { LoadContext } from "./land.ts"
import { withRenewal } from "./load.ts"
import type { Sealed } from "./seal.ts"
import type { Store } from "./store.ts"

/** What went wrong with the cache beside a write. */
export type Note = (error: CacheError) => Effect.Effect<void>

export interface SlotParts {
  readonly context: LoadContext
  readonly store: Store
  /** The in-process stores beside it: they must not keep what the write makes old. */
  readonly others: ReadonlyArray<Store>
  readonly leaseMillis: number
  readonly note: Note
  /** What is asked for of the entry that each unlinks. */
  readonly give?: Give | undefined
}

export class Slot {
  readonly key: string
  readonly token: string
  /** The epoch from before the write; `undefined`: the lease was not taken, as far as is known. */
  born: number | undefined = undefined
  /** The take-over has failed. */
  failed = false
  /** Of the entry that was unlinked, what was asked for. */
  unlinked: Stored | undefined = undefined
  readonly #parts: SlotParts
  /** Is put down along with the lease. */
  readonly #intent: LeasedIntent | undefined

  constructor(parts: SlotParts, key: string, intent?: LeasedIntent) {
    this.#parts = parts
    this.#intent = intent
    this.key = key
    this.token = intent?.token ?? asWriteToken(parts.context.makeToken())
  }

  get #forget() {
    return Effect.suspend(() =>
      Effect.forEach(this.#parts.others, ({ backend }) => Effect.ignore(backend.remove([this.key])), { discard: true })
    )
  }

  get leaseMillis(): number {
    return this.#parts.leaseMillis
  }

  /** Of a lease that is perhaps held still. */
  get disown() {
    return Effect.suspend(() => {
      const { leaseMillis, store } = this.#parts
      return store.orphans.add(this.key, this.token, leaseMillis)
    })
  }

  /** Unlinks the entry and takes the lease, from whoever loads or beside who writes. */
  get begin(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { give, leaseMillis, note, store } = this.#parts
      const take = (intent?: Intent) => store.takeOver(this.key, this.token, leaseMillis, "write", give, intent)
      const taken = this.#intent === undefined ? take() : this.#intent.within(take)
      return Effect.andThen(
        this.#forget,
        // It may have been carried out all the same; the lease must not stay behind for its whole TTL.
        Effect.matchEffect(
          Effect.onError(taken, () => this.disown),
          {
            onFailure: (error) => {
              this.failed = true
              return note(error)
            },
            onSuccess: ({ epoch, unlinked }) =>
              Effect.sync(() => {
                this.born = epoch
                this.unlinked = unlinked
              })
          }
        )
      )
    })
  }

  /** `false`: it is held no more. */
  get renew() {
    return Effect.suspend(() => {
      const { leaseMillis, store } = this.#parts
      return store.backend.renew(this.key, this.token, leaseMillis)
    })
  }

  /** Leaves it empty, and gives the lease back. */
  get leave(): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.catch(Effect.asVoid(this.#parts.store.backend.release(this.key, this.token, "unlink")), () => this.#empty)
    )
  }

  /** Leaves it empty, and the lease to its time to live: nobody fills until then. */
  get abandon(): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.andThen(
        this.#forget,
        Effect.catch(Effect.asVoid(this.#parts.store.backend.remove([this.key])), this.#parts.note)
      )
    )
  }

  /** The last resort when a take-over, a fill or a release went wrong: nothing may be left in the slot. */
  get #empty(): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.andThen(
        Effect.catch(Effect.asVoid(this.#parts.store.backend.remove([this.key])), this.#parts.note),
        // An invalidation makes the lease void, and leaves it.
        this.disown
      )
    )
  }

  /** The end of a write that leaves nothing. */
  get end(): Effect.Effect<void> {
    return Effect.suspend(() => Effect.andThen(this.#forget, this.born === undefined ? this.#empty : this.leave))
  }

  /** What is to be stored of a value. */
  seal(
    region: Region,
    params: unknown,
    value: unknown,
    loadMillis: number
  ): Effect.Effect<Sealed, CacheError, unknown> {
    const { context, store } = this.#parts
    const origin = { born: this.born ?? 0, loadMillis, defaultTtl: context.defaultTtlMillis }
    return store.sealer.sealNow(region, this.key, value, params, origin)
  }

  /** The end of a write that has succeeded: its value, if the lease was its own alone throughout. */
  fill(region: Region, params: unknown, value: unknown, loadMillis: number): Effect.Effect<void, never, unknown> {
    return Effect.andThen(
      this.#forget,
      Effect.suspend(() =>
        this.born === undefined
          ? this.#empty
          : Effect.matchEffect(
              Effect.onError(this.seal(region, params, value, loadMillis), () => this.leave),
              { onFailure: this.#parts.note, onSuccess: (sealed) => this.#put(region, sealed) }
            )
      )
    )
  }

  /** The same of what was sealed before. */
  fillSealed(region: Region, sealed: Sealed): Effect.Effect<void> {
    return Effect.andThen(
      this.#forget,
      Effect.suspend(() => (this.born === undefined ? this.#empty : this.#put(region, sealed)))
    )
  }

  #put(region: Region, sealed: Sealed): Effect.Effect<void> {
    const { context, note, store } = this.#parts
    const { key, token } = this
    // Who was not alone leaves no entry (`"unlink"`), and never sets its value blindly.
    return Effect.matchEffect(store.fill(region, key, token, sealed, "unlink"), {
      onFailure: (error) => Effect.andThen(note(error), this.#empty),
      onSuccess: (filled) =>
        filled
          ? store.lacksMarkers(sealed.tags)
            ? context.manyTags(region)
            : Effect.void
          : Effect.withFiber((fiber) => Effect.succeed(context.counters(region).refused(fiber.context)))
    })
  }
}

/** The same for each of many, a step at a time. */
export const each = (
  slots: ReadonlyArray<Slot>,
  does: (slot: Slot) => Effect.Effect<void, never, unknown>
): Effect.Effect<void, never, unknown> =>
  slots.length === 1
    ? does(slots[0]!)
    : Effect.asVoid(
        inSteps(slots, stepSize, (step) => Effect.forEach(step, does, { concurrency: "unbounded", discard: true }))
      )

/** Keeps the leases while `body` runs. */
export const keeping = <A, E, R>(
  store: Store,
  slots: ReadonlyArray<Slot>,
  leaseMillis: number,
  body: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => withRenewal(store, renewalOf(slots), leaseMillis, body)

/** `false`: none of them is held any more. */
export const renewalOf = (slots: ReadonlyArray<Slot>): Effect.Effect<boolean, CacheError> => {
  if (slots.length === 1) return slots[0]!.renew
  let kept = slots
  const renewOne = (slot: Slot) =>
    Effect.suspend(() => {
      // It may be about to be taken, also while this is asked.
      const isToCome = slot.born === undefined && !slot.failed
      return Effect.map(
        Effect.catch(slot.renew, () => Effect.succeed(true)),
        (held) => (held || isToCome ? [slot] : [])
      )
    })
  return Effect.suspend(() =>
    Effect.map(
      inSteps(kept, stepSize, (step) => Effect.forEach(step, renewOne, { concurrency: "unbounded" })),
      (steps) => {
        kept = steps.flat(2)
        return kept.length > 0
      }
    )
  )
}
