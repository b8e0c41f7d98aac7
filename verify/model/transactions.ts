/**
 * Database transactions of `effect/sql` over the rows of the model: a change takes the row's lock, and is there for others with the
 * COMMIT, which is a step that may fail, carried out or not.
 */
import { Context, Effect } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import { SqlClient, SqlError, Statement } from "effect/sql"
import type { CacheClient } from "../../src/index.ts"
import { Here, type Process } from "./process.ts"
import type { Row } from "./server.ts"

/** What a transaction has changed, and has not committed. */
export class Changes {
  readonly process: Process
  rows = new Map<string, Row>()
  readonly savepoints: Array<Map<string, Row>> = []
  readonly committed: Array<Row> = []
  constructor(process: Process) {
    this.process = process
  }

  get isAlive(): boolean {
    return this.process.alive
  }
}

const failed = new SqlError.SqlError({
  reason: new SqlError.ConnectionError({ cause: new Error("cut"), message: "cut" })
})

const release = (changes: Changes): void => {
  const { locks } = changes.process.world.server
  for (const [key, holder] of locks) if (holder === changes) locks.delete(key)
  changes.rows.clear()
}

/** A connection is the changes of one transaction. */
const connection = (changes: Changes) => {
  const execute = (sql: string) =>
    Effect.sync((): ReadonlyArray<never> => {
      if (sql === "ROLLBACK") release(changes)
      if (sql.startsWith("SAVEPOINT")) changes.savepoints.push(new Map(changes.rows))
      if (sql.startsWith("ROLLBACK TO")) changes.rows = changes.savepoints.at(-1)!
      return []
    })
  return {
    changes,
    execute,
    executeRaw: execute,
    executeStream: () => {
      throw new Error("no streams")
    },
    executeValues: execute,
    executeValuesUnprepared: execute,
    executeUnprepared: execute
  }
}

type Connection = ReturnType<typeof connection>

const ways = ["", ", and the reply is lost", ", not carried out, and fails"] as const

const commit = ({ changes }: Connection) => {
  const { process } = changes
  const work = process.wait("database", {
    label: "database: COMMIT",
    variants: process.world.program.unsure === true ? ways : [ways[0]],
    drifts: true,
    run: (way) => {
      const { server } = process.world
      if (way !== ways[2]) {
        for (const [key, row] of changes.rows) {
          if (server.locks.get(key) !== changes) continue
          server.rows.set(key, row.version)
          process.committed.push(row)
          changes.committed.push(row)
        }
      }
      release(changes)
      return way
    }
  })
  return Effect.flatMap(work, (way) => (way === ways[0] ? Effect.void : Effect.fail(failed)))
}

const sql = Effect.runSync(
  SqlClient.make({
    acquirer: Effect.map(Here, (process) => connection(new Changes(process))) as never,
    commit: commit as never,
    compiler: Statement.makeCompilerSqlite(),
    driver: "model",
    spanAttributes: []
  }).pipe(Effect.provide(Reactivity.layer))
)

/** What the transaction of the running code has changed. */
const changesHere = Effect.withFiber<Changes | undefined>((fiber) => {
  const level = Context.getOption(fiber.context, sql.transactionService)
  return Effect.succeed(level._tag === "Some" ? (level.value[0] as unknown as Connection).changes : undefined)
})

/** Changes a row in the transaction of the running code: nobody else changes it until that has ended. */
export const update = (key: string): Effect.Effect<Row, never, Here> =>
  Effect.flatMap(Effect.all([Here, changesHere]), ([process, changes]) =>
    process.wait("database", {
      label: `database: change ${key}, uncommitted`,
      enabled: () => process.world.isFree(key, changes),
      run: () => {
        const { server } = process.world
        server.locks.set(key, changes!)
        const row = process.row(key, (changes!.rows.get(key)?.version ?? server.rows.get(key) ?? 0) + 1)
        changes!.rows.set(key, row)
        return row
      }
    })
  )

/** What the running code sees of a row that its transaction has changed. */
export const seen = (key: string): Effect.Effect<Row | undefined> =>
  Effect.map(changesHere, (changes) => changes?.rows.get(key))

/** Runs it in a transaction. Whatever becomes of it, tells which of its rows were committed. */
export const transaction = <E>(
  body: Effect.Effect<unknown, E, Here | CacheClient>
): Effect.Effect<ReadonlyArray<Row>, never, Here | CacheClient> =>
  Effect.suspend(() => {
    let changes: Changes | undefined
    const known = Effect.flatMap(changesHere, (here) => {
      changes = here
      return body
    })
    const run = Effect.provideService(sql.withTransaction(known), SqlClient.SqlClient, sql)
    return Effect.map(Effect.exit(run), () => changes?.committed ?? [])
  })

/** A savepoint within it. */
export const savepoint = <A, E, R>(body: Effect.Effect<A, E, R>) => sql.withTransaction(body)
