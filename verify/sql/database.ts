/**
 * The source of truth: a file of sqlite, which several processes share, as a client of `effect/sql`.
 *
 * - `history` has each write that was committed, in the order of its commit, written in the transaction of the write itself. So what
 *   was committed is known of processes that died, too.
 * - A transaction begins with `BEGIN IMMEDIATE`, so one writes at a time, and its number in `tx` is its place in the order of commits.
 * - What becomes of a COMMIT is said around `withTransaction` (`CurrentFate`).
 *
 * node:sqlite answers in the same turn. Where the file is locked, nobody may wait in it: who holds the lock may be the same process.
 */
import { DatabaseSync } from "node:sqlite"
import { Context, Effect, Layer, Semaphore, Stream } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import { SqlClient, type SqlConnection, SqlError, Statement } from "effect/sql"
import { listOf, type Ref, rowKey, unwritten } from "./world.ts"

/**
 * What becomes of a COMMIT: it is `done`; it is done and its answer is lost (`lost`); it is not sent (`unsent`); its answer is lost,
 * and it is done a little later (`late`); or the process dies before it, right after it, or a moment after it.
 */
export type Fate = "done" | "lost" | "unsent" | "late" | "die-before" | "die-after" | "die-soon"

interface Committing {
  readonly fate: Fate
  /** COMMIT is about to be sent. */
  readonly sending: () => void
  /** The database has committed. */
  readonly committed: () => void
  /** Dies: now, or soon. */
  readonly die: (when: "now" | "soon") => void
  /** How long a late COMMIT takes. */
  readonly lateMillis: number
}

export const CurrentFate = Context.Reference<Committing>("effect-cache/verify/CurrentFate", {
  defaultValue: () => ({ fate: "done", sending: () => {}, committed: () => {}, die: () => {}, lateMillis: 0 })
})

const outcomeUnknown = "the outcome of COMMIT is unknown"

/** Whether this is a COMMIT that failed because it was meant to. */
export const isUnknown = (error: unknown): boolean =>
  error instanceof SqlError.SqlError && error.reason.message === outcomeUnknown

interface Handle extends SqlConnection.Connection {
  readonly db: DatabaseSync
  /** A COMMIT is still to be done on it. */
  late: Promise<void> | undefined
}

/** The error codes of sqlite for a file that is locked; a transaction whose snapshot is too old has to give up instead. */
const isBusy = (cause: unknown): boolean => {
  const code = (cause as { readonly errcode?: unknown }).errcode
  return typeof code === "number" && (code & 0xff) === 5 && code !== 517
}

const giveUpMillis = 15_000

const failure = (cause: unknown, message: string) =>
  new SqlError.SqlError({ reason: SqlError.classifySqliteError(cause, { message }) })

const connect = (file: string): Handle => {
  const db = new DatabaseSync(file, { timeout: 0 })
  db.exec("PRAGMA synchronous = OFF")
  const prepared = new Map<string, ReturnType<DatabaseSync["prepare"]>>()
  const statement = (sql: string) => {
    let found = prepared.get(sql)
    if (found === undefined) prepared.set(sql, (found = db.prepare(sql)))
    return found
  }
  const attempt = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.try({
      try: (): ReadonlyArray<any> => {
        const one = statement(sql)
        const values = params as ReadonlyArray<string | number>
        if (one.columns().length > 0) return one.all(...values)
        one.run(...values)
        return []
      },
      catch: (cause) => cause
    })
  const run = (sql: string, params: ReadonlyArray<unknown> = []) =>
    Effect.suspend(() => {
      const end = performance.now() + giveUpMillis
      const again: Effect.Effect<ReadonlyArray<any>, SqlError.SqlError> = Effect.catch(attempt(sql, params), (cause) =>
        isBusy(cause) && performance.now() < end
          ? Effect.andThen(Effect.sleep(1 + Math.random() * 4), again)
          : Effect.fail(failure(cause, `${sql}: ${cause instanceof Error ? cause.message : cause}`))
      )
      return again
    })
  const values = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.map(run(sql, params), (rows) => rows.map((row) => Object.values(row)))
  return {
    db,
    late: undefined,
    execute: (sql, params, transform) => Effect.map(run(sql, params), (rows) => transform?.(rows) ?? rows),
    executeRaw: run,
    executeStream: () => Stream.die("no streams here"),
    executeValues: values,
    executeValuesUnprepared: values,
    executeUnprepared: (sql, params) => run(sql, params)
  }
}

const lost = Effect.suspend(() =>
  Effect.fail(
    new SqlError.SqlError({ reason: new SqlError.ConnectionError({ cause: undefined, message: outcomeUnknown }) })
  )
)

const commit = (connection: SqlConnection.Connection): Effect.Effect<void, SqlError.SqlError> =>
  Effect.flatMap(CurrentFate, ({ committed, die, fate, lateMillis, sending }) => {
    const handle = connection as Handle
    const now = Effect.suspend(() => {
      sending()
      return Effect.tap(handle.executeUnprepared("COMMIT", [], undefined), () => Effect.sync(committed))
    })
    switch (fate) {
      case "done":
        return now
      case "lost":
        return Effect.andThen(now, lost)
      case "unsent":
        return lost
      case "late":
        return Effect.suspend(() => {
          sending()
          handle.late = new Promise((resolve) => {
            setTimeout(() => {
              handle.db.exec("COMMIT")
              committed()
              handle.late = undefined
              resolve()
            }, lateMillis)
          })
          return lost
        })
      case "die-before":
        return Effect.suspend(() => {
          sending()
          die("now")
          return Effect.never
        })
      case "die-after":
        return Effect.andThen(
          now,
          Effect.suspend(() => {
            die("now")
            return Effect.never
          })
        )
      case "die-soon":
        return Effect.tap(now, () => Effect.sync(() => die("soon")))
    }
  })

