/**
 * From the primitives of a backend to the services a program uses.
 */
import { Context, Effect, type Scope } from "effect"
import { CacheConfig } from "../CacheConfig.ts"
import type { CacheError } from "../CacheError.ts"
import { CacheBackend } from "../services/CacheBackend.ts"
import { CacheClient } from "../services/CacheClient.ts"
import { LockManager, type LockStore, make as makeLockManager } from "../services/LockManager.ts"
import { TagIndex } from "../services/TagIndex.ts"
import { type ClientOptions, makeClient } from "./client/client.ts"
import type { Primitives } from "./client/store.ts"
import { makeMemoryPrimitives } from "./memoryPrimitives.ts"

/** What every layer provides: the client that patterns use, and what it is built on. */
export type CacheServices = CacheClient | CacheBackend | TagIndex | LockManager

/** Values that only `memoize` keeps, while the store it belongs to fails. */
const spareEntries = 1_000

interface OverOptions extends Pick<ClientOptions, "spareKeeps" | "spareTtlMillis" | "strict"> {
  readonly spare?: Primitives | undefined
}

/** The client over some primitives; beside a store of bytes, with the in-process stores it needs. */
export const makeClientOver = (
  primary: Primitives,
  options: OverOptions = {}
): Effect.Effect<CacheClient["Service"], CacheError, Scope.Scope> =>
  Effect.gen(function*() {
    const settings = yield* CacheConfig
    const { spare, ...rest } = options
    const inProcess = primary.backend.format === "values" && spare === undefined ? undefined : {
      local: yield* makeMemoryPrimitives({ maxEntries: settings.localMaxEntries, name: "local" }),
      spare: spare ?? (yield* makeMemoryPrimitives({ maxEntries: spareEntries, name: "spare" }))
    }
    return yield* makeClient({ primary, settings, inProcess, ...rest })
  })

/** All services over the primitives of a backend, and a store of locks or a lock manager that there is already. */
export const assemble = (
  primitives: Primitives & { readonly locks: LockStore | LockManager["Service"] },
  options?: OverOptions
): Effect.Effect<Context.Context<CacheServices>, CacheError, Scope.Scope> =>
  Effect.gen(function*() {
    const settings = yield* CacheConfig
    const client = yield* makeClientOver(primitives, options)
    return Context.make(CacheClient, client).pipe(
      Context.add(CacheBackend, primitives.backend),
      Context.add(TagIndex, primitives.tags),
      Context.add(
        LockManager,
        "withLock" in primitives.locks
          ? primitives.locks
          : makeLockManager(primitives.locks, { defaultTtl: settings.lockTtl })
      )
    )
  })
