/**
 * The way of a write: the leases of what it changes are taken over before it, and what it made old goes after it.
 */
import { Effect, Exit } from "effect"
import { CacheError } from "../CacheError.ts"
import type { Region } from "../region/region.ts"
import type { ListsOf, WriteRequest } from "./contract.ts"
import { leaseOf, type LoadContext } from "./land.ts"
import type { LeasedIntent, WriteIntent } from "./intents.ts"
import { inline, type Restore, runLoader, withRenewal } from "./load.ts"
import { leavesValue, madeOld } from "./madeOld.ts"
import { normalEach } from "./many.ts"
import { giveOf, replacedBy } from "./replaced.ts"
import { each, keeping, type Note, renewalOf, Slot, type SlotParts } from "./slot.ts"
import type { Store } from "./store.ts"
import { holders, type Work } from "./work.ts"

export interface WriteParts {
  readonly context: LoadContext
  readonly primary: Store
  readonly local: Store
  /** The in-process stores beside the primary: they must not keep what the write made old. */
  readonly beside: ReadonlyArray<Store>
  readonly handOut: (store: Store, region: Region, value: unknown) => Effect.Effect<unknown, unknown, unknown>
  /** What is stored, as a caller gets it. */
  readonly handOutStored: WriteParts["handOut"]
  /** Holds the slots while the write runs, and ends them. */
  readonly during: During
  /** What is known of it to others before it begins; `undefined`: nothing. */
  readonly intentOf: (
    request: WriteRequest,
    /** The first that it holds, as it is stored. */
    key: string | undefined,
    leaseMillis: number,
    note: Note
  ) => WriteIntent | LeasedIntent | undefined
  readonly invalidateKeys: (keys: Iterable<string>) => Effect.Effect<void, CacheError>
  readonly invalidatePattern: (pattern: string) => Effect.Effect<void, CacheError>
  readonly invalidateTags: (tags: Iterable<string>) => Effect.Effect<void, CacheError>
}

/** What becomes of a write, and how long it took. */
export type Ran = readonly [exit: Exit.Exit<unknown, unknown>, millis: number]

/** A write, and the slots that it holds. */
export interface Holding {
  readonly request: WriteRequest
  readonly keys: ReadonlyArray<string>
  readonly slots: SlotParts
  /** Those that were taken over, told so. */
  readonly taken: Array<Slot>
  /** To be put down along with the first of the leases, and renewed along with all of them. */
  readonly intent: WriteIntent | LeasedIntent | undefined
  /** To be run when the slots are held: fails where nothing may be written. */
  readonly goOn: Effect.Effect<void, CacheError>
  readonly run: (work: Work | undefined) => Effect.Effect<Ran, never, unknown>
}

export type During = (holding: Holding) => Effect.Effect<Ran, CacheError, unknown>

/**
 * Uninterruptible but for the write itself: once the write has begun, its slots are either filled by it or left empty,
 * whatever happens to the caller.
 */
export const makeWrite = (parts: WriteParts) => (request: WriteRequest, lists: ListsOf) =>
  Effect.uninterruptibleMask((restore) => steps(parts, request, lists, restore))

