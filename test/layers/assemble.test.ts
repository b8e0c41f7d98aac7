/**
 * What layers are put together from: stores, one client over them, and services that are guarded.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Schema, type Scope } from "effect"
import {
  cacheAside,
  CacheBackend,
  CacheClient,
  CacheConfig,
  CacheFallback,
  CacheLayer,
  CacheMemory,
  type CachePrimitives,
  LockManager,
  TagIndex
} from "effect-cache"
import { CacheError, Unavailable } from "../../src/CacheError.ts"
import { make as makeLockManager } from "../../src/engine/locks.ts"
import { makeMemoryPrimitives } from "../../src/stores/memory/primitives.ts"

/** Memory as a store that needs trips; how often it was opened and closed, and whether it is broken. */
const remote = () => {
  const state = { opened: 0, closed: 0, broken: false, asked: 0 }
  const open: Effect.Effect<CachePrimitives, CacheError, Scope.Scope> = Effect.gen(function*() {
    state.opened++
    yield* Effect.addFinalizer(() => Effect.sync(() => state.closed++))
    const { backend, locks, tags } = yield* makeMemoryPrimitives({ name: "remote" })
    const epoch = Effect.suspend((): Effect.Effect<number, CacheError> => {
      state.asked++
      return state.broken
        ? Effect.fail(
            new CacheError({ reason: new Unavailable({ backend: "remote", operation: "epoch", cause: "no" }) })
          )
        : tags.epoch
    })
    return { backend: { ...backend, local: undefined, fast: undefined }, tags: { ...tags, epoch }, locks }
  })
  return { state, layer: CacheLayer.make(open) }
}

/** Counts the clients that are built: each asks for the default TTL once. */
const countingSettings = () => {
  const counted = { clients: 0 }
  const layer = Layer.effect(
    CacheConfig,
    Effect.map(CacheConfig, (settings) => ({
      ...settings,
      get defaultTtl() {
        counted.clients++
        return settings.defaultTtl
      }
    }))
  )
  return { counted, layer }
}

const answer = Effect.succeed(42).pipe(cacheAside({ key: "answer", schema: Schema.Number, ttl: "1 minute" }))

describe("layers", () => {
  it.effect("a fallback is put together from stores: one client, whatever is under it", () =>
    Effect.gen(function*() {
      const { layer, state } = remote()
      const settings = countingSettings()
      const fallback = CacheFallback.layer({ primary: layer, fallback: CacheMemory.layer() })
      assert.strictEqual(yield* Effect.provide(answer, fallback.pipe(Layer.provide(settings.layer))), 42)
      assert.deepStrictEqual([settings.counted.clients, state.opened, state.closed], [1, 1, 1])
    })
  )

  it.effect("a primary that is also used by itself is opened once", () =>
    Effect.gen(function*() {
      const { layer, state } = remote()
      const fallback = CacheFallback.layer({ primary: layer, fallback: CacheMemory.layer() })
      const both = Layer.mergeAll(
        layer,
        Layer.effectContext(Effect.map(Layer.build(fallback), (context) => Context.make(Second, context)))
      )
      yield* Effect.gen(function*() {
        const second = yield* Second
        yield* CacheClient.use((client) => client.set("k", 1, { schema: Schema.Number }))
        const found = yield* Context.get(second, CacheClient).get("k", Schema.Number)
        assert.deepStrictEqual([found._tag, state.opened], ["Some", 1])
      }).pipe(Effect.provide(both))
      assert.strictEqual(state.closed, 1)
    })
  )

  it.effect("a layer that was wrapped is taken, too, and so are services that somebody else made", () =>
    Effect.gen(function*() {
      const { layer, state } = remote()
      const wrapped = layer.pipe(Layer.provide(CacheConfig.layer({ defaultTtl: "1 hour" })))
      const services = Layer.effectContext(Layer.build(layer))
      for (const primary of [wrapped, services]) {
        const fallback = CacheFallback.layer({ primary, fallback: CacheMemory.layer() })
        assert.strictEqual(yield* Effect.provide(answer, fallback), 42)
      }
      assert.deepStrictEqual([state.opened, state.closed], [2, 2])
    })
  )

  it.effect("what somebody put around a service of a primary stays around it", () =>
    Effect.gen(function*() {
      const { layer } = remote()
      let reads = 0
      const counting = Layer.effect(
        CacheBackend,
        Effect.map(CacheBackend, (backend) => ({
          ...backend,
          fast: undefined,
          read: (key: string) =>
            Effect.suspend(() => {
              reads++
              return backend.read(key)
            })
        }))
      ).pipe(Layer.provideMerge(layer))
      const fallback = CacheFallback.layer({ primary: counting, fallback: CacheMemory.layer() })
      assert.strictEqual(yield* Effect.provide(answer, fallback), 42)
      assert.isAtLeast(reads, 1)
    })
  )

  it.effect("services that were made by hand are taken, and not those of a cache around", () =>
    Effect.gen(function*() {
      const { backend, locks, tags } = yield* makeMemoryPrimitives({ name: "by hand" })
      const { layer, state } = remote()
      const byHand = Layer.mergeAll(
        Layer.succeed(CacheBackend, { ...backend, local: undefined, fast: undefined }),
        Layer.succeed(TagIndex, tags),
        Layer.succeed(LockManager, makeLockManager(locks, { defaultTtl: Duration.seconds(7) })),
        Layer.mock(CacheClient, {})
      )
      const fallback = CacheFallback.layer({ primary: byHand, fallback: CacheMemory.layer() })
      const inner = CacheClient.use((client) => client.stats).pipe(Effect.provide(fallback))
      const { backend: name } = yield* Effect.provide(inner, layer)
      assert.strictEqual(name, "by hand")
      assert.deepStrictEqual([state.opened, state.closed], [1, 1])
    })
  )

  it.effect("the locks of a primary keep the settings they were made with", () =>
    Effect.gen(function*() {
      const ttls: Array<number> = []
      const primary = CacheLayer.make(
        Effect.map(makeMemoryPrimitives({}), ({ backend, locks, tags }) => ({
          backend: { ...backend, local: undefined, fast: undefined },
          tags,
          locks: {
            ...locks,
            acquire: (name: string, token: string, ttlMillis: number) => {
              ttls.push(ttlMillis)
              return locks.acquire(name, token, ttlMillis)
            }
          }
        }))
      ).pipe(Layer.provide(CacheConfig.layer({ lockTtl: "7 seconds" })))
      const fallback = CacheFallback.layer({ primary, fallback: CacheMemory.layer() })
      yield* LockManager.use((manager) => manager.withLock("job")(Effect.void)).pipe(Effect.provide(fallback))
      assert.deepStrictEqual(ttls, [7_000])
    })
  )

  it.effect("the services in the context are guarded", () => {
    const { layer, state } = remote()
    return Effect.gen(function*() {
      const tags = yield* TagIndex
      const backend = yield* CacheBackend
      state.broken = true
      for (let i = 0; i < 5; i++) yield* Effect.flip(tags.epoch)
      const { asked } = state
      const error = yield* Effect.flip(tags.epoch)
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.include(String((yield* Effect.flip(backend.read("k"))).reason.message), "held off")
      assert.strictEqual(state.asked, asked)
    }).pipe(Effect.provide(layer))
  })
})

class Second extends Context.Service<Second, Context.Context<CacheClient>>()("test/Second") {}
