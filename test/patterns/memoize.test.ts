import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { memoize } from "effect-cache"
import { inProcess } from "../support/layers.ts"

for (const [name, layer] of inProcess) {
  describe(`memoize on ${name}`, () => {
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
  })
}
