import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Schema } from "effect"
import { cacheAside, CacheClient, CacheRegion, invalidateTags, writeThrough } from "effect-cache"
import { inProcess } from "../support/layers.ts"

const Row = Schema.Struct({ id: Schema.Number, version: Schema.Number })
type Row = typeof Row.Type
type Id = { readonly id: number }

const Rows = CacheRegion.make({ key: "row:{id}", schema: Row, ttl: "1 minute" })

/** As readers have it: there may be none. */
const Found = CacheRegion.make({ key: "row:{id}", schema: Schema.UndefinedOr(Row), ttl: "1 minute" })

/** A table that gives out its keys. */
const table = () => {
  const rows: Array<Row> = []
  const get = cacheAside(Found)(({ id }: Id) => Effect.sync(() => rows[id]))
  const insert = (version: number) => Effect.sync(() => rows[rows.push({ id: rows.length, version }) - 1]!)
  return { rows, get, insert }
}
const keyOf = (row: Row) => ({ id: row.id })
const set = (key: string, tags: ReadonlyArray<string> = []) =>
  CacheClient.use((cache) => cache.set(key, 1, { schema: Schema.Number, tags }))
const there = (key: string) =>
  Effect.map(
    CacheClient.use((cache) => cache.get(key, Schema.Number)),
    Option.isSome
  )

