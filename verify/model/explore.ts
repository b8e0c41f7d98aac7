/**
 * Goes through schedules: every one of a small program, or random ones of a large one.
 *
 * A fiber cannot be copied, so each schedule is run from the start: the choices made before are made again, and then others.
 * A state that was seen before is not gone on from. Two schedules have led to one state when the server, the database and
 * what was acknowledged are the same, and each process was told the same in the same order (see `stateOf`).
 */
import { generator } from "../../test/support/random.ts"
import { type Move, movesOf } from "./moves.ts"
import type { Program } from "./programs.ts"
import { stateOf } from "./state.ts"
import { World } from "./world.ts"

export interface Result {
  readonly schedules: number
  readonly states: number
  readonly steps: number
  /** Every schedule was gone through. */
  readonly complete: boolean
  readonly violation: { readonly problem: string; readonly choices: ReadonlyArray<number> } | undefined
}

/** Picks among the moves that are possible, or gives the schedule up with -1. */
export type Choose = (moves: ReadonlyArray<Move>) => number

/** One schedule to its end. Returns what was chosen. */
export const run = (world: World, choose: Choose): Array<number> => {
  const choices: Array<number> = []
  while (world.violation === undefined && !world.finished) {
    const moves = movesOf(world)
    const choice = choose(moves)
    if (choice === -1) return choices
    choices.push(choice)
    if (moves.length === 0) {
      world.stuck()
      return choices
    }
    world.make(moves[choice]!)
  }
  if (world.violation === undefined) world.epilogue()
  return choices
}

/** Depth first, through every schedule, until so many were run; without `prune`, also on from states seen before. */
export const exhaust = (program: Program, maxSchedules: number, prune = true): Result => {
  const seen = new Set<number>()
  const stack: Array<{ readonly count: number; at: number }> = []
  let schedules = 0
  let steps = 0
  while (schedules < maxSchedules) {
    const world = new World(program)
    let depth = 0
    const choices = run(world, ({ length }) => {
      let frame = stack[depth++]
      if (frame === undefined) {
        const state = stateOf(world)
        if (prune && seen.has(state)) return -1
        seen.add(state)
        frame = { count: length, at: 0 }
        stack.push(frame)
      } else if (frame.count !== length) throw new Error(`${program.name}: a schedule does not repeat`)
      return frame.at
    })
    schedules++
    steps += world.steps
    if (world.violation !== undefined) {
      return { schedules, states: seen.size, steps, complete: false, violation: { problem: world.violation, choices } }
    }
    while (stack.length > 0 && ++stack[stack.length - 1]!.at >= stack[stack.length - 1]!.count) stack.pop()
    if (stack.length === 0) return { schedules, states: seen.size, steps, complete: true, violation: undefined }
  }
  return { schedules, states: seen.size, steps, complete: false, violation: undefined }
}

/** Moves that disturb: the rest is what would happen by itself. */
const disturbances: ReadonlySet<Move["kind"]> = new Set([
  "carry out, reply late",
  "time passes",
  "time out",
  "drift",
  "interrupt",
  "crash",
  "expire",
  "evict"
])

const ownerOf = ({ actor, command, process }: Move): string =>
  `${process?.name} ${actor?.name ?? command?.work.slot ?? ""}`

/**
 * How one random schedule is chosen. Those of odd seeds give each process and slot a priority, and lower it now and then
 * (Burckhardt and others: "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010), so that one
 * goes far ahead of another; those of even seeds take any move.
 */
const randomly = (seed: number): Choose => {
  const random = generator(seed)
  const priorities = new Map<string, number>()
  const any = (moves: ReadonlyArray<Move>): Move => moves[random(moves.length)]!
  const first = (moves: ReadonlyArray<Move>): Move => {
    let best = moves[0]!
    let highest = -1
    for (const move of moves) {
      const owner = ownerOf(move)
      let priority = priorities.get(owner)
      if (priority === undefined) priorities.set(owner, (priority = 1_000 + random(1_000)))
      if (priority > highest) {
        highest = priority
        best = move
      }
    }
    const owner = ownerOf(best)
    if (random(8) === 0) priorities.set(owner, random(1_000))
    return any(moves.filter((move) => ownerOf(move) === owner))
  }
  const pick = seed % 2 === 0 ? any : first
  return (moves) => {
    if (moves.length === 0) return 0
    const disturbing = random(6) === 0 ? moves.filter(({ kind }) => disturbances.has(kind)) : []
    const usual = disturbing.length > 0 ? [] : moves.filter(({ kind }) => !disturbances.has(kind))
    const move = disturbing.length > 0 ? any(disturbing) : usual.length > 0 ? pick(usual) : any(moves)
    return moves.indexOf(move)
  }
}

/** So many random schedules; the first has the seed 1. */
export const sample = (program: Program, maxSchedules: number): Result => {
  const seen = new Set<number>()
  let steps = 0
  for (let schedules = 1; schedules <= maxSchedules; schedules++) {
    const world = new World(program)
    const choose = randomly(schedules)
    const choices = run(world, (moves) => {
      seen.add(stateOf(world))
      return choose(moves)
    })
    steps += world.steps
    if (world.violation !== undefined) {
      return { schedules, states: seen.size, steps, complete: false, violation: { problem: world.violation, choices } }
    }
  }
  return { schedules: maxSchedules, states: seen.size, steps, complete: false, violation: undefined }
}
