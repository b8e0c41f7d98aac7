/**
 * A whole run: workloads one after the other, those on Redis with a server of their own.
 */
import { execFileSync } from "node:child_process"
import * as os from "node:os"
import { Effect } from "effect"
import { RedisServer } from "../../test/support/redisServer.ts"
import { workloads } from "../workloads/index.ts"
import { measureWorkload } from "./measure.ts"
import type { GroupResult, Machine, Mode, Run } from "./model.ts"
import { versions } from "./peers.ts"
import { isPeer } from "./subject.ts"
import type { Group, Workload } from "./workload.ts"

export interface RunOptions {
  readonly mode: Mode
  readonly only: ReadonlyArray<string>
  readonly peers: boolean
  readonly rounds: number | undefined
  readonly log: (line: string) => void
  readonly done: (group: GroupResult) => void
}

const redisVersion = (): string => {
  for (const name of ["redis-server", "valkey-server"]) {
    try {
      return /v=([0-9.]+)/.exec(execFileSync(name, ["--version"], { encoding: "utf8" }))?.[1] ?? "unknown"
    } catch {
      // the other one
    }
  }
  return "unknown"
}

export const machine = (): Machine => ({
  cpu: os.cpus()[0]?.model ?? "unknown",
  cores: os.availableParallelism(),
  memoryGb: Math.round(os.totalmem() / 2 ** 30),
  // What comes after is of one build of one machine.
  os: `${os.type()} ${os.release().split(".").slice(0, 2).join(".")}`,
  node: process.version,
  redis: redisVersion()
})

export interface Planned {
  readonly workload: Workload
  readonly groups: ReadonlyArray<Group>
}

/** What a run would measure. */
export const plan = (options: Pick<RunOptions, "mode" | "only" | "peers">): ReadonlyArray<Planned> =>
  workloads.flatMap((workload) => {
    const groups = workload
      .groups(options.mode)
      .filter(({ id }) => options.only.length === 0 || options.only.some((only) => id.startsWith(only)))
      .filter(({ subjects }) => options.peers || subjects.some((subject) => !isPeer(subject)))
    const counts =
      workload.count !== undefined &&
      (options.only.length === 0 || options.only.some((only) => workload.id.startsWith(only.split("/")[0]!)))
    return groups.length === 0 && !counts ? [] : [{ workload, groups }]
  })

export const run = (options: RunOptions): Effect.Effect<Run, unknown> =>
  Effect.gen(function*() {
    const startedAt = Date.now()
    const groups: Array<GroupResult> = []
    const done = (group: GroupResult) => {
      groups.push(group)
      options.done(group)
    }
    for (const planned of plan(options)) {
      const { count, prepare } = planned.workload
      if (count !== undefined) {
        options.log(`${planned.workload.id} ...`)
        const counted = yield* Effect.tryPromise({ try: () => count(options.mode), catch: (error) => error })
        for (const group of counted) done(group)
      }
      if (planned.groups.length === 0) continue
      if (prepare !== undefined) yield* Effect.tryPromise({ try: prepare, catch: (error) => error })
      const measure = (url: string) =>
        Effect.tryPromise({
          try: () =>
            measureWorkload(
              planned.workload,
              planned.groups,
              {
                mode: options.mode,
                url,
                rounds: options.rounds,
                log: options.log,
                keeps: (subject) => options.peers || !isPeer(subject)
              },
              done
            ),
          catch: (error) => error
        })
      yield* planned.workload.redis
        ? Effect.scoped(Effect.flatMap(RedisServer.scoped(), ({ url }) => measure(url)))
        : measure("")
    }
    return {
      format: 1,
      date: new Date(startedAt).toISOString(),
      mode: options.mode,
      seconds: Math.round((Date.now() - startedAt) / 1e3),
      machine: machine(),
      versions: versions(options.peers),
      groups
    }
  })
