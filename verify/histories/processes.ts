/**
 * The processes of a run: started, killed and started again, paused, and told to stop.
 */
import { type ChildProcess, fork } from "node:child_process"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import type { Recording } from "./checker.ts"
import { readEvents } from "./records.ts"
import type { Order, Word, WorkerOptions } from "./worker.ts"
import { type Amidst, startMicros } from "./world.ts"

/** A place for a process; when one dies, the next takes it. */
export interface Seat {
  /** Who sits in it. A process that takes the place of another has a name of its own. */
  readonly name: () => string
  /** SIGKILL, and a new process in its place. */
  readonly replace: Effect.Effect<void>
  /** SIGSTOP and SIGCONT. */
  readonly freeze: (frozen: boolean) => void
  /**
   * Stops it (SIGSTOP) in the middle of its next load or write, and lets it go on so much later. Gives which key that was of,
   * and when it began; `undefined` when there was none for a while.
   */
  readonly hang: (
    where: Amidst,
    millis: number
  ) => Effect.Effect<{ readonly key: string; readonly at: number } | undefined>
}

export interface Processes {
  readonly seats: ReadonlyArray<Seat>
  /** Lets every process finish what it is doing, and waits until they are gone. */
  readonly stop: Effect.Effect<void>
  /** What they have written down, and those before them in their seats. */
  readonly recordings: () => ReadonlyArray<Recording>
  /** What went wrong with the processes themselves: one that ended by itself, for instance. */
  readonly problems: ReadonlyArray<string>
}

export interface ProcessesOptions extends Omit<WorkerOptions, "name" | "file" | "layer"> {
  readonly count: number
  readonly folder: string
}

const workerFile = fileURLToPath(new URL("./worker.ts", import.meta.url))

/** Compiled modules are kept from run to run: most of what a process costs is its start. */
const compileCache = fileURLToPath(new URL("../../.tmp/compile-cache", import.meta.url))

/** How long a process may take to stop. It gives up on callers that wait for ever a little earlier. */
const stopMillis = 30_000

/** How long a process is waited for that is to stand still in the middle of something. */
const amidstMillis = 1_500

const scoped = ({ count, folder, ...options }: ProcessesOptions): Effect.Effect<Processes, never, Scope.Scope> =>
  Effect.gen(function*() {
    const children = new Set<ChildProcess>()
    const recordings: Array<Recording> = []
    const problems: Array<string> = []
    /** Who waits for a process to stand still. */
    const hanging = new Map<ChildProcess, (word: Exclude<Word, "ready">) => void>()
    const tell = (child: ChildProcess, order: Order) => child.connected && child.send(order)

    const start = (seat: number, life: number): Promise<ChildProcess> => {
      const name = `p${seat + 1}.${life}`
      const file = path.join(folder, `${name}.history`)
      // Every other process goes on in memory when Redis fails.
      const layer = options.subject === "naive" ? "naive" : seat % 2 === 0 ? "redis" : "fallback"
      const worker: WorkerOptions = {
        ...options,
        name,
        file,
        layer: layer === "naive" ? "redis" : layer,
        seed: options.seed * 1009 + seat * 101 + life
      }
      return new Promise((resolve) => {
        const child = fork(workerFile, [JSON.stringify(worker)], {
          execArgv: ["--conditions=effect-cache-source"],
          env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
          stdio: ["ignore", "inherit", "inherit", "ipc"]
        })
        children.add(child)
        child.once("exit", (code, signal) => {
          children.delete(child)
          // SIGKILL is ours.
          if (code !== 0 && signal !== "SIGKILL") problems.push(`${name} ended with ${code ?? signal}`)
          resolve(child)
        })
        child.on("message", (word: Word) => {
          if (word !== "ready") {
            // One that comes too late was told to go on meanwhile.
            return hanging.get(child)?.(word)
          }
          recordings.push({ who: name, layer, events: () => readEvents(file) })
          resolve(child)
        })
      })
    }
    const gone = (child: ChildProcess): Promise<void> =>
      new Promise((resolve) => {
        if (!children.has(child)) return resolve()
        child.once("exit", () => resolve())
      })

    yield* Effect.addFinalizer(() =>
      Effect.promise(async () => {
        const all = [...children]
        for (const child of all) child.kill("SIGKILL")
        await Promise.all(all.map(gone))
      })
    )

    const take = async (seat: number) => {
      let life = 1
      let child = await start(seat, life)
      return {
        name: () => `p${seat + 1}.${life}`,
        replace: Effect.promise(async () => {
          child.kill("SIGKILL")
          await gone(child)
          child = await start(seat, ++life)
        }),
        freeze: (frozen: boolean) => void child.kill(frozen ? "SIGSTOP" : "SIGCONT"),
        hang: (where: Amidst, millis: number) =>
          Effect.promise(async () => {
            const word = await new Promise<Exclude<Word, "ready"> | undefined>((resolve) => {
              hanging.set(child, resolve)
              tell(child, where)
              setTimeout(resolve, amidstMillis, undefined)
            })
            hanging.delete(child)
            const at = startMicros()
            if (word !== undefined) {
              child.kill("SIGSTOP")
              await sleep(millis)
              child.kill("SIGCONT")
            }
            tell(child, "go on")
            return word && { key: word.key, at }
          })
      }
    }
    const seats = yield* Effect.promise(() => Promise.all(Array.from({ length: count }, (_, seat) => take(seat))))
    const stop = Effect.promise(async () => {
      const all = [...children]
      for (const child of all) tell(child, "stop")
      const late = setTimeout(() => {
        problems.push(`${children.size} processes did not stop`)
        for (const child of children) child.kill("SIGKILL")
      }, stopMillis)
      await Promise.all(all.map(gone))
      clearTimeout(late)
    })
    return { seats, stop, recordings: () => recordings, problems }
  })

export const Processes = { scoped }
