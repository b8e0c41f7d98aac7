/**
 * The way of a write: the leases of what it changes are taken over before it, and what it made old goes after it.
 */
import { Effect, Exit } from "effect"
import type { CacheError } from "../CacheError.ts"
import { normalizeKey } from "../CacheKey.ts"
import { checked } from "../region/checks.ts"
import type { Region } from "../region/region.ts"
import type { Invalidations, WriteRequest } from "./contract.ts"
import { leaseOf, type LoadContext } from "./land.ts"
import { inline, type Restore, runLoader } from "./load.ts"
import { each, keeping, type Note, Slot } from "./slot.ts"
import type { Store } from "./store.ts"
import { holders, type Work } from "./work.ts"

export interface WriteParts {
  readonly context: LoadContext
  readonly primary: Store
  readonly local: Store
  /** The in-process stores beside the primary: they must not keep what the write made old. */
  readonly beside: ReadonlyArray<Store>
  readonly handOut: (store: Store, region: Region, value: unknown) => Effect.Effect<unknown, unknown, unknown>
  readonly invalidateKeys: (keys: Iterable<string>) => Effect.Effect<void, CacheError>
  readonly invalidatePattern: (pattern: string) => Effect.Effect<void, CacheError>
  readonly invalidateTags: (tags: Iterable<string>) => Effect.Effect<void, CacheError>
}

type ListsOf = (exit: Exit.Exit<unknown, unknown>) => Invalidations

/**
 * Uninterruptible but for the write itself: once the write has begun, its slots are either filled by it or left empty,
 * whatever happens to the caller.
 */
export const makeWrite = (parts: WriteParts) => (request: WriteRequest, invalidations: ListsOf) =>
  Effect.uninterruptibleMask((restore) => steps(parts, request, invalidations, restore))

const steps = Effect.fnUntraced(function*(
  parts: WriteParts,
  request: WriteRequest,
  invalidations: ListsOf,
  restore: Restore
): Effect.fn.Return<unknown, unknown, unknown> {
  const { context, handOut, local, primary } = parts
  const { keys, plan } = request
  const { region } = plan
  const store = region.codec === undefined ? local : primary
  let failure: CacheError | undefined
  const note: Note = (error) => {
    failure ??= error
    return context.record(region, error)
  }
  const others = parts.beside.filter((other) => other !== store)
  const slotParts = { context, store, others, leaseMillis: leaseOf(context, plan), note }
  const slots = Array.isArray(keys) ? keys.map((key) => new Slot(slotParts, key)) : []
  if (!Array.isArray(keys)) yield* note(keys as CacheError)
  const run = (work: Work | undefined) => runLoader(context, work, request, { restore, shared: false })
  const goOn = Effect.suspend(() =>
    failure !== undefined && region.onCacheError === "fail" ? Effect.fail(failure) : Effect.void
  )
  const ran = yield* slots.length === 0
    ? Effect.andThen(goOn, run(undefined))
    : during(store, request, slots, slotParts.leaseMillis, goOn, run)
  const [exit] = ran

  // After the write: an invalidation before it could be undone by a load of the old rows. Also when the write failed,
  // because nobody knows what the database did.
  const lists = invalidations(exit)
  const { thrown } = lists
  for (const error of lists.refused ?? []) yield* note(error)
  const good: Array<string> = []
  for (const key of lists.keys) {
    const normal = yield* Effect.result(checked(() => normalizeKey(key)))
    if (normal._tag === "Success") good.push(normal.success)
    else yield* note(normal.failure)
  }
  yield* Effect.catch(parts.invalidateKeys(good), note)
  for (const pattern of lists.patterns) yield* Effect.catch(parts.invalidatePattern(pattern), note)
  yield* Effect.catch(parts.invalidateTags(lists.tags), note)

  if (Exit.isFailure(exit)) return yield* exit
  if (thrown !== undefined) return yield* Effect.die(thrown.error)
  if (failure !== undefined && region.onCacheError === "fail") return yield* Effect.fail(failure)
  return yield* handOut(store, region, exit.value)
})

type Ran = readonly [exit: Exit.Exit<unknown, unknown>, millis: number]

/** The write between the take-over of its slots and their end: a load of this process that waits for a lease is known to wait for this. */
const during = <E, R>(
  store: Store,
  request: WriteRequest,
  slots: ReadonlyArray<Slot>,
  leaseMillis: number,
  goOn: Effect.Effect<void, E>,
  run: (work: Work) => Effect.Effect<Ran, never, R>
): Effect.Effect<Ran, E, unknown> => {
  const { key } = slots[0]!
  const end = ([exit, loadMillis]: Ran) =>
    request.fills && Exit.isSuccess(exit)
      ? slots[0]!.fill({ ...request, key }, exit.value, loadMillis)
      : each(slots, (slot) => slot.end)
  const body = (work: Work) =>
    Effect.gen(function*() {
      for (const { token } of slots) holders.set(token, work)
      yield* each(slots, (slot) => slot.begin)
      // Nothing was written yet, so failing here loses nothing.
      yield* goOn
      const ran = yield* keeping(store, slots, leaseMillis, run(work))
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
  return inline("write", store, key, body, slots.length === 1 ? undefined : new Set(slots.map((slot) => slot.key)))
}
