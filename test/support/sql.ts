/**
 * A database for tests of transactions: a pool of SQLite connections (WAL) on a temporary file, as a driver of `effect/sql` would have.
 * Its COMMIT can be made to fail. Only one transaction at a time may write.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { DatabaseSync, type SQLInputValue } from "node:sqlite"
import { Deferred, Effect, type Scope, Semaphore, Stream } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import { SqlClient, type SqlConnection, SqlError, Statement } from "effect/sql"

/**
 * What becomes of a COMMIT: `"lost"` fails and was never carried out, `"unheard"` was carried out and fails all the same; one that hangs says
 * so, and is carried out when it may.
 */
export type CommitFate =
  | "lost"
  | "unheard"
  | { readonly hangs: Deferred.Deferred<void>; readonly until: Deferred.Deferred<void> }

export interface Database {
  readonly sql: SqlClient.SqlClient
  /** Its client among the services. */
  readonly use: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, SqlClient.SqlClient>>
  /** In a transaction of it. */
  readonly transaction: <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | SqlError.SqlError, Exclude<R, SqlClient.SqlClient>>
  /** Of the COMMITs from now on. */
  readonly commits: (fate: CommitFate | undefined) => void
  /** The statements, each behind the number of its connection. */
  readonly log: ReadonlyArray<string>
  /** The number of a row, on whatever connection the caller is; 0 where there is none. */
  readonly read: (id: string) => Effect.Effect<number>
  readonly write: (id: string, n: number) => Effect.Effect<number>
}

const failed = (operation: string, cause: unknown) =>
  new SqlError.SqlError({ reason: new SqlError.UnknownError({ message: "of a test", operation, cause }) })

interface Connection extends SqlConnection.Connection {
  readonly db: DatabaseSync
}

const connect = (file: string, number: number, log: Array<string>): Connection => {
  const db = new DatabaseSync(file)
  db.exec("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 1000")
  const run = (sql: string, params: ReadonlyArray<unknown> = []) =>
    Effect.try({
      try: () => {
        log.push(`${number}: ${sql}`)
        return db.prepare(sql).all(...(params as ReadonlyArray<SQLInputValue>))
      },
      catch: (cause) => failed("execute", cause)
    })
  const values = () => Effect.die("not used")
  return {
    db,
    execute: run,
    executeRaw: run,
    executeUnprepared: run,
    executeStream: () => Stream.die("not used"),
    executeValues: values,
    executeValuesUnprepared: values
  }
}

/** A database of its own until the scope closes, with a table of numbers. */
export const makeDatabase = (connections = 3): Effect.Effect<Database, never, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "effect-cache-sql-"))),
      (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
    )
    const log: Array<string> = []
    const free = Array.from({ length: connections }, (_, i) => connect(path.join(folder, "db"), i, log))
    free[0]!.db.exec("CREATE TABLE rows (id TEXT PRIMARY KEY, n INTEGER)")
    const all = [...free]
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const { db } of all) db.close()
      })
    )
    const permits = yield* Semaphore.make(connections)
    let fate: CommitFate | undefined
    const commit = (conn: SqlConnection.Connection): Effect.Effect<void, SqlError.SqlError> =>
      Effect.suspend(() => {
        const sent = Effect.asVoid(conn.executeUnprepared("COMMIT", [], undefined))
        if (fate === undefined) return sent
        if (fate === "lost") return Effect.fail(failed("commit", "the connection is gone"))
        if (fate === "unheard") return Effect.andThen(sent, Effect.fail(failed("commit", "no answer")))
        return Effect.andThen(Deferred.succeed(fate.hangs, undefined), Effect.andThen(Deferred.await(fate.until), sent))
      })
    const sql = yield* Effect.provide(
      SqlClient.make({
        // The connection that was given back last is the next one.
        acquirer: Effect.acquireRelease(
          Effect.andThen(
            permits.take(1),
            Effect.sync(() => free.shift()!)
          ),
          (conn) =>
            Effect.suspend(() => {
              free.unshift(conn)
              return permits.release(1)
            })
        ),
        commit,
        onCommitFailure: (conn) =>
          Effect.suspend(() =>
            (conn as Connection).db.isTransaction
              ? Effect.asVoid(conn.executeUnprepared("ROLLBACK", [], undefined))
              : Effect.void
          ),
        compiler: Statement.makeCompilerSqlite(),
        driver: "sqlite-test",
        spanAttributes: []
      }),
      Reactivity.layer
    )
    const use: Database["use"] = Effect.provideService(SqlClient.SqlClient, sql)
    return {
      sql,
      use,
      transaction: (self) => use(sql.withTransaction(self)),
      commits: (next) => {
        fate = next
      },
      log,
      read: (id) =>
        Effect.orDie(
          Effect.map(sql<{ readonly n: number }>`SELECT n FROM rows WHERE id = ${id}`, ([row]) => row?.n ?? 0)
        ),
      write: (id, n) =>
        Effect.orDie(Effect.as(sql`INSERT INTO rows VALUES (${id}, ${n}) ON CONFLICT (id) DO UPDATE SET n = ${n}`, n))
    }
  })
