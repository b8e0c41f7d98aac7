/**
 * The model, whole: every program, and then every rule taken out once.
 *
 *     npm run verify:model                          all of it, in two processes
 *     npm run verify:model -- <part of a name>      only the programs and rules of that name
 *     npm run verify:model -- --story <rule>        how a rule is broken that was taken out, told
 *     npm run verify:model -- --replay <token>      one schedule again, told
 *
 * The method is told in `world.ts` (what is promised), `process.ts` (what a step is) and `explore.ts` (how schedules are found).
 */
import { parseArgs } from "node:util"
import { hunts, isFound } from "./ablations.ts"
import type { How, Outcome } from "./job.ts"
import { large, small } from "./programs.ts"
import { openHunter, runJob } from "./spawn.ts"
import { replay } from "./story.ts"

/** Schedules of a small program, depth first; if there are more, half as many random ones follow. */
const smallSchedules = 25_000
const largeSchedules = 15_000
const huntSchedules = 100_000

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { replay: { type: "string" }, story: { type: "boolean" } }
})
const part = positionals[0] ?? ""
const total = { schedules: 0, states: 0, steps: 0, wrong: 0, complete: 0 }

const figures = ({ complete, schedules, states, steps }: Outcome): string => {
  const columns = [schedules, states, steps].map((n) => n.toLocaleString("en").padStart(11))
  return `${columns.join("")}  ${complete ? "all" : ""}`
}

const tell = (story: ReadonlyArray<string>): void => {
  for (const line of story) console.log(`      ${line}`)
}

/** Two at a time. */
const inTurn = async <A>(list: ReadonlyArray<A>, task: (one: A) => Promise<void>): Promise<void> => {
  const left = [...list]
  const worker = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await task(one)
  }
  await Promise.all([worker(), worker()])
}

interface Run {
  readonly how: How
  readonly schedules: number
  readonly name: string
}

const check = async ({ how, name, schedules }: Run): Promise<void> => {
  const [outcome] = await runJob(how, schedules, [name])
  const { complete, states, steps, violation } = outcome!
  total.schedules += outcome!.schedules
  total.states += states
  total.steps += steps
  if (complete) total.complete++
  console.log(`${violation === undefined ? "holds " : "BROKEN"} ${name.padEnd(22)}${figures(outcome!)}`)
  if (violation === undefined) return
  total.wrong++
  tell(violation.story)
  console.log(`      again: npm run verify:model -- --replay ${violation.token}`)
}

if (values.replay !== undefined) tell(replay(values.replay))
else {
  console.log(
    `       ${"program".padEnd(22)}${["schedules", "states", "steps"].map((name) => name.padStart(11)).join("")}`
  )
  const chosen = (list: typeof small) => list.filter(({ name }) => !values.story && name.includes(part))
  const runs: ReadonlyArray<Run> = [
    ...chosen(small).map(({ name }) => ({ how: "exhaust" as const, schedules: smallSchedules, name })),
    ...chosen(large).map(({ name }) => ({ how: "sample" as const, schedules: largeSchedules, name }))
  ]
  await inTurn(runs, check)
  const { complete, schedules, states, steps } = total
  const [s, n, t] = [schedules, states, steps].map((n) => n.toLocaleString("en"))
  console.log(
    `${s} schedules, ${n} states, ${t} steps; ${complete} programs gone through whole; ${total.wrong} violations\n`
  )

  await inTurn(
    hunts.filter(({ rule }) => rule.includes(part)),
    async (found) => {
      // One for each: what a long hunt has kept in memory is gone with it.
      await using hunter = openHunter()
      for (const { program, schedules, violation } of await hunter.hunt(found, huntSchedules)) {
        const caught = isFound(found, violation?.problem)
        if (!caught) total.wrong++
        const what = caught ? "caught    " : "NOT CAUGHT"
        console.log(`${what} without "${found.rule}" in ${program}, schedule ${schedules.toLocaleString("en")}`)
        if (violation !== undefined && values.story) tell(violation.story)
      }
    }
  )
  console.log(`${(process.uptime() / 60).toFixed(1)} minutes, ${total.wrong} wrong`)
  if (total.wrong > 0) process.exitCode = 1
}
