/**
 * Writes that leave nothing, and creates, when the cache is away, when their caller leaves, and when they are about very much.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { cacheAside, CacheMemory, CacheRegion, memoize, writeAround, writeThrough } from "effect-cache"
import { CacheTest } from "effect-cache/testing"

type Id = { readonly id: string }
const Rows = CacheRegion.make({ key: "row:{id}", schema: Schema.String, ttl: "1 hour" })
const one = { id: "1" }

const world = () => {
  const rows = new Map([["1", "old"]])
  const get = cacheAside(Rows)(({ id }: Id) => Effect.sync(() => rows.get(id) ?? "gone"))
  const save = Effect.sync(() => {
    rows.set("1", "new")
    return "new"
  })
  const writes = (onCacheError: "bypass" | "fail") => ({
    around: writeAround({ ...Rows, onCacheError })((_: Id) => save),
    keys: writeAround({ keys: ({ id }: Id) => [`row:${id}`, "row:2", "row:3"], onCacheError })((_: Id) => save),
    create: writeThrough({ ...Rows, onCacheError }, { keyOf: () => one })((_: Id) => save)
  })
  return { rows, get, writes }
}
const names = ["around", "keys", "create"] as const

for (const name of names) {
  describe(`the cache is away: ${name}`, () => {
    it.effect("it writes all the same, and what it made old is made up for", () =>
      Effect.gen(function*() {
        const test = yield* CacheTest
        const { get, writes } = world()
        yield* get(one)
        yield* test.inject("*", { fail: true })
        assert.strictEqual(yield* writes("bypass")[name](one), "new")
        assert.strictEqual(yield* get(one), "new")
        yield* test.heal
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* get(one), "new")
        assert.strictEqual((yield* test.entry("row:1"))?.json, "new")
      }).pipe(Effect.provide(CacheTest.layer))
    )

    it.effect("asked to fail, it fails before the write, and a create behind it", () =>
      Effect.gen(function*() {
        const test = yield* CacheTest
        const { get, rows, writes } = world()
        yield* get(one)
        yield* test.inject("*", { fail: true })
        assert.strictEqual((yield* Effect.flip(writes("fail")[name](one))).reason._tag, "Unavailable")
        assert.strictEqual(rows.get("1"), name === "create" ? "new" : "old")
        yield* test.heal
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* get(one), rows.get("1"))
      }).pipe(Effect.provide(CacheTest.layer))
    )
  })
}

describe("one step fails", () => {
  for (const step of ["takeOver", "release", "epoch"] as const) {
    it.effect(`${step}: nothing old is left, and the lease does not stay`, () =>
      Effect.gen(function*() {
        const test = yield* CacheTest
        const { get, writes } = world()
        yield* get(one)
        yield* test.inject(step, { fail: true, times: 1 })
        assert.strictEqual(yield* writes("bypass").keys(one), "new")
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* get(one), "new")
        assert.strictEqual((yield* test.entry("row:1"))?.json, "new")
      }).pipe(Effect.provide(CacheTest.layer))
    )
  }
})

describe("the caller leaves", () => {
  for (const name of ["around", "keys"] as const) {
    it.effect(`during the write, which is interrupted: the slots are empty (${name})`, () =>
      Effect.gen(function*() {
        const { get, rows } = world()
        const reached = yield* Deferred.make<void>()
        const write = (_: Id) =>
          Effect.suspend(() => {
            rows.set("1", "new")
            return Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
          })
        yield* get(one)
        const call = name === "around" ? writeAround(Rows)(write)(one) : writeAround({ keys: ["row:1"] })(write)(one)
        const fiber = yield* Effect.forkChild(call)
        yield* Deferred.await(reached)
        assert.isTrue(Option.isNone(yield* get.peek(one)))
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* get(one), "new")
        assert.isTrue(Option.isSome(yield* get.peek(one)))
      }).pipe(Effect.provide(CacheTest.layer))
    )
  }

  for (const [when, step] of [
    ["before the write, during the take-over", "takeOver"],
    ["after the write, during its end", "release"]
  ] as const) {
    it.effect(`${when}: what was begun is ended`, () =>
      Effect.gen(function*() {
        const test = yield* CacheTest
        const { get, rows, writes } = world()
        yield* get(one)
        yield* test.inject(step, { delay: "500 millis", times: 1 })
        const fiber = yield* Effect.forkChild(writes("bypass").around(one), { startImmediately: true })
        const left = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(left)
        // A write that was not begun is not made.
        assert.strictEqual(rows.get("1"), step === "takeOver" ? "old" : "new")
        assert.strictEqual(yield* get(one), rows.get("1"))
        assert.strictEqual((yield* test.entry("row:1"))?.json, rows.get("1"))
      }).pipe(Effect.provide(CacheTest.layer))
    )
  }

  it.effect("during the create's end: its slot is emptied all the same", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const { get, writes } = world()
      yield* get(one)
      yield* test.inject("remove", { delay: "500 millis", times: 1 })
      const fiber = yield* Effect.forkChild(writes("bypass").create(one), { startImmediately: true })
      const left = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(left)
      assert.strictEqual(yield* get(one), "new")
    }).pipe(Effect.provide(CacheTest.layer))
  )
})

describe("very much", () => {
  it.effect("of many keys, long ones and what is none, each is done, and others get their turn", () =>
    Effect.gen(function*() {
      const { get, rows } = world()
      const keys = Array.from({ length: 20_000 }, (_, i) =>
        i % 1_000 === 0 ? "" : `${"k".repeat(i % 100 === 0 ? 5_000 : 1)}${i}`
      )
      keys.push("row:1")
      yield* get(one)
      let turns = 0
      const others = yield* Effect.forkChild(
        Effect.forever(
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => turns++)
          )
        )
      )
      yield* writeAround({ keys: () => keys })(() => Effect.sync(() => rows.set("1", "new")))()
      yield* Fiber.interrupt(others)
      assert.isAbove(turns, 60)
      assert.strictEqual(yield* get(one), "new")
    }).pipe(Effect.provide(Layer.fresh(CacheMemory.layer())))
  )

  it.effect("what was loaded without a schema under one of the keys is forgotten, too", () =>
    Effect.gen(function*() {
      let loads = 0
      const local = memoize({ key: "local:{id}" })((_: Id) => Effect.sync(() => ++loads))
      yield* local(one)
      yield* writeAround({ keys: [local.key(one)] })(Effect.void)
      assert.strictEqual(yield* local(one), 2)
      yield* Effect.exit(writeAround({ keys: [local.key(one)] })(Effect.fail("no")))
      assert.strictEqual(yield* local(one), 3)
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(local(one))))
    }).pipe(Effect.provide(CacheTest.layer))
  )
})
