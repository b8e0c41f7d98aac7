/**
 * Fibers of an Effect that keeps its counters, or the span that is open, elsewhere. A file of its own: it breaks them for all.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, Tracer } from "effect"
import { cacheAside, CacheMemory } from "effect-cache"

const proto = Object.getPrototypeOf(Effect.runFork(Effect.void)) as object
// The constructor of a fiber finds these, and can neither set nor hide them.
Object.defineProperty(proto, "currentOpCount", { get: () => 1, set: () => {} })
const caches = new WeakMap<object, object>()
Object.defineProperty(proto, "cache", {
  get(this: object) {
    return caches.get(this)
  },
  set(this: object, cache: object) {
    caches.set(this, { ...cache, span: undefined })
  }
})

const make = () => {
  let loads = 0
  return cacheAside({ key: "k:{id}", schema: Schema.Number, ttl: "1 minute" })((_: { readonly id: string }) =>
    Effect.sync(() => ++loads)
  )
}

describe("fibers whose counters cannot be used", () => {
  it.effect("each hit is a step of the run loop", () =>
    Effect.gen(function*() {
      const get = make()
      assert.strictEqual(yield* get({ id: "a" }), 1)
      assert.strictEqual(yield* get({ id: "a" }), 1)
      const asked = get({ id: "a" })[Symbol.iterator]().next().value as unknown as Effect.Effect<number>
      assert.isFalse("~effect/Exit" in asked)
      assert.strictEqual(yield* asked, 1)
      const other = yield* Effect.forkChild(get({ id: "a" }))
      assert.strictEqual(yield* Fiber.join(other), 1)
    }).pipe(Effect.provide(CacheMemory.layer(), { local: true }))
  )

  it.effect("a span that is open is found among the services", () =>
    Effect.gen(function*() {
      const get = make()
      const names: Array<string> = []
      // Opened by a tracer that is installed no more when the load begins.
      const parent = new Tracer.NativeSpan({
        name: "parent",
        parent: undefined as never,
        annotations: undefined as never,
        links: [],
        startTime: 0n,
        kind: "internal",
        sampled: true
      })
      const loaded = Effect.withFiber<number>((fiber) => {
        names.push((fiber.context.mapUnsafe.get(Tracer.ParentSpan.key) as Tracer.Span).name)
        return Effect.succeed(1)
      })
      const load = cacheAside({ key: "s:{id}", schema: Schema.Number, ttl: "1 minute" })(
        (_: { readonly id: string }) => loaded
      )
      yield* Effect.provideService(load({ id: "a" }), Tracer.ParentSpan, parent)
      assert.deepStrictEqual(names, ["cache.load"])
      assert.strictEqual(yield* get({ id: "a" }), 1)
    }).pipe(Effect.provide(CacheMemory.layer(), { local: true }))
  )
})
