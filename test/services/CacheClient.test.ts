import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Schema } from "effect"
import { cacheAside, CacheClient, invalidateKey, invalidatePattern, tagCacheKey } from "effect-cache"
import { inProcess } from "../support/layers.ts"

for (const [name, layer] of inProcess) {
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
  })
}
