/** The database with its tables. For a Postgres of your own put `PgClient` of `@effect/sql-pg` in the place of PGlite. */
import { Effect, Layer } from "effect"
import { Migrator, SqlClient } from "effect/sql"
import { layerPglite } from "./pglite.ts"

const migrations = Migrator.fromRecord({
  "0001_products": Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      CREATE TABLE products (
        id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name TEXT NOT NULL,
        price INTEGER NOT NULL,
        stock INTEGER NOT NULL CHECK (stock >= 0)
      )`
  })
})

export const Database = Layer.effectDiscard(Migrator.make({})({ loader: migrations })).pipe(
  Layer.provideMerge(layerPglite)
)
