/**
 * Loads in flight: who shares one, and what it runs in.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema } from "effect"
import { cacheAside, type CacheClient } from "effect-cache"
import { inProcess } from "../support/layers.ts"

for (const [name, layer] of inProcess) {
  describe(`loads in flight on ${name}`, () => {
    it.effect("refreshes of one tick are one", () =>
      Effect.gen(function*() {
        let loads = 0
        const value = Effect.sync(() => ++loads).pipe(cacheAside({ key: "value", schema: Schema.Number }))
        yield* Effect.all(
          Array.from({ length: 100 }, () => value.refresh),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(loads, 1)
      }).pipe(Effect.provide(layer))
    )

    it.effect("a shared load has a scope of its own", () =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        let open = false
        const value = Effect.gen(function*() {
          yield* Effect.acquireRelease(
            Effect.sync(() => (open = true)),
            () => Effect.sync(() => (open = false))
          )
          yield* Deferred.await(gate)
          return open ? "in time" : "used after release"
        }).pipe(cacheAside({ key: "scoped", schema: Schema.String }))
        const first = yield* Effect.forkChild(Effect.scoped(value), { startImmediately: true })
        yield* Effect.yieldNow
        const second = yield* Effect.forkChild(Effect.scoped(value), { startImmediately: true })
        yield* Effect.yieldNow
        yield* Fiber.interrupt(first)
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Fiber.join(second), "in time")
        assert.isFalse(open)
      }).pipe(Effect.provide(layer))
    )

    it.effect("what a load leaves running asks like anybody else", () =>
      Effect.gen(function*() {
        let loads = 0
        const start = yield* Deferred.make<void>()
        const done = yield* Deferred.make<ReadonlyArray<number>>()
        const get: Effect.Effect<number, never, CacheClient> = Effect.suspend(() => value)
        const value = Effect.gen(function*() {
          if (++loads === 1) {
            const later = Effect.andThen(Deferred.await(start), Effect.all([get, get, get]))
            yield* Effect.forkDetach(Effect.flatMap(later, (all) => Deferred.succeed(done, all)))
          }
          return loads
        }).pipe(cacheAside({ key: "value", schema: Schema.Number }))
        yield* value
        yield* value.invalidate
        yield* Deferred.succeed(start, undefined)
        assert.deepStrictEqual(yield* Deferred.await(done), [2, 2, 2])
      }).pipe(Effect.provide(layer))
    )
  })
}
