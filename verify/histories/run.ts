/**
 * One run: servers, processes and the nemesis, then the judgement.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Effect, type Scope } from "effect"
import type { RedisServerError } from "../../test/support/redisServer.ts"
import { check, type CheckInput, type Verdict } from "./checker.ts"
import { Database } from "./database.ts"
import { makeElsewhere } from "./elsewhere.ts"
import { type Figures, figuresOf } from "./figures.ts"
import { type FaultKind, runNemesis } from "./nemesis.ts"
import { Processes } from "./processes.ts"
import { makeSetup, type Topology } from "./setup.ts"
import { makeNaive } from "./naive.ts"
import { makeSubject, type SubjectOptions } from "./subject.ts"
import type { WorkerOptions } from "./worker.ts"

export interface RunOptions extends Pick<SubjectOptions, "durability">, Pick<WorkerOptions, "subject"> {
  readonly topology: Topology
  readonly seconds: number
  readonly seed: number
  readonly faults: ReadonlyArray<FaultKind>
  readonly processes: number
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

const namespace = "history"
const fibers = 48
const fallbackTtlMillis = 1_000
/** How long everything is left in peace at the end. After a failover it takes a while until the store is trusted. */
const calmMillis = ({ faults, seconds }: RunOptions): number =>
  faults.length === 0 ? seconds * 1000 : faults.includes("failover") ? 8_000 : 1_500

export const run = (options: RunOptions): Effect.Effect<RunResult, RedisServerError, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "effect-cache-history-"))),
      (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
    )
    const { durability, faults, seconds, seed, subject, topology } = options
    const gathered = yield* Effect.scoped(
      Effect.gen(function*() {
        const setup = yield* makeSetup(topology, namespace)
        // A subject as those of the processes, in a database that is none of theirs.
        const stranger = (url: string) => {
          const strangers = { url, namespace, layer: "redis", fallbackTtlMillis, durability: undefined } as const
          const unused = () => Promise.reject(new Error("a row that was put there is loaded"))
          const source = { load: unused, write: unused, pause: () => undefined }
          return subject === "naive" ? makeNaive(strangers, source) : makeSubject(strangers, source)
        }
        const { access } = setup
        const elsewhere =
          access !== undefined && faults.includes("select")
            ? yield* makeElsewhere(access.server, stranger(access.elsewhere))
            : undefined
        const database = yield* Database.scoped(path.join(folder, "database.sock"))
        const processes = yield* Processes.scoped({
          ...{ count: options.processes, folder, subject, seed, durability, namespace, fibers, fallbackTtlMillis },
          url: setup.url,
          database: database.path
        })
        const startedAt = performance.now()
        const suffered = yield* Effect.andThen(
          runNemesis({ setup, processes, namespace, topology, faults, seed, millis: seconds * 1000, elsewhere }),
          (suffered) => Effect.as(Effect.sleep(calmMillis(options)), suffered)
        )
        yield* processes.stop
        const input: CheckInput = {
          recordings: processes.recordings(),
          commits: database.commits,
          faults: suffered,
          fallbackTtlMillis,
          lossy: durability === undefined
        }
        return { input, problems: processes.problems, lasted: (performance.now() - startedAt) / 1000 }
      })
    )
    const { input, lasted, problems } = gathered
    return { options, folder, input, problems, verdict: check(input), figures: figuresOf(input, lasted) }
  })
