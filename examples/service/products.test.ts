/** The repository on a real Postgres (PGlite), with the cache of tests: as bytes, on the clock of the test. */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { CacheTest } from "effect-cache/testing"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { Database } from "./database.ts"
import { OrderLine, OutOfStock, ProductInput } from "./model.ts"
import { Products } from "./products.ts"

const tea = new ProductInput({ name: "tea", price: 450, stock: 3 })

/** Each test has a cache of its own; the database is one for all. */
const Fresh = Products.layer.pipe(Layer.provideMerge(Layer.fresh(CacheTest.layer)))

// PGlite may take a while to start.
layer(Database, { timeout: "1 minute" })("Products", (it) => {
  it.effect("is loaded once, until it has expired", () =>
    Effect.gen(function*() {
      const products = yield* Products
      const cache = yield* CacheTest
      const { id } = yield* products.create(tea)
      assert.deepStrictEqual(yield* products.find(id), yield* products.find(id))
      assert.strictEqual(yield* cache.loads("product:{id}"), 2) // the create, and one load
      yield* TestClock.adjust("12 minutes")
      assert.isUndefined(yield* cache.entry(`product:${id}`))
    }).pipe(Effect.provide(Fresh))
  )

  it.effect("what was written is what is read, also on the pages of the list", () =>
    Effect.gen(function*() {
      const products = yield* Products
      const { id } = yield* products.create(tea)
      yield* products.find(id)
      assert.isTrue((yield* products.list(1)).some((product) => product.id === id))

      yield* products.update(id, new ProductInput({ ...tea, price: 500 }))
      assert.strictEqual((yield* products.find(id)).price, 500)
      assert.strictEqual((yield* products.list(1)).find((product) => product.id === id)?.price, 500)

      yield* products.remove(id)
      assert.strictEqual((yield* Effect.flip(products.find(id)))._tag, "ProductNotFound")
      assert.isFalse((yield* products.list(1)).some((product) => product.id === id))
    }).pipe(Effect.provide(Fresh))
  )

  it.effect("an order takes all lines or none, from the database and from the cache", () =>
    Effect.gen(function*() {
      const products = yield* Products
      const one = yield* products.create(tea)
      const other = yield* products.create(tea)
      const stocks = Effect.map(Effect.all([products.find(one.id), products.find(other.id)]), (both) =>
        both.map(({ stock }) => stock)
      )
      const line = (id: typeof one.id, quantity: number) => new OrderLine({ id, quantity })
      yield* products.order([line(one.id, 1), line(other.id, 2)])
      assert.deepStrictEqual(yield* stocks, [2, 1])

      const refused = yield* Effect.flip(products.order([line(one.id, 1), line(other.id, 2)]))
      assert.deepStrictEqual(refused, new OutOfStock({ id: other.id, left: 1 }))
      assert.deepStrictEqual(yield* stocks, [2, 1])
    }).pipe(Effect.provide(Fresh))
  )

  it.effect("works in a transaction of its caller, and leaves nothing when that is rolled back", () =>
    Effect.gen(function*() {
      const products = yield* Products
      const sql = yield* SqlClient.SqlClient
      const { id } = yield* products.create(tea)
      yield* products.find(id)
      const undone = Effect.gen(function*() {
        yield* products.update(id, new ProductInput({ ...tea, price: 1 }))
        assert.strictEqual((yield* products.find(id)).price, 1)
        return yield* Effect.fail("changed my mind")
      })
      yield* Effect.flip(sql.withTransaction(undone))
      assert.strictEqual((yield* products.find(id)).price, tea.price)
    }).pipe(Effect.provide(Fresh))
  )

  it.effect("a broken cache fails nobody", () =>
    Effect.gen(function*() {
      const products = yield* Products
      const cache = yield* CacheTest
      yield* cache.inject("*", { fail: true })
      const { id } = yield* products.create(tea)
      yield* products.update(id, new ProductInput({ ...tea, price: 500 }))
      assert.strictEqual((yield* products.find(id)).price, 500)
    }).pipe(Effect.provide(Fresh))
  )
})
