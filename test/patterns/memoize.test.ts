import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { type CacheClient, CacheError, memoize } from "effect-cache"
import { inProcess } from "../support/layers.ts"

for (const [name, layer] of inProcess) {
  describe(`memoize on ${name}`, () => {
    it.effect("memoize by name tells arguments apart, without a schema also values of any type", () =>
      Effect.gen(function*() {
        let runs = 0
        const fn = memoize({ name: "fn", arity: 1, ttl: "1 minute" })((..._: ReadonlyArray<unknown>) =>
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

    it.effect("by name, the key holds the arguments that the function declares, and not what map adds", () =>
      Effect.gen(function*() {
        let loads = 0
        const find = memoize({ name: "declared", ttl: "1 minute" })((id: string) =>
          Effect.sync(() => `${id} ${++loads}`)
        )
        const ids = ["a", "b", "c"]
        const found = yield* Effect.all(ids.map(find))
        assert.deepStrictEqual(
          found,
          yield* Effect.forEach(ids.toReversed(), find).pipe(Effect.map((all) => all.reverse()))
        )
        assert.deepStrictEqual(found, yield* Effect.forEach(ids, (id) => find(id)))
        assert.strictEqual(loads, 3)
        const traced = memoize({ name: "traced", ttl: "1 minute" })(
          Effect.fn("traced")(function*(id: string) {
            return yield* Effect.sync(() => `${id} ${++loads}`)
          })
        )
        yield* Effect.all(ids.map(traced))
        yield* Effect.forEach(ids.toReversed(), traced)
        assert.strictEqual(loads, 6)
        assert.strictEqual(find.key("a"), (find.key as (...args: ReadonlyArray<unknown>) => string)("a", 1, ids))
      }).pipe(Effect.provide(layer))
    )

    it.effect("arity says how many, where a function does not", () =>
      Effect.gen(function*() {
        let loads = 0
        const paged = memoize({ name: "paged", arity: 2, ttl: "1 minute" })((id: string, page = 1) =>
          Effect.sync(() => `${id} ${page} ${++loads}`)
        )
        assert.deepStrictEqual(yield* Effect.all([paged("a", 1), paged("a", 2), paged("a", 1)]), [
          "a 1 1",
          "a 2 2",
          "a 1 1"
        ])
        const sum = memoize({ name: "sum", arity: 2, ttl: "1 minute" })((...ns: ReadonlyArray<number>) =>
          Effect.sync(() => [ns.length, ++loads] as const)
        )
        assert.strictEqual(yield* sum(1, 2), yield* sum(1, 2, 3))
        assert.notStrictEqual(yield* sum(1, 2), yield* sum(1))
        const none = memoize({ name: "none", arity: 0 })((_trace: () => void) => Effect.sync(() => ++loads))
        assert.strictEqual(yield* none(() => undefined), yield* none(() => undefined))
        // Without types nobody is told to say it: one that declares nothing may take anything.
        const untyped: (...args: ReadonlyArray<number>) => Effect.Effect<number, never, CacheClient> = memoize({
          name: "untyped"
        })(((...ns: ReadonlyArray<number>) => Effect.succeed(ns.length)) as never)
        assert.deepStrictEqual(yield* Effect.all([untyped(), untyped(1), untyped(1, 2)]), [0, 1, 2])
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

describe("the options of memoize", () => {
  it("arity is a whole number, and goes with a name; ignore goes with a key", () => {
    const reasonOf = (options: object) => {
      try {
        memoize(options as never)
      } catch (error) {
        assert.instanceOf(error, CacheError)
        return error.reason.message
      }
      return "nothing was refused"
    }
    for (const [arity, shown] of [
      [-1, "-1"],
      [1.5, "1.5"],
      ["1", '"1"'],
      [Number.NaN, "NaN"]
    ] as const) {
      assert.strictEqual(reasonOf({ name: "a", arity }), `arity is ${shown}, expected a whole number of at least 0`)
    }
    assert.strictEqual(
      reasonOf({ key: "a:{0}", arity: 1 }),
      "arity is 1, expected none beside a key, which says what it is made of"
    )
    assert.strictEqual(
      reasonOf({ name: "a", ignore: [1] }),
      "ignore is [1], expected none beside a name: arity says how many arguments are in the key"
    )
  })
})
