/**
 * A process that hunts in one copy of the sources after another. Effect is loaded once, the sources anew from each copy: to start
 * a process takes longer than most hunts.
 */
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import type * as Job from "./job.ts"

/** What a hunter is asked: where the copy is, and which programs to run there. It answers with an outcome for each. */
export interface Order {
  readonly folder: string
  readonly schedules: number
  readonly programs: ReadonlyArray<string>
}

process.on("message", async ({ folder, programs, schedules }: Order) => {
  const job = pathToFileURL(path.join(folder, "verify/model/job.ts")).href
  const { outcomeOf }: typeof Job = await import(job)
  process.send!(programs.map((name) => outcomeOf("hunt", schedules, name)))
})
