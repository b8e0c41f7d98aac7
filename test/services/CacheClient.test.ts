import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Metric, Option, Schema, Tracer } from "effect"
import {
  cacheAside,
  CacheClient,
  CacheMemory,
  CacheRegion,
  getCacheStats,
  invalidateKey,
  invalidateKeys,
  invalidatePattern,
  invalidateTags,
  memoize,
  stampedeProtect,
  tagCacheKey,
  writeThrough
} from "effect-cache"
import { CacheTest } from "effect-cache/testing"

const layers = [
  ["memory", CacheMemory.layer()],
  ["bytes", CacheTest.layer]
] as const

for (const [name, layer] of layers) {
  describe(`CacheClient on ${name}`, () => {
    it.effect("get, set, and what is a hit", () =>
      Effect.gen(function*() {
        const cache = yield* CacheClient
        const Maybe = Schema.NullOr(Schema.Number)
        assert.isTrue(Option.isNone(yield* cache.get("k", Maybe)))
        yield* cache.set("k", null, { schema: Maybe })
        assert.deepStrictEqual(yield* cache.get("k", Maybe), Option.some(null))
        // Written with another schema: a miss.
        assert.isTrue(Option.isNone(yield* cache.get("k", Schema.NullOr(Schema.String))))
        yield* cache.set("undefined", undefined, { schema: Schema.Undefined })
        assert.deepStrictEqual(yield* cache.get("undefined", Schema.Undefined), Option.some(undefined))
      }).pipe(Effect.provide(layer))
    )

    it.effect("set replaces, and the last of concurrent ones stays", () =>
      Effect.gen(function*() {
        const cache = yield* CacheClient
        yield* Effect.forEach([1, 2, 3], (n) => cache.set("k", n, { schema: Schema.Number }), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(yield* cache.get("k", Schema.Number), Option.some(3))
      }).pipe(Effect.provide(layer))
    )

    it.effect("a load in flight does not overwrite a set", () =>
      Effect.gen(function*() {
        const cache = yield* CacheClient
        const gate = yield* Deferred.make<number>()
        const load = Deferred.await(gate).pipe(cacheAside({ key: "k", schema: Schema.Number }))
        const fiber = yield* Effect.forkChild(load, { startImmediately: true })
        yield* Effect.yieldNow
        yield* Effect.yieldNow
        yield* cache.set("k", 2, { schema: Schema.Number })
        yield* Deferred.succeed(gate, 1)
        assert.strictEqual(yield* Fiber.join(fiber), 1)
        assert.deepStrictEqual(yield* cache.get("k", Schema.Number), Option.some(2))
      }).pipe(Effect.provide(layer))
    )

    it.effect("bad keys, patterns and ttls are the caller's to see", () =>
      Effect.gen(function*() {
        const cache = yield* CacheClient
        const errors = yield* Effect.all([
          Effect.flip(cache.set("", 1, { schema: Schema.Number })),
          Effect.flip(cache.get("", Schema.Number)),
          Effect.flip(invalidateKey("")),
          Effect.flip(invalidatePattern("")),
          Effect.flip(tagCacheKey("", ["a"])),
          Effect.flip(cache.set("k", 1, { schema: Schema.Number, ttl: 0 }))
        ])
        assert.deepStrictEqual(
          errors.map((error) => error.reason._tag),
          ["InvalidKey", "InvalidKey", "InvalidKey", "InvalidKey", "InvalidKey", "InvalidOption"]
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("a part that cannot be in a key bypasses, or fails where asked to", () =>
      Effect.gen(function*() {
        let loads = 0
        const load = (_: { readonly id: number }) => Effect.sync(() => ++loads)
        const spec = { key: "n:{id}", schema: Schema.Number } as const
        const bypass = cacheAside(spec)(load)
        assert.strictEqual(yield* bypass({ id: Number.NaN }), 1)
        assert.strictEqual(yield* bypass({ id: Number.NaN }), 2)
        assert.strictEqual(yield* bypass(null as never), 3)
        const error = yield* Effect.flip(cacheAside({ ...spec, onCacheError: "fail" })(load)({ id: Number.NaN }))
        assert.strictEqual(error.reason._tag, "InvalidKey")
        assert.include(error.message, "{id}")
        assert.strictEqual((yield* Effect.flip(bypass.invalidate({ id: Number.NaN }))).reason._tag, "InvalidKey")
        assert.strictEqual((yield* getCacheStats).errors.InvalidKey, 4)
      }).pipe(Effect.provide(layer))
    )

    it.effect("a value that is not of the schema is returned, and not stored", () =>
      Effect.gen(function*() {
        if (name === "bytes") return // CacheTest makes it a defect
        const spec = { key: "n", schema: Schema.Number } as const
        const wrong = Effect.succeed("text" as never).pipe(cacheAside(spec))
        assert.strictEqual<unknown>(yield* wrong, "text")
      }).pipe(Effect.provide(layer))
    )

    it.effect("invalidations by keys, pattern and tag reach what they name", () =>
      Effect.gen(function*() {
        const cache = yield* CacheClient
        const set = (key: string, tags: ReadonlyArray<string> = []) =>
          cache.set(key, key, { schema: Schema.String, tags })
        const there = (...keys: ReadonlyArray<string>) =>
          Effect.map(
            Effect.forEach(keys, (key) => cache.get(key, Schema.String)),
            (all) => all.map(Option.isSome)
          )
        yield* Effect.forEach(["user:1", "user:2", "users:list:1", "a:list:b"], (key) => set(key))
        yield* invalidateKeys(new Set(["user:1", "nothing"]))
        assert.deepStrictEqual(yield* there("user:1", "user:2"), [false, true])
        yield* invalidatePattern("*:list:*")
        assert.deepStrictEqual(yield* there("user:2", "users:list:1", "a:list:b"), [true, false, false])
        yield* set("t1", ["x", "y"])
        yield* set("t2", ["y"])
        yield* invalidateTags(["x"])
        assert.deepStrictEqual(yield* there("t1", "t2"), [false, true])
        yield* set("t1", ["x"])
        assert.deepStrictEqual(yield* there("t1"), [true])
        yield* cache.clear
        assert.deepStrictEqual(yield* there("t1", "t2", "user:2"), [false, false, false])
      }).pipe(Effect.provide(layer))
    )

    it.effect("a function keeps its controls", () =>
      Effect.gen(function*() {
        let loads = 0
        const get = cacheAside({ key: "n:{0}", schema: Schema.Number })((_: string) => Effect.sync(() => ++loads))
        assert.isTrue(Option.isNone(yield* get.peek("a")))
        yield* get("a")
        assert.deepStrictEqual(yield* get.peek("a"), Option.some(1))
        assert.strictEqual(yield* get.refresh("a"), 2)
        assert.deepStrictEqual(yield* get.peek("a"), Option.some(2))
        assert.strictEqual(get.key("a:b"), "n:a%3Ab")
        yield* get("b")
        yield* get.invalidate("a")
        assert.deepStrictEqual(yield* get.peek("b"), Option.some(3))
        yield* get.clear
        assert.isTrue(Option.isNone(yield* get.peek("b")))
      }).pipe(Effect.provide(layer))
    )

    it.effect("so does an effect", () =>
      Effect.gen(function*() {
        let loads = 0
        const value = Effect.sync(() => ++loads).pipe(stampedeProtect({ key: "value", schema: Schema.Number }))
        assert.deepStrictEqual([yield* value, yield* value, yield* value.refresh], [1, 1, 2])
        assert.deepStrictEqual(yield* value.peek, Option.some(2))
        yield* value.invalidate
        assert.isTrue(Option.isNone(yield* value.peek))
        yield* Effect.map(value, (n) => assert.strictEqual(n, 3))
        yield* value.clear
        assert.isTrue(Option.isNone(yield* value.peek))
        assert.strictEqual(value.key, "value")
      }).pipe(Effect.provide(layer))
    )

    it.effect("a write with a bad key, a bad list or a list that throws still invalidates the rest", () =>
      Effect.gen(function*() {
        const cache = yield* CacheClient
        const Lists = { key: "item:{id}", schema: Schema.Number } as const
        const set = (key: string, tags: ReadonlyArray<string> = []) =>
          cache.set(key, 1, { schema: Schema.Number, tags })
        const gone = (key: string) => Effect.map(cache.get(key, Schema.Number), Option.isNone)
        const put = writeThrough(Lists, {
          invalidateKeys: ["list"],
          invalidatePatterns: ["lists:*"],
          invalidateTags: ["t"]
        })
        const write = put(({ id }: { readonly id: number }) => Effect.succeed(id))
        yield* Effect.all([set("list"), set("lists:1"), set("tagged", ["t"])])
        assert.isNaN(yield* write({ id: Number.NaN }))
        assert.deepStrictEqual([yield* gone("list"), yield* gone("lists:1"), yield* gone("tagged")], [true, true, true])

        yield* set("list")
        const some = writeThrough(Lists, { invalidateKeys: () => ["", "list"] })(({ id }: { readonly id: number }) =>
          Effect.succeed(id)
        )
        yield* some({ id: 1 })
        assert.isTrue(yield* gone("list"))

        yield* set("lists:1")
        const throwing = writeThrough(Lists, {
          invalidateKeys: () => {
            throw new Error("bug")
          },
          invalidatePatterns: ["lists:*"]
        })(({ id }: { readonly id: number }) => Effect.succeed(id))
        assert.strictEqual((yield* Effect.exit(throwing({ id: 1 })))._tag, "Failure")
        assert.isTrue(yield* gone("lists:1"))

        yield* set("list")
        yield* Effect.exit(put((_: { readonly id: number }) => Effect.fail("no answer"))({ id: 1 }))
        assert.isTrue(yield* gone("list"))

        const strict = writeThrough({ ...Lists, onCacheError: "fail" })(({ id }: { readonly id: number }) =>
          Effect.die(String(id))
        )
        assert.strictEqual((yield* Effect.flip(strict({ id: Number.NaN }))).reason._tag, "InvalidKey")
      }).pipe(Effect.provide(layer))
    )

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

    it.effect("memoize by name tells arguments apart, without a schema also values of any type", () =>
      Effect.gen(function*() {
        let runs = 0
        const fn = memoize({ name: "fn", ttl: "1 minute" })((..._: ReadonlyArray<unknown>) =>
          Effect.sync(() => ({ run: ++runs }))
        )
        const first = yield* fn({ a: 1, b: [2, "3"] })
        assert.strictEqual(yield* fn({ b: [2, "3"], a: 1 }), first)
        const distinct = [
          [1],
          ["1"],
          [1n],
          [-0],
          [0],
          [new Date(1)],
          [new Map([[1, 2]])],
          [new Set([1])],
          [undefined],
          [],
          [null],
          [true]
        ]
        for (const args of distinct) yield* fn(...args)
        assert.strictEqual(runs, 1 + distinct.length)
        for (const args of distinct) yield* fn(...args)
        assert.strictEqual(runs, 1 + distinct.length)
        yield* fn.clear
        assert.notStrictEqual(yield* fn({ a: 1, b: [2, "3"] }), first)
        const before = runs
        yield* fn(() => 1)
        yield* fn(() => 1)
        assert.strictEqual(runs, before + 2)
        assert.strictEqual((yield* Effect.flip(fn.peek(() => 1))).reason._tag, "InvalidKey")
      }).pipe(Effect.provide(layer))
    )

    it.effect("names with stars in them clear only themselves", () =>
      Effect.gen(function*() {
        const one = memoize({ name: "a*" })((_: number) => Effect.succeed(1))
        const other = memoize({ name: "ab" })((_: number) => Effect.succeed(1))
        yield* one(1)
        yield* other(1)
        yield* one.clear
        assert.isTrue(Option.isNone(yield* one.peek(1)))
        assert.isTrue(Option.isSome(yield* other.peek(1)))
      }).pipe(Effect.provide(layer))
    )

    it.effect("statistics say what happened, in all and per region", () =>
      Effect.gen(function*() {
        const get = cacheAside({ key: "n:{id}", schema: Schema.Number, tags: ["n"] })(
          ({ id }: { readonly id: number }) => (id < 0 ? Effect.fail("negative") : Effect.succeed(id))
        )
        yield* get({ id: 1 })
        yield* get({ id: 1 })
        yield* get({ id: 1 })
        yield* Effect.flip(get({ id: -1 }))
        yield* invalidateTags(["n"])
        yield* get({ id: 1 })
        const stats = yield* getCacheStats
        assert.deepInclude(stats, {
          scope: "process",
          hits: 2,
          misses: 3,
          stale: 1,
          hitRate: 0.4,
          loads: 3,
          loadFailures: 1,
          inFlight: 0,
          size: 1
        })
        assert.isAbove(stats.memoryMb, 0)
        assert.deepInclude(stats.regions[0], { region: "n:{id}", hits: 2, misses: 3 })
      }).pipe(Effect.provide(layer))
    )

    it.effect("metrics have bounded labels", () =>
      Effect.gen(function*() {
        const get = cacheAside({ key: "m:{id}", schema: Schema.Number })(({ id }: { readonly id: number }) =>
          Effect.succeed(id)
        )
        yield* get({ id: 1 })
        yield* get({ id: 1 })
        yield* get({ id: 2 })
        yield* invalidateKey("m:1")
        const series = (yield* Metric.snapshot).filter(({ id }) => id.startsWith("effect_cache_"))
        const label = ({ attributes, id }: (typeof series)[number]) =>
          `${id} ${JSON.stringify(Object.entries(attributes ?? {}).sort())}`
        const layerName = name === "bytes" ? "test" : "memory"
        const labels = series.map(label).sort()
        assert.deepStrictEqual(
          labels,
          [
            'effect_cache_invalidations_total [["kind","key"]]',
            `effect_cache_load [["layer","${layerName}"],["region","m:{id}"]]`,
            `effect_cache_requests_total [["layer","${layerName}"],["outcome","hit"],["region","m:{id}"]]`,
            `effect_cache_requests_total [["layer","${layerName}"],["outcome","miss"],["region","m:{id}"]]`
          ]
            .sort()
            .map((text) =>
              text.replace(
                /effect_cache_load (.*)/,
                (_, rest) => labels.find((l) => l.startsWith("effect_cache_load")) ?? rest
              )
            )
        )
      }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()), Effect.provide(layer))
    )

    it.effect("spans are opened where a tracer looks", () =>
      Effect.gen(function*() {
        const spans: Array<Tracer.Span> = []
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            spans.push(span)
            return span
          }
        })
        const Numbers = CacheRegion.make({ key: "s:{id}", schema: Schema.Number })
        const get = cacheAside(Numbers)(({ id }: { readonly id: number }) => Effect.succeed(id))
        const put = writeThrough(Numbers)(({ id }: { readonly id: number }) => Effect.succeed(id))
        yield* Effect.all([get({ id: 1 }), put({ id: 1 }), get.refresh({ id: 1 }), get.invalidate({ id: 1 })]).pipe(
          Effect.provideService(Tracer.Tracer, tracer)
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

describe("isolation", () => {
  const Box = Schema.Struct({ items: Schema.mutable(Schema.Array(Schema.Number)) })
  const make = () =>
    Effect.sync(() => ({ items: [1] })).pipe(cacheAside({ key: "box", schema: Box, ttl: Duration.infinity }))

  it.effect("by reference, callers share", () =>
    Effect.gen(function*() {
      const box = make()
      const first = yield* box
      assert.strictEqual(yield* box, first)
    }).pipe(Effect.provide(CacheMemory.layer({ isolation: "reference" })))
  )

  it.effect("by clone, nobody sees what another does to a value", () =>
    Effect.gen(function*() {
      const box = make()
      const first = yield* box
      first.items.push(2)
      const second = yield* box
      assert.deepStrictEqual(second.items, [1])
      second.items.push(3)
      assert.deepStrictEqual((yield* box).items, [1])
      const all = yield* Effect.all([box.refresh, box, box], { concurrency: "unbounded" })
      assert.strictEqual(new Set(all).size, 3)
      const peeked = Option.getOrThrow(yield* box.peek)
      peeked.items.push(4)
      assert.deepStrictEqual((yield* box).items, [1])
    }).pipe(Effect.provide(CacheMemory.layer({ isolation: "clone" })))
  )

  it.effect("a class stays a class", () =>
    Effect.gen(function*() {
      class User extends Schema.Class<User>("User")({ name: Schema.String }) {
        get upper() {
          return this.name.toUpperCase()
        }
      }
      const user = Effect.succeed(new User({ name: "ada" })).pipe(cacheAside({ key: "user", schema: User }))
      const first = yield* user
      const second = yield* user
      assert.instanceOf(second, User)
      assert.strictEqual(second.upper, "ADA")
      assert.notStrictEqual(first, second)
    }).pipe(Effect.provide(CacheMemory.layer({ isolation: "clone" })))
  )
})

it.effect("options out of range fail the layer", () =>
  Effect.gen(function*() {
    for (const options of [{ maxEntries: 0 }, { maxEntries: 1.5 }, { maxBytes: 0 }, { isolation: "x" as never }]) {
      const error = yield* Effect.flip(getCacheStats.pipe(Effect.provide(CacheMemory.layer(options))))
      assert.strictEqual(error.reason._tag, "InvalidOption")
    }
  })
)
