/**
 * The write of write-through: the lease is taken over before the write, and the fill is fenced by it.
 */
import { Effect, Exit } from "effect"
import type { CacheError } from "../../CacheError.ts"
import type { Region } from "../region.ts"
import type { Invalidations } from "../../services/CacheClient.ts"
import { type LoadContext, paramsOf, type Request, runLoader, withRenewal } from "./load.ts"
import type { Store } from "./store.ts"

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
 * Of two writers at once neither leaves its value behind: the second takes the lease over, so the first finds it lost and
 * unlinks entry and lease, and the second finds its lease gone and does the same. Nobody knows in which order the database
 * committed. A writer that dies after its commit leaves an empty slot, because the entry was removed at the start.
 */
export const makeWrite = (parts: Parts) => (request: Request, invalidations: (value: unknown) => Invalidations) =>
  Effect.uninterruptibleMask((restore) => steps(parts, request, invalidations, restore))

const steps = Effect.fnUntraced(function*(
  { beside, context, handOut, invalidateKeys, invalidatePattern, invalidateTags, local, primary }: Parts,
  request: Request,
  invalidations: (value: unknown) => Invalidations,
  restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
): Effect.fn.Return<unknown, unknown, unknown> {
  const { key, plan } = request
  const { region } = plan
  const store = region.codec === undefined ? local : primary
  const leaseMillis = plan.leaseMillis ?? context.defaultLeaseMillis
  const token = context.makeToken()
  const others = beside.filter((other) => other !== store)
  const forget = Effect.forEach(others, ({ backend }) => Effect.ignore(backend.remove([key])), { discard: true })
  let failure: CacheError | undefined
  const note = (error: CacheError): Effect.Effect<void> => {
    failure ??= error
    return context.record(region, error)
  }
  /** The last resort of a write whose fill or release went wrong: nothing may be left in the slot. */
  const empty = Effect.catch(Effect.asVoid(store.backend.remove([key])), (error) =>
    Effect.andThen(store.orphans.add(key, token, leaseMillis), note(error))
  )

  yield* forget
  const began = yield* Effect.result(store.takeOver(key, token, leaseMillis, true))
  if (began._tag === "Failure") {
    yield* note(began.failure)
    // Nothing was written yet, so failing here loses nothing.
    if (region.onCacheError === "fail") return yield* Effect.fail(began.failure)
  }

  const [exit, loadMillis] = yield* withRenewal(
    store,
    key,
    token,
    leaseMillis,
    runLoader(context, store, request, restore)
  )
  yield* forget
  if (Exit.isFailure(exit)) {
    // Nobody knows what the database did, so the slot stays empty.
    yield* began._tag === "Success"
      ? Effect.catch(Effect.asVoid(store.backend.release(key, token, "unlink")), () => empty)
      : empty
    return yield* exit
  }

  if (began._tag === "Failure") {
    yield* empty
  } else {
    const sealed = yield* Effect.result(
      store.seal(region, key, exit.value, paramsOf(request), {
        born: began.success,
        loadMillis,
        defaultTtl: context.defaultTtlMillis
      })
    )
    if (sealed._tag === "Failure") {
      yield* note(sealed.failure)
      yield* Effect.catch(Effect.asVoid(store.backend.release(key, token, "unlink")), () => empty)
    } else {
      // The losing writer unlinks (`"unlink"`), and never sets its value blindly.
      const filled = yield* Effect.result(store.fill(key, token, sealed.success, "unlink"))
      if (filled._tag === "Failure") {
        yield* note(filled.failure)
        yield* empty
      } else if (!filled.success) {
        context.counters(region).counts.rejectedFills++
      }
    }
  }

  // After the write: an invalidation before it could be undone by a load of the old rows.
  const { keys, patterns, tags } = invalidations(exit.value)
  yield* Effect.catch(invalidateKeys(keys), note)
  for (const pattern of patterns) yield* Effect.catch(invalidatePattern(pattern), note)
  yield* Effect.catch(invalidateTags(tags), note)
  if (failure !== undefined && region.onCacheError === "fail") return yield* Effect.fail(failure)
  return yield* handOut(store, region, exit.value)
})
