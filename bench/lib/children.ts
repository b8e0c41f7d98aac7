/**
 * The child processes of a workload, one for each subject.
 */
import type { Answer, Request } from "./protocol.ts"
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Sample } from "./workload.ts"

const file = fileURLToPath(new URL("../child.ts", import.meta.url))
// What a child compiles, the next need not: half of the time of a run would else be starting processes.
const env = {
  ...process.env,
  NODE_COMPILE_CACHE: fileURLToPath(new URL("../../.tmp/bench-compile-cache", import.meta.url))
}
const running = new Set<ChildProcess>()

export interface ChildOptions {
  /** Which effect-cache it imports: the sources, unless these flags of Node say otherwise. */
  readonly flags?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
}

// However this process ends, its children end with it.
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

export class Child {
  readonly subject: string
  readonly #process: ChildProcess
  #answer: ((answer: Answer) => void) | undefined
  #noise = ""

  constructor(subject: string, options: ChildOptions = {}) {
    this.subject = subject
    this.#process = spawn(
      process.execPath,
      ["--expose-gc", "--max-old-space-size=8192", ...(options.flags ?? ["--conditions=effect-cache-source"]), file],
      { env: { ...env, ...options.env }, stdio: ["ignore", "pipe", "pipe", "ipc"] }
    )
    running.add(this.#process)
    // What libraries print is of interest only when something fails.
    const keep = (data: Buffer) => {
      this.#noise = (this.#noise + data.toString("utf8")).slice(-2_000)
    }
    this.#process.stdout!.on("data", keep)
    this.#process.stderr!.on("data", keep)
    this.#process.on("message", (answer: Answer) => this.#answer?.(answer))
    this.#process.on("exit", (code, signal) => {
      running.delete(this.#process)
      this.#answer?.({ error: `the process ended (${signal ?? code}) ${this.#noise}` })
    })
  }

  async ask(request: Request): Promise<Sample | undefined> {
    const answer = await new Promise<Answer>((resolve) => {
      this.#answer = resolve
      if (!this.#process.connected) return resolve({ error: `the process is gone ${this.#noise}` })
      this.#process.send(request)
    })
    this.#answer = undefined
    if ("error" in answer) throw new Error(`${this.subject}: ${answer.error}`)
    return answer.value
  }

  /** Ends it, asking first. */
  async end(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      if (!running.has(this.#process)) return resolve()
      this.#process.once("exit", () => resolve())
    })
    const late = setTimeout(() => this.#process.kill("SIGKILL"), 3_000)
    await this.ask({ op: "close" }).catch(() => undefined)
    if (this.#process.connected) this.#process.disconnect()
    await gone
    clearTimeout(late)
  }
}