export const layer = (options: { readonly file: string; readonly transactions: number }) =>
  Layer.effect(
    SqlClient.SqlClient,
    Effect.gen(function*() {
      const { file, transactions } = options
      // Statements outside transactions end in the turn in which they begin, so they can share a connection.
      const reader = connect(file)
      const free = Array.from({ length: transactions }, () => connect(file))
      const permits = yield* Semaphore.make(transactions)
      const release = (handle: Handle): Effect.Effect<void> =>
        Effect.suspend(() => {
          free.push(handle)
          return Effect.asVoid(permits.release(1))
        })
      return yield* SqlClient.make({
        acquirer: Effect.succeed(reader),
        transactionAcquirer: Effect.acquireRelease(
          Effect.map(permits.take(1), () => free.pop()!),
          (handle) =>
            Effect.suspend(() => {
              const { late } = handle
              if (late === undefined) return release(handle)
              // Its caller has been told; nobody waits for it.
              void late.then(() => Effect.runFork(release(handle)))
              return Effect.void
            }),
          { interruptible: true }
        ),
        compiler: Statement.makeCompilerSqlite(),
        driver: "sqlite-node",
        spanAttributes: [],
        beginTransaction: "BEGIN IMMEDIATE",
        commit,
        onCommitFailure: (connection) => {
          const handle = connection as Handle
          return handle.db.isTransaction && handle.late === undefined
            ? Effect.asVoid(handle.executeUnprepared("ROLLBACK", [], undefined))
            : Effect.void
        },
        isTransaction: (connection) => (connection as Handle).db.isTransaction,
        releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`
      })
    })
  ).pipe(Layer.provide(Reactivity.layer))

/** Makes the file, and what stands in it. */
export const createDatabase = (file: string): void => {
  const db = new DatabaseSync(file)
  db.exec("PRAGMA journal_mode = WAL")
  db.exec(`
    CREATE TABLE item (key TEXT PRIMARY KEY, zone INTEGER NOT NULL, id INTEGER NOT NULL, list TEXT NOT NULL);
    CREATE TABLE tx (n INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL);
    CREATE TABLE history (seq INTEGER PRIMARY KEY, tx TEXT NOT NULL, key TEXT NOT NULL, list TEXT NOT NULL, version TEXT NOT NULL);
    CREATE UNIQUE INDEX by_id ON tx (id);
    CREATE INDEX by_key ON history (key, seq);
    CREATE INDEX by_list ON history (list, seq);
  `)
  db.close()
}

/** Says which transaction this is. The first statement of each that writes. */
export const begin = (id: string, kind: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`INSERT INTO tx (id, kind) VALUES (${id}, ${kind})`)

/** Writes a row, or deletes it. */
export const writeRow = (tx: string, ref: Ref, version: string, gone: boolean) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const key = rowKey(ref)
    const list = listOf(ref)
    if (gone) yield* sql`DELETE FROM item WHERE key = ${key}`
    else yield* sql`INSERT OR REPLACE INTO item (key, zone, id, list) VALUES (${key}, ${ref.zone}, ${ref.id}, ${list})`
    yield* sql`INSERT INTO history (tx, key, list, version) VALUES (${tx}, ${key}, ${list}, ${version})`
  })

/** The rows of a zone that are there. */
export const presentIds = (zone: number) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const rows = yield* sql<{ readonly id: number }>`SELECT id FROM item WHERE zone = ${zone}`
    return rows.map(({ id }) => id)
  })

/** A row as it stands: its last write, and whether it is there. One statement, so that both are of one moment. */
export const selectRow = (key: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [row] = yield* sql<{ readonly version: string | null; readonly present: number }>`
      SELECT (SELECT version FROM history WHERE key = ${key} ORDER BY seq DESC LIMIT 1) AS version,
        (SELECT count(*) FROM item WHERE key = ${key}) AS present`
    return { write: row!.version ?? unwritten, present: row!.present > 0 }
  })

/** A list as it stands: the last write of one of its rows, and which rows are there. */
export const selectList = (list: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [row] = yield* sql<{ readonly version: string | null; readonly members: string | null }>`
      SELECT (SELECT version FROM history WHERE list = ${list} ORDER BY seq DESC LIMIT 1) AS version,
        (SELECT group_concat(id) FROM item WHERE list = ${list}) AS members`
    return { write: row!.version ?? unwritten, members: row!.members ?? "" }
  })

/** A write that was committed. */
export interface CommittedWrite {
  /** The place of its transaction in the order of commits. */
  readonly n: number
  readonly tx: string
  /** What the transaction was one of. */
  readonly kind: string
  readonly key: string
  readonly list: string
  readonly write: string
}

export interface Written {
  readonly writes: ReadonlyArray<CommittedWrite>
  /** The places of all transactions that were committed. */
  readonly places: ReadonlyMap<string, number>
}

/** All that was committed, in order. */
export const readHistory = (file: string): Written => {
  const db = new DatabaseSync(file)
  const writes = db
    .prepare(
      "SELECT tx.n AS n, tx.id AS tx, tx.kind AS kind, key, list, version AS write FROM history JOIN tx ON tx.id = history.tx ORDER BY seq"
    )
    .all() as unknown as ReadonlyArray<CommittedWrite>
  const rows = db.prepare("SELECT n, id FROM tx").all() as unknown as ReadonlyArray<{
    readonly n: number
    readonly id: string
  }>
  db.close()
  return { writes, places: new Map(rows.map(({ id, n }) => [id, n])) }
}
