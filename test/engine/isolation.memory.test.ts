/**
 * Who is given the same object as somebody else, in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Option, Schema, SchemaGetter } from "effect"
import { cacheAside, CacheClient, CacheMemory, memoize } from "effect-cache"
import { warnings, withoutSchema } from "./withoutSchema.ts"

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

  const layer = CacheMemory.layer({ isolation: "clone" })
  withoutSchema((test) => Effect.provide(test, layer))

  it.effect(
    "a value without a copy, where a failure of the cache is to be seen: the call fails, and nothing is stored",
    () =>
      Effect.gen(function*() {
        const logged = warnings()
        // No type allows it, but nothing refuses it either.
        const find = memoize({ key: "find", onCacheError: "fail" } as never)(
          Effect.succeed(Option.none()) as never
        ) as unknown as Effect.Effect<unknown, { readonly reason: { readonly _tag: string } }, CacheClient>
        yield* Effect.gen(function*() {
          for (let i = 0; i < 2; i++) {
            const error = yield* Effect.flip(find)
            assert.strictEqual(error.reason._tag, "EncodeFailed")
          }
          const { inFlight, size } = yield* CacheClient.use((client) => client.stats)
          assert.deepStrictEqual([size, inFlight], [0, 0])
        }).pipe(Effect.provide(Layer.merge(layer, logged.layer)))
        assert.strictEqual(logged.texts.length, 1)
      })
  )

  it.effect("nobody is given what is stored, also where no copy of it can be made", () =>
    Effect.gen(function*() {
      let broken = false
      let loads = 0
      const Items = Schema.mutable(Schema.Array(Schema.Number))
      const Breaking = Items.pipe(
        Schema.decodeTo(Items, {
          decode: SchemaGetter.transform((items: Array<number>) => items),
          encode: SchemaGetter.transform((items: Array<number>) => {
            if (broken) throw new Error("broken")
            return items
          })
        })
      )
      const get = cacheAside({ key: "items", schema: Breaking })(
        Effect.sync(() => {
          loads++
          return [loads]
        })
      )
      assert.deepStrictEqual(yield* get, [1])
      assert.deepStrictEqual(yield* get, [1])
      broken = true
      assert.isTrue(Option.isNone(yield* get.peek))
      const many = CacheClient.use((client) => client.getMany(["items"], Breaking))
      assert.deepStrictEqual(yield* many, [Option.none()])
      const loaded = yield* get
      assert.deepStrictEqual(loaded, [2])
      loaded.push(3)
      broken = false
      // It is as it was stored.
      assert.deepStrictEqual(yield* get, [1])
      assert.deepStrictEqual(yield* many, [Option.some([1])])
      assert.strictEqual(loads, 2)
    }).pipe(Effect.provide(layer))
  )
})
