/**
 * A child process measures one subject, so that no other's garbage, compiled code or timers are in its way. It does
 * what its parent says, a round at a time, and sleeps while others are measured.
 */
import type { Answer, Request } from "./lib/protocol.ts"
import { type Timer, timer } from "./lib/timing.ts"
import type { Group, Runner, Sample, Workload } from "./lib/workload.ts"

let runner: Runner | undefined
let timed: Timer | undefined

const open = async (request: Request & { readonly op: "open" }): Promise<void> => {
  const { workloads } = await import("./workloads/index.ts")
  const workload: Workload | undefined = workloads.find(({ id }) => id === request.workload)
  if (workload?.open === undefined) throw new Error(`no workload "${request.workload}"`)
  const { group, mode, subject, url } = request
  await runner?.close?.()
  runner = await workload.open({ group, mode, subject, url })
  const blockMillis = (group.blockMillis ?? 20) * (mode === "full" ? 2 : 1)
  timed = runner.kind === "block" ? await timer(runner.run, { blockMillis, clock: group.clock }) : undefined
}

const perUnit = { ns: 1, us: 1e3, ms: 1e6, bytes: 1, share: 1, count: 1 }
let unit: Group["unit"] = "ns"

const serve = async (request: Request): Promise<Sample | undefined> => {
  if (request.op === "open") {
    unit = request.group.unit
    await open(request)
    return undefined
  }
  if (request.op === "close") {
    await runner?.close?.()
    return undefined
  }
  if (runner?.kind === "sample") return runner.sample()
  return { value: (await timed!.round()) / perUnit[unit] }
}

process.on("message", (request: Request) => {
  serve(request).then(
    (value) => process.send!({ value } satisfies { value: Sample | undefined } as Answer),
    (error) =>
      process.send!({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) } satisfies Answer)
  )
})
// Without its parent there is nothing to do.
process.on("disconnect", () => process.exit())
