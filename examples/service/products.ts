/** The repository: the only place that knows of the table, and of the cache. */
import { Context, Effect, Layer, Schema } from "effect"
import { cacheAside, CacheClient, CacheRegion, writeAround, writeThrough } from "effect-cache"
import { SqlClient, type SqlError, type Statement } from "effect/sql"
import { type OrderLine, OutOfStock, Product, type ProductId, type ProductInput, ProductNotFound } from "./model.ts"

// What is cached, once. Readers and writers share it.
const Cached = CacheRegion.make({ key: "product:{id}", schema: Product, ttl: "10 minutes", jitter: 0.1 })

/** On every page of the list; whatever changes a product makes them old. */
const pages = "product-pages"

interface ById {
  readonly id: ProductId
}

const decode = Schema.decodeUnknownEffect(Schema.Array(Product))

export class Products extends Context.Service<
  Products,
  {
    readonly find: (id: ProductId) => Effect.Effect<Product, ProductNotFound>
    readonly list: (page: number) => Effect.Effect<ReadonlyArray<Product>>
    readonly create: (input: ProductInput) => Effect.Effect<Product>
    readonly update: (id: ProductId, input: ProductInput) => Effect.Effect<Product, ProductNotFound>
    readonly remove: (id: ProductId) => Effect.Effect<void, ProductNotFound>
    /** Takes all lines out of the stock, or none. */
    readonly order: (
      lines: ReadonlyArray<OrderLine>
    ) => Effect.Effect<ReadonlyArray<Product>, ProductNotFound | OutOfStock>
  }
>()("shop/Products") {
  static readonly layer: Layer.Layer<Products, never, SqlClient.SqlClient | CacheClient> = Layer.effect(
    Products,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      // The cache finds the transaction that a call is in by its `SqlClient`: so both go along with each call.
      const services = Context.make(SqlClient.SqlClient, sql).pipe(Context.add(CacheClient, yield* CacheClient))
      const run = Effect.provideContext(services)

      // A database that fails is no concern of whoever asks for a product: a defect, which `HttpApi` answers with 500.
      const rows = (statement: Statement.Statement<unknown>) => Effect.orDie(Effect.flatMap(statement, decode))
      const row = (id: ProductId, statement: Statement.Statement<unknown>) =>
        Effect.flatMap(rows(statement), ([product]) =>
          product === undefined ? Effect.fail(new ProductNotFound({ id })) : Effect.succeed(product)
        )
      const select = (id: ProductId) => row(id, sql`SELECT * FROM products WHERE id = ${id}`)

      const find = cacheAside(Cached)(({ id }: ById) => select(id))

      const list = cacheAside({
        key: "products:{page}",
        schema: Schema.Array(Product),
        ttl: "1 minute",
        tags: [pages]
      })(({ page }: { readonly page: number }) =>
        rows(sql`SELECT * FROM products ORDER BY id LIMIT 20 OFFSET ${20 * (page - 1)}`)
      )

      // The database gives the id, so the key is known from what the write returns.
      const create = writeThrough(Cached, { keyOf: ({ id }) => ({ id }), invalidateTags: [pages] })(
        (input: ProductInput) =>
          Effect.map(rows(sql`INSERT INTO products ${sql.insert({ ...input })} RETURNING *`), ([product]) => product!)
      )

      const update = writeThrough(Cached, { invalidateTags: [pages] })(
        ({ id, input }: ById & { readonly input: ProductInput }) =>
          row(id, sql`UPDATE products SET ${sql.update({ ...input })} WHERE id = ${id} RETURNING *`)
      )

      const remove = writeAround(Cached, { invalidateTags: [pages] })(({ id }: ById) =>
        row(id, sql`DELETE FROM products WHERE id = ${id} RETURNING *`)
      )

      const take = writeThrough(Cached, { invalidateTags: [pages] })(({ id, quantity }: OrderLine) =>
        Effect.gen(function*() {
          const [taken] = yield* rows(
            sql`UPDATE products SET stock = stock - ${quantity} WHERE id = ${id} AND stock >= ${quantity} RETURNING *`
          )
          if (taken !== undefined) return taken
          const { stock } = yield* select(id)
          return yield* new OutOfStock({ id, left: stock })
        })
      )

      // What was taken reaches the cache after COMMIT. If a line fails, the others are as they were, there as here.
      const order = (lines: ReadonlyArray<OrderLine>) =>
        // In the order of their ids, so that two orders never wait for one another.
        sql
          .withTransaction(
            Effect.forEach(
              [...lines].sort((a, b) => a.id - b.id),
              take
            )
          )
          .pipe(Effect.catchTag("SqlError", (error: SqlError.SqlError) => Effect.die(error)))

      return {
        find: (id) => run(find({ id })),
        list: (page) => run(list({ page })),
        create: (input) => run(create(input)),
        update: (id, input) => run(update({ id, input })),
        remove: (id) => run(Effect.asVoid(remove({ id }))),
        order: (lines) => run(order(lines))
      }
    })
  )
}
