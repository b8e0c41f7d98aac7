/**
 * The database: Postgres inside this process (PGlite), or the one of the parent process, reached over the channel that
 * `fork` opens. Queries carry a name, and are counted by it: that count is the truth the demo measures loads with.
 */
import type { ChildProcess } from "node:child_process"
import { Context, Effect, Layer, Schema, type Scope } from "effect"

export type Row = Readonly<Record<string, unknown>>

export class DatabaseError extends Schema.TaggedError<DatabaseError>()("DatabaseError", {
  query: Schema.String,
  cause: Schema.Defect()
}) {}

export class Database extends Context.Service<
  Database,
  {
    readonly query: (
      name: string,
      sql: string,
      params: ReadonlyArray<unknown>
    ) => Effect.Effect<ReadonlyArray<Row>, DatabaseError>
  }
>()("city-atlas/Database") {}

/** The Postgres of this process, for those who load data into it and count. */
export class Postgres extends Context.Service<
  Postgres,
  {
    readonly exec: (sql: string) => Effect.Effect<void, DatabaseError>
    /** `COPY table FROM` lines in Postgres's text format. */
    readonly copy: (table: string, lines: string) => Effect.Effect<void, DatabaseError>
    readonly query: Database["Service"]["query"]
    /** How many queries of a name have run. */
    readonly count: (name: string) => number
  }
>()("city-atlas/Postgres") {
  static readonly layer: Layer.Layer<Postgres, DatabaseError> = Layer.effect(
    Postgres,
    Effect.gen(function*() {
      const attempt = <A>(query: string, evaluate: () => Promise<A>) =>
        Effect.tryPromise({ try: evaluate, catch: (cause) => new DatabaseError({ query, cause }) })
      const db = yield* Effect.acquireRelease(
        attempt("connect", async () => (await import("@electric-sql/pglite")).PGlite.create()),
        (db) => Effect.promise(() => db.close())
      )
      const counts = new Map<string, number>()
      return {
        exec: (sql) => Effect.asVoid(attempt("exec", () => db.exec(sql))),
        copy: (table, lines) =>
          Effect.asVoid(
            attempt("copy", () => db.query(`COPY ${table} FROM '/dev/blob'`, [], { blob: new Blob([lines]) }))
          ),
        query: (name, sql, params) =>
          attempt(name, async () => {
            counts.set(name, (counts.get(name) ?? 0) + 1)
            return (await db.query<Row>(sql, [...params])).rows
          }),
        count: (name) => counts.get(name) ?? 0
      }
    })
  )
}

export const layerPostgres: Layer.Layer<Database, never, Postgres> = Layer.effect(
  Database,
  Effect.map(Postgres, ({ query }) => ({ query }))
)

// Over the channel of a child: a numbered question, and an answer with the same number.
const Question = Schema.Struct({
  id: Schema.Int,
  name: Schema.String,
  sql: Schema.String,
  params: Schema.Array(Schema.Unknown)
})
interface Answer {
  readonly id: number
  readonly rows?: ReadonlyArray<Row>
  readonly error?: string
}
const isQuestion = Schema.is(Question)

/** Answers the questions of a child process, until the scope ends. */
export const serveChild = (child: ChildProcess): Effect.Effect<void, never, Postgres | Scope.Scope> =>
  Effect.gen(function*() {
    const { query } = yield* Postgres
    const context = yield* Effect.context<never>()
    const listener = (message: unknown) => {
      if (!isQuestion(message)) return
      const { id, name, params, sql } = message
      const reply = (answer: Answer) => Effect.sync(() => void (child.connected && child.send(answer)))
      Effect.runForkWith(context)(
        Effect.matchEffect(query(name, sql, params), {
          onSuccess: (rows) => reply({ id, rows }),
          onFailure: (error) => reply({ id, error: String(error.cause) })
        })
      )
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => child.on("message", listener)),
      () => Effect.sync(() => child.off("message", listener))
    )
  })

/** The database of the parent process. */
export const layerParent: Layer.Layer<Database> = Layer.effect(
  Database,
  Effect.gen(function*() {
    const waiting = new Map<number, (answer: Answer) => void>()
    let last = 0
    const listener = (answer: Answer) => {
      waiting.get(answer.id)?.(answer)
      waiting.delete(answer.id)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => process.on("message", listener)),
      () => Effect.sync(() => process.off("message", listener))
    )
    return {
      query: (name, sql, params) =>
        Effect.callback((resume) => {
          const id = ++last
          waiting.set(id, ({ error, rows }) =>
            resume(
              rows === undefined ? Effect.fail(new DatabaseError({ query: name, cause: error })) : Effect.succeed(rows)
            )
          )
          process.send?.({ id, name, sql, params })
          return Effect.sync(() => void waiting.delete(id))
        })
    }
  })
)
