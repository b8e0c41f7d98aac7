/** Runs jobs in processes of their own: on the sources as they are, or with a rule taken out of a copy. */
import { execFile, fork } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { copySources, takeOut } from "../ablations/rules.ts"
import type { Hunt } from "./ablations.ts"
import type { Order } from "./hunter.ts"
import type { How, Outcome } from "./job.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

const execute = promisify(execFile)

export const runJob = async (
  how: How,
  schedules: number,
  programs: ReadonlyArray<string>
): Promise<ReadonlyArray<Outcome>> => {
  const job = path.join(root, "verify/model/job.ts")
  const args = ["--conditions=effect-cache-source", job, how, String(schedules), ...programs]
  const { stdout } = await execute(process.execPath, args, {
    cwd: root,
    maxBuffer: 2 ** 26,
    env: { ...process.env, NODE_OPTIONS: "" }
  })
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
}

/** Who takes rules out, one at a time, and looks for what goes wrong without each. */
export interface Hunter extends AsyncDisposable {
  readonly hunt: (found: Hunt, schedules: number) => Promise<ReadonlyArray<Outcome>>
}

export const openHunter = (): Hunter => {
  const child = fork(path.join(root, "verify/model/hunter.ts"), {
    execArgv: ["--conditions=effect-cache-source"],
    // What is compiled here is gone with its copy.
    env: { ...process.env, NODE_OPTIONS: "", NODE_DISABLE_COMPILE_CACHE: "1" }
  })
  const gone = once(child, "exit")
  const ask = async (order: Order): Promise<ReadonlyArray<Outcome>> => {
    const answer = once(child, "message")
    child.send(order)
    const [outcomes] = await Promise.race([
      answer,
      gone.then(([code]) => {
        throw new Error(`A hunter ended with ${code}.`)
      })
    ])
    return outcomes
  }
  return {
    hunt: async ({ patches, programs, rule }, schedules) => {
      const folder = copySources()
      try {
        takeOut(folder, rule, patches)
        return await ask({ folder, schedules, programs })
      } finally {
        fs.rmSync(folder, { recursive: true, force: true })
      }
    },
    [Symbol.asyncDispose]: async () => {
      child.disconnect()
      await gone
    }
  }
}
