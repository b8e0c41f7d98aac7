/** The API through its own client: routes, encodings and statuses, without a socket. */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { CacheTest } from "effect-cache/testing"
import { HttpServer } from "effect/http"
import { HttpApiTest } from "effect/http-api"
import { Api } from "./api.ts"
import { Database } from "./database.ts"
import { ProductHandlers, SystemHandlers } from "./handlers.ts"
import { OrderLine, ProductId, ProductInput } from "./model.ts"
import { Products } from "./products.ts"

const Handlers = Layer.mergeAll(ProductHandlers, SystemHandlers, HttpServer.layerServices).pipe(
  Layer.provide(Products.layer),
  Layer.provideMerge([CacheTest.layer, Database])
)

layer(Handlers, { timeout: "1 minute" })("Api", (it) => {
  it.effect("creates, finds, updates, orders and removes", () =>
    Effect.gen(function*() {
      const { products } = yield* HttpApiTest.groups(Api, ["products"])
      const { id } = yield* products.create({ payload: new ProductInput({ name: "tea", price: 450, stock: 3 }) })
      const params = { id }
      assert.strictEqual((yield* products.find({ params })).name, "tea")
      yield* products.update({ params, payload: new ProductInput({ name: "green tea", price: 450, stock: 3 }) })
      yield* products.order({ payload: { lines: [new OrderLine({ id, quantity: 2 })] } })
      assert.deepStrictEqual(
        (yield* products.list({ params: { page: 1 } })).map(({ name, stock }) => [name, stock]),
        [["green tea", 1]]
      )
      yield* products.remove({ params })
      const cache = yield* CacheTest
      assert.isUndefined(yield* cache.entry(`product:${id}`))
    })
  )

  it.effect("fails with what the API names", () =>
    Effect.gen(function*() {
      const { products } = yield* HttpApiTest.groups(Api, ["products"])
      const missing = { params: { id: ProductId.make(999) } }
      assert.strictEqual((yield* Effect.flip(products.find(missing)))._tag, "ProductNotFound")
      assert.strictEqual((yield* Effect.flip(products.remove(missing)))._tag, "ProductNotFound")
      const { id } = yield* products.create({ payload: new ProductInput({ name: "tea", price: 450, stock: 1 }) })
      const order = products.order({ payload: { lines: [new OrderLine({ id, quantity: 2 })] } })
      assert.strictEqual((yield* Effect.flip(order))._tag, "OutOfStock")
    })
  )

  it.effect("says that it is well", () =>
    Effect.gen(function*() {
      const client = yield* HttpApiTest.groups(Api, ["system"])
      yield* client.health()
    })
  )
})
