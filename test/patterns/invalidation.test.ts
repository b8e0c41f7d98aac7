import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { CacheClient, invalidateKeys, invalidatePattern, invalidateTags } from "effect-cache"
import { inProcess } from "../support/layers.ts"

for (const [name, layer] of inProcess) {
  describe(`invalidation on ${name}`, () => {
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
  })
}
