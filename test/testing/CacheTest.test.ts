import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema, SchemaGetter } from "effect"
import { TestClock } from "effect/testing"
import {
  cacheAside,
  CacheClient,
  CacheError,
  CacheRegion,
  InvalidOption,
  invalidateTags,
  memoize,
  stampedeProtect,
  writeThrough
} from "effect-cache"
import { CacheTest, UnknownRegion } from "effect-cache/testing"

const makeGet = () => {
  let loads = 0
  return cacheAside({ key: "n:{id}", schema: Schema.Number, ttl: "1 minute", tags: ["n"] })(
    (_: { readonly id: number }) => Effect.sync(() => ++loads)
  )
}

describe("CacheTest", () => {
  it.effect("shows entries and counts loads and calls", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const get = makeGet()
      yield* get({ id: 1 })
      yield* get({ id: 1 })
      yield* get({ id: 2 })
      assert.strictEqual(yield* test.loads(), 2)
      assert.strictEqual(yield* test.loads("n:{id}"), 2)
      assert.strictEqual(yield* test.calls("fill"), 2)
      const entry = yield* test.entry("n:1")
      assert.deepInclude(entry, { key: "n:1", json: 1, tags: ["n"], ttlMillis: 60_000 })
      assert.isUndefined(yield* test.entry("n:3"))
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("counts the loads of a cached function or effect, also before its first call", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const get = makeGet()
      const one = Effect.succeed(1).pipe(cacheAside({ key: "one", schema: Schema.Number }))
      const named = memoize({ name: "named" })((id: number) => Effect.succeed(id))
      const put = writeThrough({ key: "n:{id}", schema: Schema.Number })((_: { readonly id: number }) =>
        Effect.succeed(1)
      )
      const loads = Effect.all([test.loads(get), test.loads(one), test.loads(named), test.loads(put)])
      assert.deepStrictEqual(yield* loads, [0, 0, 0, 0])
      yield* get({ id: 1 })
      yield* one
      yield* named(1)
      yield* named(2)
      assert.deepStrictEqual(yield* loads, [1, 1, 2, 1])
      // Of one template, so of one region.
      yield* put({ id: 2 })
      assert.deepStrictEqual(yield* loads, [2, 1, 2, 2])
      assert.strictEqual(yield* test.loads("memo:named"), 2)
      assert.strictEqual(yield* test.loads(), 5)
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("a region that was not asked fails, and says which were", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const none = yield* Effect.flip(test.loads("n:{id}"))
      assert.deepStrictEqual([none._tag, none.region, none.known], ["UnknownRegion", "n:{id}", []])
      assert.strictEqual(none.message, 'nothing was asked of a region "n:{id}": of none yet')
      yield* makeGet()({ id: 1 })
      const misspelt = yield* Effect.flip(test.loads("n:id"))
      assert.instanceOf(misspelt, UnknownRegion)
      assert.strictEqual(misspelt.message, 'nothing was asked of a region "n:id": of "n:{id}"')
      const caught = test.loads("n:id").pipe(Effect.catchTag("UnknownRegion", ({ known }) => Effect.succeed(known)))
      assert.deepStrictEqual(yield* caught, ["n:{id}"])
      const get = makeGet()
      const around = Object.assign((id: number) => get({ id }), { clear: get.clear })
      const exit = yield* Effect.exit(test.loads(around))
      assert.isTrue(Exit.hasDies(exit))
      // @ts-expect-error: no pattern has returned it
      assert.isTrue(Exit.hasDies(yield* Effect.exit(test.loads((id: number) => get({ id })))))
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("shows tags that were added later", () =>
    Effect.gen(function*() {
      const cache = yield* CacheClient
      yield* cache.set("k", 1, { schema: Schema.Number })
      assert.isTrue(yield* cache.tag("k", ["a", "b"]))
      assert.deepStrictEqual([...(yield* CacheTest.use((test) => test.entry("k")))!.tags], ["a", "b"])
      yield* invalidateTags(["b"])
      assert.strictEqual((yield* cache.get("k", Schema.Number))._tag, "None")
      assert.isFalse(yield* cache.tag("k", ["c"]))
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("a value that its schema does not give back is a defect", () =>
    Effect.gen(function*() {
      const Lossy = Schema.Number.pipe(
        Schema.decodeTo(Schema.Number, {
          decode: SchemaGetter.transform((n: number) => n),
          encode: SchemaGetter.transform((n: number) => Math.round(n))
        })
      )
      const get = Effect.succeed(1.5).pipe(cacheAside({ key: "lossy", schema: Lossy }))
      const exit = yield* Effect.exit(get)
      // The lease is not left behind: the next call fails the same way, at once.
      assert.isTrue(
        Exit.isFailure(yield* Effect.exit(Effect.succeed(1.5).pipe(stampedeProtect({ key: "lossy", schema: Lossy }))))
      )
      assert.isTrue(Exit.isFailure(exit) && String(exit.cause.reasons[0]?._tag) === "Die")
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("classes, dates, sets and undefined come back as they were", () =>
    Effect.gen(function*() {
      class Thing extends Schema.Class<Thing>("Thing")({
        at: Schema.Date,
        tags: Schema.ReadonlySet(Schema.String),
        big: Schema.BigInt,
        maybe: Schema.UndefinedOr(Schema.String)
      }) {}
      const thing = new Thing({ at: new Date(5), tags: new Set(["a"]), big: 10n, maybe: undefined })
      const get = Effect.succeed(thing).pipe(cacheAside({ key: "thing", schema: Thing }))
      yield* get
      const found = yield* get
      assert.instanceOf(found, Thing)
      assert.deepStrictEqual(found, thing)
      assert.notStrictEqual(found, thing)
      const nothing = Effect.succeed(undefined).pipe(cacheAside({ key: "nothing", schema: Schema.Undefined }))
      yield* nothing
      yield* nothing
      assert.strictEqual(yield* CacheTest.use((test) => test.loads("nothing")), 1)
      const nullish = Effect.succeed(undefined).pipe(
        cacheAside({ key: "nullish", schema: Schema.NullishOr(Schema.String) })
      )
      yield* nullish
      assert.isUndefined(yield* nullish)
      assert.strictEqual(yield* CacheTest.use((test) => test.loads("nullish")), 1)
    }).pipe(Effect.provide(CacheTest.layer))
  )

  for (const operation of ["read", "acquire", "epoch", "markers", "ensure", "fill"] as const) {
    it.effect(`a failing ${operation} fails no request`, () =>
      Effect.gen(function*() {
        const test = yield* CacheTest
        const get = makeGet()
        yield* test.inject(operation, { fail: true })
        assert.strictEqual(yield* get({ id: 1 }), 1)
        yield* get({ id: 1 })
        yield* test.heal
        yield* TestClock.adjust("1 minute")
        yield* get({ id: 2 })
        const loads = yield* test.loads()
        yield* get({ id: 2 })
        assert.strictEqual(yield* test.loads(), loads)
      }).pipe(Effect.provide(CacheTest.layer))
    )
  }

  it.effect("delays follow the test's clock, and end with `times`", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const get = makeGet()
      yield* get({ id: 1 })
      yield* test.inject("read", { delay: "500 millis", times: 1 })
      const fiber = yield* Effect.forkChild(get({ id: 1 }), { startImmediately: true })
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      assert.strictEqual(yield* get({ id: 1 }), 1)
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("a hanging cache costs its deadline, not the request", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      yield* test.inject("read", { delay: "1 hour" })
      const fiber = yield* Effect.forkChild(makeGet()({ id: 1 }), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), 1)
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("an error of one's own reaches who asked for it", () =>
    Effect.gen(function*() {
      const error = new CacheError({ reason: new InvalidOption({ option: "x", actual: "y", expected: "z" }) })
      yield* CacheTest.use((test) => test.inject("invalidate", { fail: error }))
      assert.strictEqual(yield* Effect.flip(invalidateTags(["a"])), error)
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("an invalidation that failed is made up for before the cache is trusted again", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const Names = CacheRegion.make({ key: "name:{id}", schema: Schema.String })
      const read = cacheAside(Names)((_: { readonly id: number }) => Effect.succeed("loaded"))
      const write = writeThrough(Names)((_: { readonly id: number }) => Effect.succeed("written"))
      yield* read({ id: 1 })
      yield* test.inject("*", { fail: true })
      assert.strictEqual(yield* write({ id: 1 }), "written")
      yield* test.heal
      // The old entry is still there, and must not be seen.
      assert.isDefined(yield* test.entry("name:1"))
      const again = cacheAside(Names)((_: { readonly id: number }) => Effect.succeed("newer"))
      assert.strictEqual(yield* again({ id: 1 }), "newer")
      yield* TestClock.adjust("10 seconds")
      assert.isUndefined(yield* test.entry("name:1"))
      yield* again({ id: 1 })
      assert.isDefined(yield* test.entry("name:1"))
    }).pipe(Effect.provide(CacheTest.layer))
  )
})
