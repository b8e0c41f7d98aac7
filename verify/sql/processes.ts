/**
 * The processes of a run: started, killed and started again, told which zone is written, and told to stop.
 */
import { type ChildProcess, fork } from "node:child_process"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import { endMicros } from "../histories/world.ts"
import { type Event, readEvents } from "./records.ts"
import type { Order, Word, WorkerOptions } from "./worker.ts"
import { zoneCount } from "./world.ts"

/** What one process wrote down. */
export interface Recording {
  readonly who: string
  /** Each call gives the events from the start. */
  readonly events: () => Iterable<Event>
}

export interface Processes {
  /** SIGKILL, for one of them. */
  readonly kill: (seat: number) => void
  /** Goes on to the next zone, if it was left alone for long enough. */
  readonly moveOn: () => void
  /** Lets every process finish what it is doing, and waits until they are gone. */
  readonly stop: Effect.Effect<void>
  readonly recordings: () => ReadonlyArray<Recording>
  /** When those that were killed were gone. */
  readonly deaths: ReadonlyMap<string, number>
  /** How often another zone was written. */
  readonly moves: () => number
  /** What went wrong with the processes themselves: one that ended by itself, for instance. */
  readonly problems: ReadonlyArray<string>
}

export interface ProcessesOptions extends Omit<WorkerOptions, "name" | "file" | "zone"> {
  readonly count: number
  readonly folder: string
  /** How long a zone is left alone before it is written again. */
  readonly quietMillis: number
}

const workerFile = fileURLToPath(new URL("./worker.ts", import.meta.url))
const compileCache = fileURLToPath(new URL("../../.tmp/compile-cache", import.meta.url))
/** How long a process may take to stop. It gives up on callers that wait for ever a little earlier. */
const stopMillis = 30_000

const scoped = (options: ProcessesOptions): Effect.Effect<Processes, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { count, folder, quietMillis, ...rest } = options
    const seats = new Map<number, ChildProcess>()
    const recordings: Array<Recording> = []
    const deaths = new Map<string, number>()
    const problems: Array<string> = []
    let stopping = false
    let zone = 0
    let moves = 0
    const leftAt = Array.from({ length: zoneCount }, () => -Infinity)
    // One that was killed a moment ago may not be known to be gone: what cannot be sent is told to the callback, and to nobody else.
    const tell = (child: ChildProcess, order: Order) => child.connected && child.send(order, () => {})

    const moveOn = () => {
      const next = (zone + 1) % zoneCount
      if (performance.now() - leftAt[next]! < quietMillis) return
      leftAt[zone] = performance.now()
      zone = next
      moves++
      for (const child of seats.values()) tell(child, { zone })
    }

    const start = (seat: number, life: number): Promise<void> => {
      const name = `p${seat + 1}.${life}`
      const file = path.join(folder, `${name}.history`)
      const worker: WorkerOptions = { ...rest, name, file, zone, seed: options.seed * 1009 + seat * 101 + life }
      return new Promise((resolve) => {
        const child = fork(workerFile, [JSON.stringify(worker)], {
          execArgv: ["--conditions=effect-cache-source", "--disable-warning=ExperimentalWarning"],
          env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
          stdio: ["ignore", "inherit", "inherit", "ipc"]
        })
        seats.set(seat, child)
        child.once("exit", (code, signal) => {
          seats.delete(seat)
          resolve()
          if (signal === "SIGKILL") {
            deaths.set(name, endMicros())
            // What it has left behind is to be seen: no later write hides it.
            if (!stopping) moveOn()
          } else if (code !== 0) problems.push(`${name} ended with ${code ?? signal}`)
          if (!stopping) void start(seat, life + 1)
        })
        child.on("message", (word: Word) => {
          if (word === "leave") return moveOn()
          recordings.push({ who: name, events: () => readEvents(file) })
          resolve()
        })
      })
    }
    const gone = (child: ChildProcess): Promise<void> =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve()
        child.once("exit", () => resolve())
      })

    yield* Effect.addFinalizer(() =>
      Effect.promise(async () => {
        stopping = true
        const all = [...seats.values()]
        for (const child of all) child.kill("SIGKILL")
        await Promise.all(all.map(gone))
      })
    )
    yield* Effect.promise(() => Promise.all(Array.from({ length: count }, (_, seat) => start(seat, 1))))
    const stop = Effect.promise(async () => {
      stopping = true
      const all = [...seats.values()]
      for (const child of all) tell(child, "stop")
      const late = setTimeout(() => {
        problems.push(`${seats.size} processes did not stop`)
        for (const child of seats.values()) child.kill("SIGKILL")
      }, stopMillis)
      await Promise.all(all.map(gone))
      clearTimeout(late)
    })
    return {
      kill: (seat) => void seats.get(seat)?.kill("SIGKILL"),
      moveOn,
      stop,
      recordings: () => recordings,
      deaths,
      moves: () => moves,
      problems
    }
  })

export const Processes = { scoped }
