/**
 * What every cached function and effect has beside its call.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { cacheAside, stampedeProtect } from "effect-cache"
import { inProcess } from "../support/layers.ts"

for (const [name, layer] of inProcess) {
  describe(`controls on ${name}`, () => {
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
  })
}
