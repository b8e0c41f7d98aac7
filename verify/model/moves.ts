/** What may happen next in a world. */
import type { Command, Process } from "./process.ts"
import type { Actor, World } from "./world.ts"

/** One thing that may happen. */
export interface Move {
  readonly kind:
    | "start"
    | "carry out"
    | "carry out, reply late"
    | "deliver"
    | "end of tick"
    | "time passes"
    | "time out"
    | "refuse"
    | "drift"
    | "interrupt"
    | "crash"
    | "expire"
    | "evict"
  readonly process: Process | undefined
  readonly command?: Command | undefined
  /** A variant of the command, or the name of what is evicted. */
  readonly name?: string | undefined
  readonly actor?: Actor | undefined
}

/** How often the explorer may do what the protocol does not expect. */
export interface Budget {
  /** Drop an entry, a lease, a marker or the epoch. */
  readonly evictions: number
  /** End a process without a word. */
  readonly crashes: number
  /** Tell a process that a command timed out, which may be carried out before, later or never. */
  readonly timeouts: number
  /** Refuse a command that needs room: the server is full at that moment. */
  readonly full: number
  /** Hold a reply of the store back while others go on. */
  readonly late: number
  /** Let time pass to the next timer of a process, though there is something else to do. */
  readonly ticks: number
  /** Let several things happen in one turn of a process. */
  readonly together: number
  /** Interrupt a call. */
  readonly interrupts: number
}

/** A budget as it is spent. */
export type Spending = { -readonly [K in keyof Budget]: number }

/** What may happen now. `calm`: only what happens by itself, and no new call. */
export const movesOf = (world: World, calm = false): Array<Move> => {
  const moves: Array<Move> = []
  const left = calm ? undefined : world.left
  const { turn } = world
  if (turn !== undefined) moves.push({ kind: "end of tick", process: turn })
  for (const process of world.processes) {
    if (!process.alive || (turn !== undefined && turn !== process)) continue
    for (const actor of world.actors) {
      if (calm || actor.process !== process || actor.call !== undefined) continue
      const op = actor.ops[actor.at]
      if (op !== undefined && (op.when === undefined || op.when(world))) moves.push({ kind: "start", process, actor })
    }
    for (const queue of process.queues.values()) ofQueue(process, queue, moves, turn === undefined ? left : undefined)
  }
  if (turn !== undefined) return moves
  if (left !== undefined) {
    for (const process of world.processes) {
      for (const command of process.adrift) moves.push({ kind: "drift", process, command })
    }
  }
  const idle = moves.length === 0
  for (const process of world.processes) {
    if (process.alive && process.clock.waiting && (idle || (left !== undefined && left.ticks > 0))) {
      moves.push({ kind: "time passes", process })
    }
  }
  if (left !== undefined) disturb(world, moves, left)
  return moves
}

const ofQueue = (
  process: Process,
  queue: ReadonlyArray<Command>,
  moves: Array<Move>,
  left: Budget | undefined
): void => {
  const first = queue[0]!
  if (first.reply !== undefined) moves.push({ kind: "deliver", process, command: first })
  const command = queue.find(({ reply }) => reply === undefined)
  const write = queue.find(({ reply, work }) => reply === undefined && work.reads !== true)
  for (const next of new Set([command, write])) if (next !== undefined) ofCommand(process, next, moves, left)
  if (left !== undefined && left.full > 0 && command === first && command.work.needsRoom === true) {
    moves.push({ kind: "refuse", process, command })
  }
  if (left !== undefined && left.timeouts > 0) {
    for (const command of queue) if (command.kind === "store") moves.push({ kind: "time out", process, command })
  }
}

const ofCommand = (process: Process, command: Command, moves: Array<Move>, left: Budget | undefined): void => {
  if (command.work.enabled === undefined || command.work.enabled()) {
    for (const name of command.work.variants ?? [undefined]) {
      moves.push({ kind: "carry out", process, command, name })
      if (left !== undefined && left.late > 0 && command.kind !== "hint") {
        moves.push({ kind: "carry out, reply late", process, command, name })
      }
    }
  }
}

const disturb = (world: World, moves: Array<Move>, left: Budget): void => {
  const { actors, keys, processes, program, server } = world
  const inMemory = program.store === "memory"
  const evict = (name: string) => {
    if (left.evictions > 0) moves.push({ kind: "evict", process: undefined, name })
  }
  for (const key of keys) {
    if (server.exists(`e:${key}`)) evict(`e:${key}`)
    if (inMemory || !server.exists(`l:${key}`)) continue
    evict(`l:${key}`)
    // The lease of a dead process ends by itself.
    if (!world.isKept(key)) moves.push({ kind: "expire", process: undefined, name: `l:${key}` })
  }
  if (!inMemory) {
    for (const tag of server.markers.keys()) evict(`t:${tag}`)
    if (server.epoch !== undefined) evict("the epoch")
  }
  if (left.interrupts > 0) {
    for (const actor of actors) {
      const { call, process } = actor
      if (call !== undefined && !call.interrupted && process.alive) moves.push({ kind: "interrupt", process, actor })
    }
  }
  if (left.crashes > 0) {
    for (const process of processes) if (process.alive) moves.push({ kind: "crash", process })
  }
}
