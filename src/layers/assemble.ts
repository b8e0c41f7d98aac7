/**
 * Where stores and engine meet: from the primitives of a store to the services a program uses.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { CacheConfig } from "../CacheConfig.ts"
import type { CacheError } from "../CacheError.ts"
import { type ClientOptions, makeClient } from "../engine/client.ts"
import { make as makeLockManager } from "../engine/locks.ts"
import { CacheBackend } from "../services/CacheBackend.ts"
import { CacheClient } from "../services/CacheClient.ts"
import type { CachePrimitives, Primitives } from "../services/CachePrimitives.ts"
import { LockManager, type LockStore } from "../services/LockManager.ts"
import { TagIndex } from "../services/TagIndex.ts"
import { guard, guardDefaults, type GuardOptions } from "../stores/guard/guard.ts"
import { makeMemoryPrimitives } from "../stores/memory/primitives.ts"

/** What every layer provides: the client that patterns use, and what it is built on. */
export type CacheServices = CacheClient | CacheBackend | TagIndex | LockManager

/** A store with nothing around it; its locks, or a lock manager that there is already. */
export interface BareStore extends Primitives {
  readonly locks: LockStore | LockManager["Service"]
}

/** The store of a layer. No type of a layer shows it: it is for layers that put others together. */
class Bare extends Context.Service<Bare, BareStore>()("effect-cache/layers/Bare") {}

/** What services of a layer stand for: those that are around a store, and the store itself. */
const within = new WeakMap<object, object>()

/** Layers of this package, and the layers of their stores, before the engine is put over them. */
const bare = new WeakMap<object, Layer.Layer<Bare, unknown, unknown>>()

/** Values that only `memoize` keeps, while the store it belongs to fails. */
const spareEntries = 1_000

export interface AssembleOptions extends Pick<ClientOptions, "spareKeeps" | "spareTtlMillis" | "same"> {
  /** In-process primitives to use while the backend is away. */
  readonly spare?: Primitives | undefined
  readonly guard?: Partial<GuardOptions> | undefined
}

/**
 * All services over a store.
 *
 * A store outside this process is guarded, always: a write whose invalidation was not acknowledged would otherwise be
 * followed by reads of what it replaced. The client and the services are over the guarded primitives.
 */
export const assemble = (
  store: BareStore,
  { guard: guardOptions, spare, ...options }: AssembleOptions = {}
): Effect.Effect<Context.Context<CacheServices>, CacheError, Scope.Scope> =>
  Effect.gen(function*() {
    const { backend, locks } = store
    const settings = yield* CacheConfig
    let clientOptions: ClientOptions = { primary: store, settings }
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
        store,
        { ...guardDefaults, timeoutMillis, ...guardOptions },
        Effect.ignore(inProcess.spare.backend.clear)
      )
      clientOptions = { primary, settings, inProcess, answers: primary.answers, breaker: primary.breaker, ...options }
    }
    const { primary } = clientOptions
    within.set(primary.backend, store.backend)
    within.set(primary.tags, store.tags)
    return Context.make(CacheClient, yield* makeClient(clientOptions)).pipe(
      Context.add(CacheBackend, primary.backend),
      Context.add(TagIndex, primary.tags),
      Context.add(LockManager, "withLock" in locks ? locks : makeLockManager(locks, { defaultTtl: settings.lockTtl }))
    )
  })

/** The layer over the store that `primitives` makes, in the scope of the layer: it is closed after the last load has ended. */
export const layerOf = <E, R>(
  primitives: Effect.Effect<CachePrimitives, E, R>
): Layer.Layer<CacheServices, E | CacheError, Exclude<R, Scope.Scope>> => {
  const store = Layer.effect(Bare, primitives)
  const layer = Layer.effectContext(Effect.flatMap(Bare, (made) => assemble(made))).pipe(Layer.provide(store))
  bare.set(layer, store)
  return layer
}

/**
 * The store of a layer. One that was made here is built without its engine, and shared with whoever has built the layer before.
 * Of any other the services are taken, each without what this package has put around it; what somebody else has, stays.
 */
const storeOf = <E, R>(layer: Layer.Layer<CacheServices, E, R>): Layer.Layer<Bare, E, R> =>
  (bare.get(layer) as Layer.Layer<Bare, E, R> | undefined) ??
  Layer.effect(
    Bare,
    Effect.map(Effect.context<CacheServices>(), (context) => ({
      backend: inner(Context.get(context, CacheBackend)),
      tags: inner(Context.get(context, TagIndex)),
      locks: Context.get(context, LockManager)
    }))
  ).pipe(Layer.provide(layer))

const inner = <S extends object>(service: S): S => (within.get(service) as S | undefined) ?? service

/** Builds the store of a layer in the scope of whoever asks; `fresh`: one of its own. */
export const buildStore = <E, R>(
  layer: Layer.Layer<CacheServices, E, R>,
  { fresh = false }: { readonly fresh?: boolean } = {}
): Effect.Effect<BareStore, E, R | Scope.Scope> => {
  const store = storeOf(layer)
  return Effect.map(Layer.build(fresh ? Layer.fresh(store) : store), (context) => Context.get(context, Bare))
}