for (const [name, layer] of inProcess) {
  describe(`writeThrough with keyOf on ${name}`, () => {
    const test = (title: string, body: () => Effect.Effect<void, unknown, CacheClient>) =>
      it.effect(title, () => body().pipe(Effect.provide(layer)))

    test("empties the slot of the key it got: what was found before is gone, and nothing is stored", () =>
      Effect.gen(function*() {
        const { get, insert } = table()
        assert.isUndefined(yield* get({ id: 0 }))
        const create = writeThrough(Rows, { keyOf })(insert)
        assert.deepStrictEqual(yield* create(1), { id: 0, version: 1 })
        assert.isTrue(Option.isNone(yield* get.peek({ id: 0 })))
        assert.deepStrictEqual(yield* get({ id: 0 }), { id: 0, version: 1 })
        // As an effect, first, and by position.
        assert.deepStrictEqual(yield* writeThrough({ ...Rows, keyOf })(insert(2)), { id: 1, version: 2 })
        assert.deepStrictEqual(yield* writeThrough(insert, { ...Rows, keyOf })(3), { id: 2, version: 3 })
        const places = { key: "at:{0}:{1}", schema: Row } as const
        const at = cacheAside(places)((id: number, version: number) => Effect.succeed({ id, version }))
        yield* at(3, 4)
        yield* writeThrough(places, { keyOf: ({ id, version }) => [id, version] as const })(insert)(4)
        assert.isTrue(Option.isNone(yield* at.peek(3, 4)))
      }))

    test("a load that began before the row was written is not stored", () =>
      Effect.gen(function*() {
        const { insert, rows } = table()
        const [reached, go] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const get = cacheAside(Found)(({ id }: Id) =>
          Effect.gen(function*() {
            const row = rows[id]
            yield* Deferred.succeed(reached, undefined)
            yield* Deferred.await(go)
            return row
          })
        )
        const reader = yield* Effect.forkChild(get({ id: 0 }))
        yield* Deferred.await(reached)
        yield* writeThrough(Rows, { keyOf })(insert)(1)
        yield* Deferred.succeed(go, undefined)
        assert.isUndefined(yield* Fiber.join(reader))
        assert.deepStrictEqual(yield* get({ id: 0 }), { id: 0, version: 1 })
      }))

    test("a write-through of the row that came in between leaves its own value or none", () =>
      Effect.gen(function*() {
        const { get, insert, rows } = table()
        const [inserted, go] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const create = writeThrough(Rows, { keyOf })((version: number) =>
          Effect.gen(function*() {
            const row = yield* insert(version)
            yield* Deferred.succeed(inserted, undefined)
            yield* Deferred.await(go)
            return row
          })
        )
        const update = writeThrough(Rows)(({ id, version }: Row) => Effect.sync(() => (rows[id] = { id, version })))
        const fiber = yield* Effect.forkChild(create(1))
        yield* Deferred.await(inserted)
        yield* update({ id: 0, version: 2 })
        assert.deepStrictEqual(yield* get({ id: 0 }), { id: 0, version: 2 })
        yield* Deferred.succeed(go, undefined)
        assert.deepStrictEqual(yield* Fiber.join(fiber), { id: 0, version: 1 })
        assert.deepStrictEqual(yield* get({ id: 0 }), { id: 0, version: 2 })
      }))

    test("its lists get the value and the parameters of the key", () =>
      Effect.gen(function*() {
        const { insert } = table()
        yield* Effect.all([set("count"), set("lists:0"), set("tagged", ["row 0"]), set("fixed", ["t"])])
        const create = writeThrough(Rows, {
          keyOf,
          invalidateKeys: ["count"],
          invalidatePatterns: ({ params }) => [`lists:${params.id}`],
          invalidateTags: ({ params, value }) => [`row ${params.id}`, value.version === 1 ? "t" : "u"]
        })(insert)
        yield* create(1)
        for (const key of ["count", "lists:0", "tagged", "fixed"]) assert.isFalse(yield* there(key), key)
      }))

    test("keyOf that throws is a defect, once the rest is invalidated; what makes no key is a CacheError", () =>
      Effect.gen(function*() {
        const { insert, rows } = table()
        const fill = Effect.all([set("count"), set("follows"), set("needs")])
        const lists = {
          invalidatePatterns: ["count"],
          invalidateKeys: ({ value }: { readonly value: Row }) => (value.version === 1 ? ["follows"] : []),
          invalidateTags: ({ params }: { readonly params: { readonly id: unknown } }) => [`t ${String(params.id)}`]
        }
        yield* fill
        const bug = writeThrough(Rows, {
          ...lists,
          keyOf: () => {
            throw new Error("bug")
          }
        })(insert)
        const exit = yield* Effect.exit(bug(1))
        assert.isTrue(Exit.hasDies(exit))
        assert.strictEqual(rows.length, 1)
        assert.deepStrictEqual(
          [yield* there("count"), yield* there("follows"), yield* there("needs")],
          [false, false, true]
        )

        for (const params of [{ id: Number.NaN }, undefined as never, {} as never]) {
          yield* fill
          const create = writeThrough(Rows, { ...lists, keyOf: () => params, invalidateTags: [] })(insert)
          assert.strictEqual((yield* create(1)).version, 1)
          assert.deepStrictEqual([yield* there("count"), yield* there("follows")], [false, false])
          const strict = { ...Rows, onCacheError: "fail" } as const
          const error = yield* Effect.flip(writeThrough(strict, { keyOf: () => params })(insert)(1))
          assert.strictEqual(error.reason._tag, "InvalidKey")
        }
      }))

    test("a write that fails or is interrupted invalidates what is fixed", () =>
      Effect.gen(function*() {
        for (const end of [Effect.fail("no"), Effect.die("no"), Effect.interrupt]) {
          yield* Effect.all([set("count"), set("row:0")])
          let asked = 0
          const create = writeThrough(Rows, {
            keyOf: (row) => {
              asked++
              return row
            },
            invalidateKeys: ["count"],
            invalidateTags: () => [String(asked++)]
          })((_: string) => end)
          assert.isTrue(Exit.isFailure(yield* Effect.exit(create("x"))))
          assert.deepStrictEqual([asked, yield* there("count"), yield* there("row:0")], [0, false, true])
        }
      }))
  })
}

describe("writeThrough with keyOf", () => {
  it("checks it when it is made", () => {
    assert.throws(() => writeThrough(Rows, { keyOf: "id" as never }), "keyOf")
  })

  it.effect("is no cached function", () =>
    Effect.gen(function*() {
      const create = writeThrough(Rows, { keyOf })((id: number) => Effect.succeed({ id, version: 1 }))
      assert.deepStrictEqual(Object.keys(create), [])
      yield* invalidateTags([])
      assert.deepStrictEqual(yield* create(1), { id: 1, version: 1 })
    }).pipe(Effect.provide(inProcess[0][1]))
  )
})
