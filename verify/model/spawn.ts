/** Runs jobs in processes of their own: on the sources as they are, or with a rule taken out of a copy. */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { copySources, takeOut } from "../ablations/rules.ts"
import type { Hunt } from "./ablations.ts"
import type { How, Outcome } from "./job.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

const execute = promisify(execFile)

export const runJob = async (
  how: How,
  schedules: number,
  programs: ReadonlyArray<string>,
  folder = root
): Promise<ReadonlyArray<Outcome>> => {
  const job = path.join(folder, "verify/model/job.ts")
  const args = ["--conditions=effect-cache-source", job, how, String(schedules), ...programs]
  const { stdout } = await execute(process.execPath, args, {
    cwd: folder,
    maxBuffer: 2 ** 26,
    env: { ...process.env, NODE_OPTIONS: "" }
  })
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
}

/** Takes a rule out, and looks for what goes wrong without it. */
export const hunt = async ({ patches, programs, rule }: Hunt, schedules: number): Promise<ReadonlyArray<Outcome>> => {
  const folder = copySources()
  try {
    takeOut(folder, rule, patches)
    return await runJob("hunt", schedules, programs, folder)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}
