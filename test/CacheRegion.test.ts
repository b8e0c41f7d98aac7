import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { cacheAside, CacheError, CacheMemory, CacheRegion, stampedeProtect, writeThrough } from "effect-cache"
import { CacheTest } from "effect-cache/testing"

const refused = (make: () => unknown, option: string): void => {
  try {
    make()
  } catch (error) {
    assert.instanceOf(error, CacheError)
    assert.include((error as CacheError).message, option)
    return
  }
  assert.fail(`${option} was accepted`)
}

describe("a definition that cannot work is refused at once", () => {
  const base = { key: "a:{x}", schema: Schema.String } as const
  it("ttl, jitter, onCacheError, tags, compressAbove", () => {
    refused(() => CacheRegion.make({ ...base, ttl: 0 }), "ttl")
    refused(() => CacheRegion.make({ ...base, ttl: "-1 seconds" }), "ttl")
    refused(() => CacheRegion.make({ ...base, ttl: "soon" as never }), "ttl")
    refused(() => CacheRegion.make({ ...base, jitter: 1.1 }), "jitter")
    refused(() => CacheRegion.make({ ...base, jitter: Number.NaN }), "jitter")
    refused(() => CacheRegion.make({ ...base, onCacheError: "retry" as never }), "onCacheError")
    refused(() => CacheRegion.make({ ...base, tags: [1] as never }), "tags")
    refused(() => CacheRegion.make({ ...base, compressAbove: -1 }), "compressAbove")
  })
  it("templates", () => {
    for (const key of ["", "a:{", "a:}", "a:{}", "a:{x y}", "a:{0}:{x}"])
      refused(() => CacheRegion.make({ ...base, key }), "InvalidKey")
  })
  it("the options of patterns", () => {
    refused(() => stampedeProtect({ key: "a", schema: Schema.String, lockTtl: 0 }), "lockTtl")
    refused(() => stampedeProtect({ key: "a", schema: Schema.String, lockTtl: Duration.infinity }), "lockTtl")
    refused(() => writeThrough({ key: "a", schema: Schema.String, invalidateKeys: [""] }), "InvalidKey")
    refused(() => writeThrough({ key: "a", schema: Schema.String }, { invalidatePatterns: [""] }), "InvalidKey")
    refused(() => stampedeProtect({ key: "a", schema: Schema.String, waitTimeout: "-1 second" }), "waitTimeout")
  })
})

describe("lifetime", () => {
  const program = (
    ttl: Duration.Input | ((value: number, params: { readonly id: unknown }) => Duration.Input),
    jitter = 0
  ) => {
    let loads = 0
    const get = cacheAside({ key: "n:{id}", schema: Schema.Number, ttl, jitter })((_: { readonly id: number }) =>
      Effect.sync(() => ++loads)
    )
    return get
  }
  for (const [name, layer] of [
    ["memory", CacheMemory.layer()],
    ["bytes", CacheTest.layer]
  ] as const) {
    it.effect(`follows the clock, on ${name}`, () =>
      Effect.gen(function*() {
        const get = program("1 minute")
        assert.strictEqual(yield* get({ id: 1 }), 1)
        yield* TestClock.adjust("59 seconds")
        assert.strictEqual(yield* get({ id: 1 }), 1)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* get({ id: 1 }), 2)
      }).pipe(Effect.provide(layer))
    )

    it.effect(`may depend on value and params, on ${name}`, () =>
      Effect.gen(function*() {
        const get = program((value, { id }) => Duration.seconds(value + Number(id)))
        assert.strictEqual(yield* get({ id: 9 }), 1)
        yield* TestClock.adjust("9 seconds")
        assert.strictEqual(yield* get({ id: 9 }), 1)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* get({ id: 9 }), 2)
      }).pipe(Effect.provide(layer))
    )

    it.effect(`a function that gives no positive duration leaves the value uncached, on ${name}`, () =>
      Effect.gen(function*() {
        const get = program(() => 0)
        assert.strictEqual(yield* get({ id: 1 }), 1)
        assert.strictEqual(yield* get({ id: 1 }), 2)
      }).pipe(Effect.provide(layer))
    )

    it.effect(`infinity does not expire, on ${name}`, () =>
      Effect.gen(function*() {
        const get = program(Duration.infinity)
        yield* get({ id: 1 })
        yield* TestClock.adjust("10000 days")
        assert.strictEqual(yield* get({ id: 1 }), 1)
      }).pipe(Effect.provide(layer))
    )
  }

  it.effect("jitter shortens it by at most its share", () =>
    Effect.gen(function*() {
      const get = program("100 seconds", 0.2)
      const test = yield* CacheTest
      for (let id = 0; id < 100; id++) yield* get({ id })
      const ttls = (yield* test.entries).map((entry) => entry.ttlMillis)
      assert.isTrue(ttls.every((ttl) => ttl >= 80_000 && ttl <= 100_000))
      assert.isAbove(new Set(ttls).size, 50)
    }).pipe(Effect.provide(CacheTest.layer))
  )
})

it.effect("an entry from before its region bore a tag is a miss", () =>
  Effect.gen(function*() {
    let loads = 0
    const make = (tags: ReadonlyArray<string>) =>
      cacheAside({ key: "n", schema: Schema.Number, ttl: "1 minute", tags })(Effect.sync(() => ++loads))
    yield* make(["a"])
    assert.strictEqual(yield* make(["a"]), 1)
    assert.strictEqual(yield* make(["a", "b"]), 2)
    assert.strictEqual(yield* make(["b"]), 2)
  }).pipe(Effect.provide(CacheTest.layer))
)

describe("a list in place of the arguments", () => {
  const make = (key: string) => CacheRegion.make({ key, schema: Schema.String })
  const keyOf = (key: string, ...args: ReadonlyArray<unknown>): string => {
    try {
      return (make(key).keyFor as (...args: ReadonlyArray<unknown>) => string)(...args)
    } catch (error) {
      return (error as CacheError).reason._tag
    }
  }

  it("is all of them where it can be nothing else, and refused where it may be the first", () => {
    assert.deepStrictEqual(
      [
        keyOf("a:{0}:{1?}", ["x"]),
        keyOf("a:{0?}", ["x"]),
        keyOf("a:{1}", [1, 2]),
        keyOf("a:{1?}", [1, 2]),
        keyOf("a:{1?}:{2?}", []),
        keyOf("a:{1?}", [1, 2], undefined),
        keyOf("a:{1?}", 1, 2),
        keyOf("a:{1?}")
      ],
      ["a:x:%-", "a:x", "a:2", "InvalidKey", "InvalidKey", "a:%-", "a:2", "a:%-"]
    )
  })

  it("is refused for a key by name, whose parts would all seem absent", () => {
    assert.deepStrictEqual(
      [keyOf("a:{id?}", ["x"]), keyOf("a:{id?}", {}), keyOf("a:{id?}")],
      ["InvalidKey", "a:%-", "a:%-"]
    )
    assert.throws(() => make("a:{id}").pattern(["x"] as never), "is to come from an object, and that is an array")
  })
})
