/**
 * One run: a server, a database, processes, and what kills them; then the judgement.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Effect, type Scope } from "effect"
import { diceOf } from "../../test/support/dice.ts"
import { RedisServer, type RedisServerError } from "../../test/support/redisServer.ts"
import { check, type CheckInput, type Verdict } from "./checker.ts"
import { createDatabase, readHistory } from "./database.ts"
import { type Figures, figuresOf } from "./figures.ts"
import { Processes } from "./processes.ts"
import type { WorkerOptions } from "./worker.ts"

export interface RunOptions extends Pick<WorkerOptions, "subject" | "kinds" | "faults" | "seed" | "leaseMillis"> {
  readonly seconds: number
  readonly processes: number
  /** How long an old value may be read where nothing was acknowledged. */
  readonly boundMillis: number
}

export interface RunResult {
  readonly options: RunOptions
  readonly input: CheckInput
  readonly verdict: Verdict
  readonly figures: Figures
  /** What went wrong with the harness itself. */
  readonly problems: ReadonlyArray<string>
  /** Where the histories are, until the scope closes. */
  readonly folder: string
}

/** A zone is left alone for so much longer than the bound. */
const slackMillis = 2_000
/** The longest time for which a zone is written, and the mean time between two kills from outside. */
const stayMillis = 4_000
const killMillis = 6_000

export const run = (options: RunOptions): Effect.Effect<RunResult, RedisServerError, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "effect-cache-sql-"))),
      (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
    )
    const { boundMillis, processes: count, seconds, ...rest } = options
    const database = path.join(folder, "database")
    createDatabase(database)
    const { input, problems } = yield* Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const processes = yield* Processes.scoped({
          ...{ ...rest, count, folder, database, url: server.url, namespace: "sql" },
          ...{ readers: 8, writers: 4, quietMillis: boundMillis + slackMillis }
        })
        const dice = diceOf(options.seed)
        const end = performance.now() + seconds * 1000
        let stay = 0
        let live = killMillis
        while (performance.now() < end) {
          yield* Effect.sleep(100)
          if ((stay += 100) >= stayMillis) {
            stay = 0
            processes.moveOn()
          }
          if (options.faults && (live -= 100) <= 0) {
            live = dice.below(killMillis * 2)
            processes.kill(dice.below(count))
          }
        }
        yield* processes.stop
        const input: CheckInput = {
          ...{ written: readHistory(database), recordings: processes.recordings(), deaths: processes.deaths },
          ...{ boundMillis, leaseMillis: options.leaseMillis }
        }
        return { input, problems: processes.problems }
      })
    )
    return { options, folder, input, problems, verdict: check(input), figures: figuresOf(input) }
  })
