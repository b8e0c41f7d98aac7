/** What happened in a schedule, in words; and how to find a shorter one that goes wrong as well. */
import { type Choose, run } from "./explore.ts"
import type { Move } from "./moves.ts"
import { large, type Program, small } from "./programs.ts"
import { World } from "./world.ts"

/** A program and the choices that were made in it, as text. */
export const tokenOf = (program: Program, choices: ReadonlyArray<number>): string =>
  `${program.name}:${choices.join(".")}`

export const programOf = (name: string): Program => {
  const found = [...small, ...large].find((program) => program.name === name)
  if (found === undefined) throw new Error(`there is no program "${name}"`)
  return found
}

/** Makes the choices of a token again, and tells what happens. */
export const replay = (token: string): ReadonlyArray<string> => {
  const [name, choices] = token.split(":") as [string, string]
  const made = choices.split(".").map(Number)
  const lines: Array<string> = []
  let at = 0
  run(new World(programOf(name), (line) => lines.push(line)), () => made[at++] ?? -1)
  return lines
}

const labelOf = ({ actor, command, kind, name, process }: Move): string =>
  [kind, process?.name, actor?.name, command?.work.label, name].join("|")

/** Runs a program by what is to happen, as far as that is possible; then by whatever comes first. */
export const follow = (program: Program, labels: ReadonlyArray<string>) => {
  const world = new World(program)
  const made: Array<string> = []
  let at = 0
  const choose: Choose = (moves) => {
    const possible = moves.map(labelOf)
    let choice = -1
    while (choice === -1 && at < labels.length) choice = possible.indexOf(labels[at++]!)
    choice = Math.max(choice, 0)
    made.push(possible[choice] ?? "")
    return choice
  }
  const choices = run(world, choose)
  return { violation: world.violation, steps: world.steps, choices, labels: made }
}

/** Leaves out of a schedule that goes wrong what is not needed for that. */
export const shorten = (program: Program, choices: ReadonlyArray<number>): ReadonlyArray<number> => {
  const labels: Array<string> = []
  let at = 0
  run(new World(program), (moves) => {
    const choice = choices[at++] ?? -1
    if (moves[choice] !== undefined) labels.push(labelOf(moves[choice]))
    return choice
  })
  let best = { choices, labels }
  for (let size = labels.length >> 1; size > 0; size >>= 1) {
    for (let from = 0; from < best.labels.length; ) {
      const tried = follow(program, best.labels.toSpliced(from, size))
      if (tried.violation !== undefined && tried.choices.length < best.choices.length) best = tried
      else from += size
    }
  }
  return best.choices
}
