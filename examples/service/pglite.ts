/** A `SqlClient` of `effect/sql` on PGlite: Postgres inside this process, for tests and for trying things. */
import { PGlite } from "@electric-sql/pglite"
import { Effect, Layer, Semaphore, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection, SqlError, Statement } from "effect/sql"

const compiler = Statement.makeCompiler({
  dialect: "pg",
  placeholder: (index) => `$${index}`,
  onIdentifier: Statement.defaultEscape('"'),
  onRecordUpdate: (placeholders, alias, columns, values, returning) => [
    `(values ${placeholders}) AS ${alias}${columns}${returning === undefined ? "" : ` RETURNING ${returning[0]}`}`,
    [...values.flat(), ...(returning?.[1] ?? [])]
  ],
  onCustom: () => ["", []]
})

const failed = (cause: unknown) => new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause }) })

const connect = Effect.acquireRelease(Effect.tryPromise({ try: () => PGlite.create(), catch: failed }), (db) =>
  Effect.promise(() => db.close())
)

const make = Effect.gen(function*() {
  const db = yield* connect
  // One connection: whoever has it keeps it until his statement, or his transaction, has ended.
  const lock = yield* Semaphore.make(1)
  const run = <A>(sql: string, params: ReadonlyArray<unknown>, rowMode: "array" | "object") =>
    Effect.uninterruptible(Effect.tryPromise({ try: () => db.query<A>(sql, [...params], { rowMode }), catch: failed }))
  const objects: SqlConnection.Connection["execute"] = (sql, params, transformRows) =>
    Effect.map(run<object>(sql, params, "object"), ({ rows }) => transformRows?.(rows) ?? rows)
  const arrays: SqlConnection.Connection["executeValues"] = (sql, params) =>
    Effect.map(run<ReadonlyArray<unknown>>(sql, params, "array"), ({ rows }) => rows)
  const connection: SqlConnection.Connection = {
    execute: objects,
    executeUnprepared: objects,
    executeRaw: (sql, params) => run(sql, params, "object"),
    executeValues: arrays,
    executeValuesUnprepared: arrays,
    executeStream: (sql, params, transformRows) =>
      Stream.unwrap(Effect.map(objects(sql, params, transformRows), Stream.fromIterable))
  }
  const acquirer = Effect.as(
    Effect.acquireRelease(lock.take(1), () => lock.release(1), { interruptible: true }),
    connection
  )
  return yield* SqlClient.make({
    acquirer,
    compiler,
    driver: "pglite",
    spanAttributes: [["db.system.name", "postgresql"]]
  })
})

export const layerPglite: Layer.Layer<SqlClient.SqlClient, SqlError.SqlError> = Layer.effect(
  SqlClient.SqlClient,
  make
).pipe(Layer.provide(Reactivity.layer))
