/**
 * A worker of the model: runs the programs it is told to, each with so many schedules at most, and prints a line of JSON for
 * each. It runs in the checkout, or in a copy of which a rule was taken out.
 *
 *     node verify/model/job.ts exhaust|sample|hunt <schedules> <program>...
 */
import { exhaust, type Result, sample } from "./explore.ts"
import type { Program } from "./programs.ts"
import { follow, programOf, replay, shorten, tokenOf } from "./story.ts"

/** What a job prints for a program. */
export interface Outcome extends Omit<Result, "violation"> {
  readonly program: string
  readonly violation:
    | { readonly problem: string; readonly token: string; readonly story: ReadonlyArray<string> }
    | undefined
}

/**
 * How a program is run: every schedule, and where that is too many, random ones besides; random ones only; or some of both in
 * turns, to find soon what goes wrong.
 */
export type How = "exhaust" | "sample" | "hunt"

const explore = (how: How, program: Program, schedules: number): Result => {
  const known = (): Result => {
    const { choices, steps, violation } = follow(program, program.known ?? [])
    const problem = violation === undefined ? undefined : { problem: violation, choices }
    return { schedules: 1, states: 0, steps, complete: false, violation: problem }
  }
  const random = (count: number) => () => sample(program, count)
  const all = (count: number) => () => exhaust(program, count)
  const tries = {
    exhaust: [all(schedules), random(schedules / 2)],
    sample: [random(schedules)],
    hunt: [random(500), all(4_000), random(schedules)]
  }[how]
  let result: Result = { schedules: 0, states: 0, steps: 0, complete: false, violation: undefined }
  for (const attempt of program.known === undefined ? tries : [known, ...tries]) {
    const { complete, schedules, states, steps, violation } = attempt()
    result = {
      schedules: result.schedules + schedules,
      // Some are seen in both ways, so these count once.
      states: Math.max(result.states, states),
      steps: result.steps + steps,
      complete,
      violation
    }
    if (complete || violation !== undefined) break
  }
  return result
}

/** Runs one program; tells the story of the first schedule that goes wrong, made short. */
export const outcomeOf = (how: How, schedules: number, name: string): Outcome => {
  const program = programOf(name)
  const result = explore(how, program, schedules)
  if (result.violation === undefined) return { ...result, program: name, violation: undefined }
  const token = tokenOf(program, shorten(program, result.violation.choices))
  return { ...result, program: name, violation: { problem: result.violation.problem, token, story: replay(token) } }
}

if (import.meta.main) {
  const [how, schedules, ...names] = process.argv.slice(2)
  for (const name of names) {
    console.log(JSON.stringify(outcomeOf(how as How, Number(schedules), name)))
  }
}
