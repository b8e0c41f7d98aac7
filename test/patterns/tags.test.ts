/**
 * Tags as a program uses them: `invalidateTags`, and `tagCacheKey` for an entry that is there already.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { cacheAside, CacheClient, invalidateKey, invalidateTags, tagCacheKey } from "effect-cache"
import { TestClock } from "effect/testing"
import { inProcess } from "../support/layers.ts"

const set = (key: string, tags: ReadonlyArray<string> = []) =>
  CacheClient.use((cache) => cache.set(key, key, { schema: Schema.String, ttl: "1 minute", tags }))
const there = (...keys: ReadonlyArray<string>) =>
  Effect.map(
    CacheClient.use((cache) => cache.getMany(keys, Schema.String)),
    (all) => all.map(Option.isSome)
  )

for (const [name, layer] of inProcess) {
  describe(`tags on ${name}`, () => {
    it.effect("an invalidated tag reaches the entries that bear it, and no others", () =>
      Effect.gen(function*() {
        yield* set("t1", ["x", "y"])
        yield* set("t2", ["y"])
        yield* set("t3")
        yield* invalidateTags(["x"])
        assert.deepStrictEqual(yield* there("t1", "t2", "t3"), [false, true, true])
        yield* set("t1", ["x"])
        assert.deepStrictEqual(yield* there("t1"), [true])
      }).pipe(Effect.provide(layer))
    )

    it.effect("several tags at once, of any iterable", () =>
      Effect.gen(function*() {
        yield* set("t1", ["x"])
        yield* set("t2", ["y"])
        yield* set("t3", ["z"])
        yield* invalidateTags(new Set(["x", "y", "nothing bears it"]))
        assert.deepStrictEqual(yield* there("t1", "t2", "t3"), [false, false, true])
      }).pipe(Effect.provide(layer))
    )

    it.effect("a tag that was added reaches its entry, which keeps value and TTL", () =>
      Effect.gen(function*() {
        yield* set("k", ["a"])
        yield* TestClock.adjust("40 seconds")
        assert.isTrue(yield* tagCacheKey("k", ["b", "c"]))
        assert.deepStrictEqual(yield* CacheClient.use((cache) => cache.get("k", Schema.String)), Option.some("k"))
        yield* TestClock.adjust("20 seconds")
        assert.deepStrictEqual(yield* there("k"), [false])

        // Each of the tags, the one it had and those it was given.
        for (const tag of ["a", "b", "c"]) {
          yield* set("k", ["a"])
          assert.isTrue(yield* tagCacheKey("k", ["b", "c"]))
          assert.deepStrictEqual(yield* there("k"), [true])
          yield* invalidateTags([tag])
          assert.deepStrictEqual(yield* there("k"), [false])
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("a tag that was invalidated since the load of the entry makes it stale when it is added", () =>
      Effect.gen(function*() {
        yield* set("other", ["late"])
        yield* set("k")
        yield* invalidateTags(["late"])
        assert.deepStrictEqual(yield* there("k"), [true])
        yield* tagCacheKey("k", ["late"])
        assert.deepStrictEqual(yield* there("k"), [false])
      }).pipe(Effect.provide(layer))
    )

    it.effect("no tag is added where there is no valid entry", () =>
      Effect.gen(function*() {
        assert.isFalse(yield* tagCacheKey("missing", ["a"]))
        assert.deepStrictEqual(yield* there("missing"), [false])
        yield* set("stale", ["a"])
        yield* invalidateTags(["a"])
        assert.isFalse(yield* tagCacheKey("stale", ["b"]))
        yield* set("gone")
        yield* invalidateKey("gone")
        assert.isFalse(yield* tagCacheKey("gone", ["b"]))
        yield* set("expired")
        yield* TestClock.adjust("1 minute")
        assert.isFalse(yield* tagCacheKey("expired", ["b"]))
      }).pipe(Effect.provide(layer))
    )

    it.effect("a list without tags changes nothing", () =>
      Effect.gen(function*() {
        yield* set("k", ["a"])
        yield* invalidateTags([])
        assert.isTrue(yield* tagCacheKey("k", []))
        assert.isFalse(yield* tagCacheKey("missing", []))
        assert.deepStrictEqual(yield* there("k"), [true])
        yield* invalidateTags(["a"])
        assert.deepStrictEqual(yield* there("k"), [false])
        assert.isFalse(yield* tagCacheKey("k", []))
      }).pipe(Effect.provide(layer))
    )

    it.effect("a cached function loads again when a tag was added to its entry and invalidated", () => {
      let loads = 0
      const get = cacheAside({ key: "n:{0}", schema: Schema.Number, ttl: "1 minute" })((_: number) =>
        Effect.sync(() => ++loads)
      )
      return Effect.gen(function*() {
        assert.deepStrictEqual([yield* get(1), yield* get(1)], [1, 1])
        assert.isTrue(yield* tagCacheKey("n:1", ["batch"]))
        assert.strictEqual(yield* get(1), 1)
        yield* invalidateTags(["batch"])
        assert.deepStrictEqual([yield* get(1), yield* get(1)], [2, 2])
      }).pipe(Effect.provide(layer))
    })
  })
}
