import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { cacheAside, CacheRegion, writeThrough } from "effect-cache"
import { CacheTest } from "effect-cache/testing"
import { inProcess } from "../support/layers.ts"
import { keeping } from "../support/spans.ts"

for (const [name, layer] of inProcess) {
  describe(`spans on ${name}`, () => {
    it.effect("spans are opened where a tracer looks", () =>
      Effect.gen(function*() {
        const { spans, traced } = keeping()
        const Numbers = CacheRegion.make({ key: "s:{id}", schema: Schema.Number })
        const get = cacheAside(Numbers)(({ id }: { readonly id: number }) => Effect.succeed(id))
        const put = writeThrough(Numbers)(({ id }: { readonly id: number }) => Effect.succeed(id))
        yield* Effect.all([get({ id: 1 }), put({ id: 1 }), get.refresh({ id: 1 }), get.invalidate({ id: 1 })]).pipe(
          traced
        )
        const names = new Set(spans.map((span) => span.name))
        for (const expected of ["cache.load", "cache.write", "cache.refresh", "cache.invalidate"])
          assert.isTrue(names.has(expected), expected)
        const load = spans.find((span) => span.name === "cache.load")!
        assert.strictEqual(load.attributes.get("cache.region"), "s:{id}")
        assert.strictEqual(load.attributes.get("cache.key"), "s:1")
      }).pipe(Effect.provide(layer))
    )
  })
}

describe("the span of a read", () => {
  const get = cacheAside({ key: "r:{0}", schema: Schema.Number, ttl: "1 minute" })((n: number) =>
    Effect.withSpan(Effect.succeed(n), "the loader")
  )

  it.effect("covers the trip, and not the load behind it", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      yield* test.inject("read", { delay: 20, times: 2 })
      const { spans, traced } = keeping()
      const call = Effect.withSpan(get(1), "the call").pipe(traced)
      const fiber = yield* Effect.forkChild(call, { startImmediately: true })
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      const named = (name: string) => spans.find((span) => span.name === name)!
      const parentOf = (name: string) => {
        const { parent } = named(name)
        return parent._tag === "Some" && parent.value._tag === "Span" ? parent.value.name : undefined
      }
      const { status } = named("cache.read")
      assert.isTrue(status._tag === "Ended" && Number(status.endTime - status.startTime) === 20e6)
      assert.deepStrictEqual(["cache.read", "cache.load", "the loader"].map(parentOf), [
        "the call",
        "the call",
        "cache.load"
      ])
      assert.strictEqual(yield* traced(get(1)).pipe(Effect.andThen(test.loads())), 1)
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("ends with the caller who leaves, and with a store that fails", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      yield* test.inject("read", { delay: "1 hour", times: 1 })
      const { spans, traced } = keeping()
      const fiber = yield* Effect.forkChild(traced(get(1)), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      yield* test.inject("read", { fail: true, times: 1 })
      assert.strictEqual(yield* traced(get(2)), 2)
      const exits = spans
        .filter(({ name }) => name === "cache.read")
        .map(({ status }) => (status._tag === "Ended" ? status.exit : undefined))
      assert.isTrue(exits.length === 2 && exits.every((exit) => exit !== undefined && Exit.isFailure(exit)))
      assert.isTrue(Exit.hasInterrupts(exits[0]!))
    }).pipe(Effect.provide(CacheTest.layer))
  )
})
