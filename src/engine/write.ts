/**
 * The write of write-through: the lease is taken over before the write, and the fill is fenced by it.
 */
import { Effect, Exit } from "effect"
import type { CacheError } from "../CacheError.ts"
import { normalizeKey } from "../CacheKey.ts"
import { asWriteToken } from "../protocol/lease.ts"
import { checked } from "../region/checks.ts"
import type { Region } from "../region/region.ts"
import { type Invalidations, paramsOf, type Request, type WriteRequest } from "./contract.ts"
import { leaseOf, type LoadContext } from "./land.ts"
import { inline, runLoader, withRenewal } from "./load.ts"
import type { Store } from "./store.ts"
import { holders, type Work } from "./work.ts"

interface Parts {
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

/**
 * Uninterruptible but for the write itself: once the write has begun, the slot is either filled by it or left empty,
 * whatever happens to the caller.
 *
 * Of several writers at once none leaves its value behind: who comes joins the lease, and it is void. Nobody knows in which order
 * the database committed. The lease ends with the last of them, and until then no reader stores what he loaded: so a writer that
 * dies after its commit leaves an empty slot, also beside others and beside invalidations, which make the lease void and leave it.
 */
export const makeWrite =
  (parts: Parts) => (request: WriteRequest, invalidations: (exit: Exit.Exit<unknown, unknown>) => Invalidations) =>
    Effect.uninterruptibleMask((restore) => steps(parts, request, invalidations, restore))

const steps = Effect.fnUntraced(function*(
  parts: Parts,
  request: WriteRequest,
  invalidations: (exit: Exit.Exit<unknown, unknown>) => Invalidations,
  restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
): Effect.fn.Return<unknown, unknown, unknown> {
  const { context, handOut, local, primary } = parts
  const { plan } = request
  const { region } = plan
  const store = region.codec === undefined ? local : primary
  let failure: CacheError | undefined
  const note = (error: CacheError): Effect.Effect<void> => {
    failure ??= error
    return context.record(region, error)
  }
  const slot =
    typeof request.key === "string" ? makeSlot(parts, store, { ...request, key: request.key }, note) : undefined
  if (slot === undefined) yield* note(request.key as CacheError)
  const run = (work: Work | undefined) => runLoader(context, work, request, { restore, shared: false })
  const goOn = Effect.suspend(() =>
    failure !== undefined && region.onCacheError === "fail" ? Effect.fail(failure) : Effect.void
  )
  const [exit] = yield* slot === undefined ? Effect.andThen(goOn, run(undefined)) : slot.during(goOn, run)

  // After the write: an invalidation before it could be undone by a load of the old rows. Also when the write failed,
  // because nobody knows what the database did.
  const { keys, patterns, refused = [], tags, thrown } = invalidations(exit)
  for (const error of refused) yield* note(error)
  const good: Array<string> = []
  for (const key of keys) {
    const normal = yield* Effect.result(checked(() => normalizeKey(key)))
    if (normal._tag === "Success") good.push(normal.success)
    else yield* note(normal.failure)
  }
  yield* Effect.catch(parts.invalidateKeys(good), note)
  for (const pattern of patterns) yield* Effect.catch(parts.invalidatePattern(pattern), note)
  yield* Effect.catch(parts.invalidateTags(tags), note)

  if (Exit.isFailure(exit)) return yield* exit
  if (thrown !== undefined) return yield* Effect.die(thrown.error)
  if (failure !== undefined && region.onCacheError === "fail") return yield* Effect.fail(failure)
  return yield* handOut(store, region, exit.value)
})

/** The slot of a write's own entry, from the take-over to the fill. What goes wrong is noted, never thrown. */
const makeSlot = (
  { beside, context }: Parts,
  store: Store,
  request: Request,
  note: (error: CacheError) => Effect.Effect<void>
) => {
  const { key, plan } = request
  const { region } = plan
  const leaseMillis = leaseOf(context, plan)
  const token = asWriteToken(context.makeToken())
  const others = beside.filter((other) => other !== store)
  const forget = Effect.forEach(others, ({ backend }) => Effect.ignore(backend.remove([key])), { discard: true })
  const disown = store.orphans.add(key, token, leaseMillis)
  /** The last resort when a take-over, a fill or a release went wrong: nothing may be left in the slot. */
  const empty = Effect.andThen(
    Effect.catch(Effect.asVoid(store.backend.remove([key])), note),
    // An invalidation makes the lease void, and leaves it.
    disown
  )
  const release = Effect.catch(Effect.asVoid(store.backend.release(key, token, "unlink")), () => empty)
  let born: number | undefined
  /** The lease was not taken, as far as is known. */
  let failed = false

  const begin = Effect.andThen(
    forget,
    // It may have been carried out all the same; the lease must not stay behind for its whole TTL.
    Effect.matchEffect(
      Effect.onError(store.takeOver(key, token, leaseMillis, "write"), () => disown),
      {
        onFailure: (error) => {
          failed = true
          return note(error)
        },
        onSuccess: ({ epoch }) =>
          Effect.sync(() => {
            born = epoch
          })
      }
    )
  )

  const fill = (value: unknown, born: number, loadMillis: number) =>
    Effect.gen(function*() {
      const origin = { born, loadMillis, defaultTtl: context.defaultTtlMillis }
      const sealed = yield* Effect.result(
        Effect.onError(store.sealer.sealNow(region, key, value, paramsOf(request), origin), () => release)
      )
      if (sealed._tag === "Failure") return yield* note(sealed.failure)
      // Who was not alone leaves no entry (`"unlink"`), and never sets its value blindly.
      const filled = yield* Effect.result(store.fill(region, key, token, sealed.success, "unlink"))
      if (filled._tag === "Failure") yield* Effect.andThen(note(filled.failure), empty)
      else if (!filled.success) context.counters(region).counts.rejectedFills++
    })

  const end = (exit: Exit.Exit<unknown, unknown>, loadMillis: number) =>
    Effect.andThen(
      forget,
      Effect.suspend((): Effect.Effect<void, never, unknown> => {
        if (born === undefined) return empty
        return Exit.isFailure(exit) ? release : fill(exit.value, born, loadMillis)
      })
    )

  /** The whole of it: a load of this process that waits for the lease is known to wait for this. */
  const during = <E, R>(
    goOn: Effect.Effect<void, E>,
    run: (work: Work) => Effect.Effect<readonly [exit: Exit.Exit<unknown, unknown>, millis: number], never, R>
  ) =>
    inline("write", store, key, (work) =>
      Effect.gen(function*() {
        holders.set(token, work)
        yield* begin
        // Nothing was written yet, so failing here loses nothing.
        yield* goOn
        const ran = yield* withRenewal(store, key, token, leaseMillis, run(work))
        yield* end(...ran)
        return ran
      }).pipe(
        // Whatever is thrown: nobody knows how far the write came.
        Effect.onError(() => (failed ? Effect.void : release)),
        Effect.ensuring(Effect.sync(() => holders.delete(token)))
      )
    )

  return { during }
}
