import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { CacheClient, invalidateKeys, invalidatePattern } from "effect-cache"
import { inProcess } from "../support/layers.ts"

for (const [name, layer] of inProcess) {
  describe(`invalidation on ${name}`, () => {
    it.effect("invalidations by keys and pattern reach what they name, and clear all", () =>
      Effect.gen(function*() {
        const cache = yield* CacheClient
        const set = (key: string) => cache.set(key, key, { schema: Schema.String })
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
        yield* cache.clear
        assert.deepStrictEqual(yield* there("user:2"), [false])
      }).pipe(Effect.provide(layer))
    )
  })
}
