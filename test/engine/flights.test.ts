/**
 * Loads in flight: who shares one, and what it runs in.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema } from "effect"
import { cacheAside, type CacheClient, stampedeProtect } from "effect-cache"
import { TestClock } from "effect/testing"
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

    it.effect("each caller waits as long as it wants, also where it came together with a patient one", () =>
      Effect.gen(function*() {
        const settings = { key: "value", schema: Schema.Number } as const
        const hangs = yield* Deferred.make<number>()
        const late = { ...settings, waitTimeout: "2 seconds", onTimeout: "fail" } as const
        const patient = Effect.suspend(() => Deferred.await(hangs)).pipe(cacheAside(settings))
        const impatient = Effect.succeed(2).pipe(stampedeProtect(late))
        const first = yield* Effect.forkChild(patient)
        for (let i = 0; i < 20; i++) yield* Effect.yieldNow
        const second = yield* Effect.forkChild(patient)
        const third = yield* Effect.forkChild(Effect.flip(impatient))
        for (let i = 0; i < 20; i++) yield* Effect.yieldNow
        yield* TestClock.adjust("2 seconds")
        for (let i = 0; i < 20; i++) yield* Effect.yieldNow
        assert.strictEqual(third.pollUnsafe()?._tag, "Success")
        assert.isUndefined(second.pollUnsafe())
        yield* Deferred.succeed(hangs, 1)
        assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], [1, 1])
      }).pipe(Effect.provide(layer))
    )

    it.effect("callers of one moment share a load, however long each would wait", () =>
      Effect.gen(function*() {
        let loads = 0
        const settings = { key: "value", schema: Schema.Number } as const
        const load = Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => ++loads)
        )
        const all = [
          load.pipe(cacheAside(settings)),
          load.pipe(stampedeProtect({ ...settings, waitTimeout: "2 seconds" })),
          load.pipe(stampedeProtect({ ...settings, waitTimeout: "3 seconds", onTimeout: "fail" }))
        ]
        const found = yield* Effect.all([...all, ...all], { concurrency: "unbounded" })
        assert.deepStrictEqual([loads, ...found], [1, 1, 1, 1, 1, 1, 1])
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