const steps = Effect.fnUntraced(function*(
  parts: WriteParts,
  request: WriteRequest,
  lists: ListsOf,
  restore: Restore
): Effect.fn.Return<unknown, unknown, unknown> {
  const { context, handOut, local, primary } = parts
  const { keys, plan } = request
  const { region } = plan
  // Values without a schema are nowhere else. What leaves none may be about any key.
  const store = region.codec === undefined && request.fills ? local : primary
  let failure: CacheError | undefined
  const note: Note = (error) => {
    failure ??= error
    return context.record(region, error)
  }
  const others = parts.beside.filter((other) => other !== store)
  const slots = { context, store, others, leaseMillis: leaseOf(context, plan), note, give: giveOf(request) }
  const { good, refused } = keys instanceof CacheError ? { good: [], refused: [keys] } : yield* normalEach(keys)
  for (const error of refused) yield* note(error)
  const run = (work: Work | undefined) => runLoader(context, work, request, { restore, shared: false })
  const goOn = Effect.suspend(() =>
    failure !== undefined && region.onCacheError === "fail" ? Effect.fail(failure) : Effect.void
  )
  yield* goOn
  const { leaseMillis } = slots
  const taken: Array<Slot> = []
  const intent = parts.intentOf(request, good[0], leaseMillis, (error) => context.record(region, error))
  const writing =
    good.length === 0
      ? Effect.andThen(intent === undefined ? Effect.void : intent.put, run(undefined))
      : parts.during({ request, keys: good, slots, taken, intent, goOn, run })
  const written = Effect.gen(function*() {
    const [exit] = yield* writing
    // After the write: an invalidation before it could be undone by a load of the old rows. Also when the write failed,
    // because nobody knows what the database did.
    let acknowledged = true
    const missed: Note = (error) => {
      acknowledged = false
      return note(error)
    }
    const old = yield* madeOld(request, lists, exit, replacedBy(taken, store, region, parts.handOutStored))
    for (const error of old.refused) yield* note(error)
    const { created } = old
    if (created !== undefined) yield* Effect.catch(parts.invalidateKeys([created]), missed)
    if (old.keys.length > 0) yield* Effect.catch(parts.invalidateKeys(old.keys), missed)
    for (const pattern of old.patterns) yield* Effect.catch(parts.invalidatePattern(pattern), missed)
    if (old.tags.length > 0) yield* Effect.catch(parts.invalidateTags(old.tags), missed)
    return { acknowledged, exit, old }
  })
  // Renewed to the end of its lists, or others begin them, too. It fails where nothing was written. What is thrown says nothing
  // of the database: then it is left to its end.
  const { acknowledged, exit, old } = yield* intent === undefined
    ? written
    : Effect.tapError(keepingIntent(primary, taken, intent, leaseMillis, written), () => intent.drop)
  // What was not acknowledged is left to its end as well: this process may not live to make up for it.
  if (intent !== undefined && acknowledged) yield* intent.drop

  if (Exit.isFailure(exit)) return yield* exit
  if (old.thrown !== undefined) return yield* Effect.die(old.thrown.error)
  if (failure !== undefined && region.onCacheError === "fail") return yield* Effect.fail(failure)
  // What is not stored is nobody else's.
  if (!request.fills) return exit.value
  return yield* handOut(store, region, exit.value)
})

/** Keeps the intent of a write, and the leases along with it. */
const keepingIntent = <A, E, R>(
  store: Store,
  slots: ReadonlyArray<Slot>,
  { renew }: WriteIntent,
  leaseMillis: number,
  body: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  if (renew === undefined) return body
  let leases: Effect.Effect<unknown, CacheError> | undefined
  // The slots are not known before it has begun.
  const both = Effect.suspend(() => Effect.andThen(Effect.ignore((leases ??= renewalOf(slots))), renew))
  return withRenewal(store, Effect.as(both, true), leaseMillis, body)
}

/** A load of this process that waits for one of the leases is known to wait for the write. */
export const during: During = ({ goOn, intent, keys, request, run, slots: parts, taken }) => {
  const { leaseMillis, store } = parts
  const leased = intent !== undefined && "within" in intent ? intent : undefined
  const slots = keys.map((key, i) => new Slot(parts, key, i === 0 ? leased : undefined))
  taken.push(...slots)
  const end = ([exit, loadMillis]: Ran) =>
    leavesValue(request) && Exit.isSuccess(exit)
      ? slots[0]!.fill(request.plan.region, request.params, exit.value, loadMillis)
      : each(slots, (slot) => slot.end)
  return inlineWrite(store, keys, (work) =>
    Effect.gen(function*() {
      for (const { token } of slots) holders.set(token, work)
      yield* each(slots, (slot) => slot.begin)
      // Nothing was written yet, so failing here loses nothing.
      yield* goOn
      const running = run(work)
      // With an intent they are renewed along with that.
      const ran = yield* leased === undefined ? keeping(store, slots, leaseMillis, running) : running
      yield* end(ran)
      return ran
    }).pipe(
      // Whatever is thrown: nobody knows how far the write came.
      Effect.onError(() => each(slots, (slot) => (slot.failed ? Effect.void : slot.leave))),
      Effect.ensuring(
        Effect.sync(() => {
          for (const { token } of slots) holders.delete(token)
        })
      )
    )
  )
}

/** A write of these keys, in the fiber of its caller. */
export const inlineWrite = <A, E, R>(
  store: Store,
  keys: ReadonlyArray<string>,
  body: (work: Work) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => inline("write", store, keys[0]!, body, keys.length === 1 ? undefined : new Set(keys))
