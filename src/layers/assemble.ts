/**
 * From the primitives of a backend to the services a program uses.
 */
import { make as makeLockManager } from "../engine/locks.ts"
import type { Primitives } from "../services/CachePrimitives.ts"
import { Context, Effect, type Scope } from "effect"
import { CacheConfig } from "../CacheConfig.ts"
import type { CacheError } from "../CacheError.ts"
import { CacheBackend } from "../services/CacheBackend.ts"
import { CacheClient } from "../services/CacheClient.ts"
import { LockManager, type LockStore } from "../services/LockManager.ts"
import { TagIndex } from "../services/TagIndex.ts"
import { type ClientOptions, makeClient } from "../engine/client.ts"
import { guard, guardDefaults, type GuardOptions } from "../stores/guard/guard.ts"
import { makeMemoryPrimitives } from "../stores/memory/primitives.ts"

/** What every layer provides: the client that patterns use, and what it is built on. */
export type CacheServices = CacheClient | CacheBackend | TagIndex | LockManager

/** Values that only `memoize` keeps, while the store it belongs to fails. */
const spareEntries = 1_000

export interface AssembleOptions extends Pick<ClientOptions, "spareKeeps" | "spareTtlMillis" | "same"> {
  /** In-process primitives to use while the backend is away. */
  readonly spare?: Primitives | undefined
  readonly guard?: Partial<GuardOptions> | undefined
}

/**
 * All services over the primitives of a backend, and a store of locks or a lock manager that there is already.
 *
 * A backend outside this process is guarded, always: a write whose invalidation was not acknowledged would otherwise be
 * followed by reads of what it replaced. The client sees the guarded primitives; the services are the bare ones.
 */
export const assemble = (
  primitives: Primitives & { readonly locks: LockStore | LockManager["Service"] },
  { guard: guardOptions, spare, ...options }: AssembleOptions = {}
): Effect.Effect<Context.Context<CacheServices>, CacheError, Scope.Scope> =>
  Effect.gen(function*() {
    const { backend, locks, tags } = primitives
    const settings = yield* CacheConfig
    let clientOptions: ClientOptions = { primary: primitives, settings }
    if (backend.local === undefined) {
      const { isolation } = backend
      const inProcess = {
        local: yield* makeMemoryPrimitives({ maxEntries: settings.localMaxEntries, name: "local", isolation }),
        spare:
          spare === undefined
            ? yield* makeMemoryPrimitives({ maxEntries: spareEntries, name: "spare", isolation })
            : isolation === "clone"
              ? { ...spare, backend: { ...spare.backend, isolation } }
              : spare
      }
      const timeoutMillis = backend.deadlineMillis ?? guardDefaults.timeoutMillis
      const primary = yield* guard(
        primitives,
        { ...guardDefaults, timeoutMillis, ...guardOptions },
        Effect.ignore(inProcess.spare.backend.clear)
      )
      clientOptions = { primary, settings, inProcess, answers: primary.answers, ...options }
    }
    return Context.make(CacheClient, yield* makeClient(clientOptions)).pipe(
      Context.add(CacheBackend, backend),
      Context.add(TagIndex, tags),
      Context.add(LockManager, "withLock" in locks ? locks : makeLockManager(locks, { defaultTtl: settings.lockTtl }))
    )
  })
