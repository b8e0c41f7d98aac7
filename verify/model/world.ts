/**
 * A world: processes over one store and one database, and the calls their actors make. It offers the moves that are possible
 * now, makes the one that is chosen, and looks whether what callers get keeps the promise.
 *
 * - R1: a call that looks for a value (a read, a peek, a refresh) gets none that is older than what was acknowledged before
 *   it started.
 * - R2: no two loads of one key at a time, or no three, or no second load at all, where the program says so. Those of callers
 *   that have waited for as long as they wanted do not count.
 * - R3 is R1 with evictions among the moves: evidence that is lost may cost a miss, never a stale hit.
 * - Beyond that: no call fails that has no reason to, and every call ends; where the program says so, before it has waited for
 *   as long as it wanted.
 */
import { Cause, Exit, type Fiber, Option } from "effect"
import { CacheError } from "../../src/CacheError.ts"
import { holders } from "../../src/engine/work.ts"
import { isWrite, writersOf } from "../../src/protocol/lease.ts"
import { isNoRoom } from "../../src/internal/noRoom.ts"
import { type Move, movesOf, type Spending } from "./moves.ts"
import { patienceMillis, Process } from "./process.ts"
import type { Op } from "./calls.ts"
import type { Program } from "./programs.ts"
import { Turns } from "./scheduler.ts"
import { Row, Server } from "./server.ts"
import { describe, show } from "./words.ts"

const failsForRoom = (cause: Cause.Cause<unknown>): boolean => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  return error instanceof CacheError && isNoRoom(error)
}

interface Call {
  readonly op: Op
  /** What was acknowledged for each key when it started: to anybody, and to its own process. */
  readonly acknowledged: ReadonlyArray<Acknowledged>
  readonly own: ReadonlyArray<Acknowledged>
  /** How many commands of its process had timed out by then, and whether it sent something before it waited. */
  readonly timeouts: number
  sent: boolean
  readonly bans: number
  /** When it started, by the clock of its process. */
  readonly since: number
  readonly fiber: Fiber.Fiber<unknown, unknown> | undefined
  interrupted: boolean
}

export interface Actor {
  readonly name: string
  readonly process: Process
  readonly ops: ReadonlyArray<Op>
  at: number
  call: Call | undefined
}

interface Acknowledged {
  readonly key: string
  readonly version: number
  readonly by: string
  readonly process: Process
  /** Otherwise to its own process only: a write that went on without the store. */
  readonly toAll: boolean
}

/** A schedule that takes more steps does not end. */
const maxSteps = 600

export class World {
  readonly program: Program
  readonly server = new Server()
  readonly keys: ReadonlyArray<string>
  readonly tags: ReadonlyArray<string>
  readonly processes: ReadonlyArray<Process>
  violation: string | undefined
  steps = 0
  /** Told each thing that happens, where somebody wants the story. */
  readonly tellStory: ((line: string) => void) | undefined
  readonly #turns = new Turns()
  readonly actors: Array<Actor> = []
  /** What is left of the budget. */
  readonly left: Spending
  readonly #tokens = new Map<string, { readonly name: string; readonly process: Process }>()
  readonly #acknowledged: Array<Acknowledged> = []
  /** Invalidations of a tag that `tagCacheKey` gave to a value. */
  bans = 0
  #loads = 0
  /** The process whose turn goes on. */
  turn: Process | undefined

  constructor(program: Program, tellStory?: (line: string) => void) {
    this.program = program
    this.keys = program.keys ?? ["row:1"]
    this.tags = program.tags ?? ["T"]
    this.tellStory = tellStory
    this.left = { ...program.budget }
    // Schedules that were given up leave theirs behind, and with them all of their worlds.
    holders.clear()
    if (program.held === true) this.server.leaveHeld(this.keys[0]!)
    if (program.filled === true) this.server.leaveFilled(this.keys[0]!)
    if (program.unsettled === true) this.server.leaveUnsettled(this.keys[0]!, this.tags[0]!)
    if (program.ahead === true) this.server.leaveAhead()
    this.processes = program.processes.map((_, i) => new Process(this, "ABCDE"[i]!, this.#turns))
    this.#turns.yields = program.yields === true
    program.processes.forEach((actors, p) => {
      actors.forEach((ops, i) => {
        this.actors.push({
          name: `${this.processes[p]!.name}.${i + 1}`,
          process: this.processes[p]!,
          ops,
          at: 0,
          call: undefined
        })
      })
    })
    for (const actor of this.actors) this.#startAtOnce(actor)
    this.#flush()
  }

  // ---- what processes ask of it

  nameToken(token: string, process: Process): string {
    let found = this.#tokens.get(token)
    if (found === undefined) {
      found = { name: `${process.name}#${++process.tokens}`, process }
      this.#tokens.set(token, found)
    }
    return found.name
  }

  /** Of a token, or of a lease that several writes are under. Tokens of memory have no name: they are new in every world. */
  tokenName(text: string): string | undefined {
    const named = this.#tokens.get(text)?.name
    if (named !== undefined || !isWrite(text)) return named
    return writersOf(text).reduce((known, token) => known.replace(token, this.#tokens.get(token)?.name ?? "?"), text)
  }

  /** Whose token it is. */
  holderOf(token: string): Process | undefined {
    return this.#tokens.get(token)?.process
  }

  /** Whether the process lives whose token holds the lease of a key, or one of them. */
  isKept(key: string): boolean {
    const text = this.server.lease(key) ?? ""
    const tokens = isWrite(text) ? writersOf(text) : [text]
    return tokens.some((token) => this.#tokens.get(token)?.process.alive === true)
  }

  /** Whether a row may be changed: by a transaction, or by anybody. */
  isFree(key: string, by?: object | undefined): boolean {
    const holder = this.server.locks.get(key)
    return holder === undefined || holder === by || !holder.isAlive
  }

  commit(key: string, process: Process): Row {
    const version = (this.server.rows.get(key) ?? 0) + 1
    this.server.rows.set(key, version)
    return process.row(key, version)
  }

  loadBegins(process: Process, key: string): void {
    this.tellStory?.(`    ${process.name} begins to load ${key}`)
    const { oneLoad } = this.program
    if (oneLoad === undefined) return
    const own = process.loading.get(key)!
    const all = this.processes.reduce((sum, { alive, loading }) => sum + (alive ? (loading.get(key) ?? 0) : 0), 0)
    if (oneLoad === "ever" && this.#loads++ > 0) this.#fail(`R2: ${key} is loaded again`)
    if (oneLoad === "world" && all > 1) this.#fail(`R2: ${key} is loaded twice at a time`)
    if (oneLoad === "process" && own > 1) this.#fail(`R2: ${key} is loaded twice at a time in one process`)
    if (oneLoad === "two" && own > 2) this.#fail(`R2: ${key} is loaded three times at a time in one process`)
  }

  /** Nothing can happen, though somebody waits. */
  stuck(): void {
    this.#fail("a call that never ends")
  }

  #fail(problem: string): void {
    this.violation ??= problem
    this.tellStory?.(`!!! ${problem}`)
  }

  // ---- calls

  get finished(): boolean {
    return this.actors.every(({ at, ops, process }) => !process.alive || at === ops.length)
  }

  #startAtOnce(actor: Actor): void {
    const op = actor.ops[actor.at]
    if (op !== undefined && !op.free) this.#start(actor)
  }

  #start(actor: Actor): void {
    const { process } = actor
    const op = actor.ops[actor.at]!
    const acknowledged = this.keys.flatMap((key) => this.latest(key, process) ?? [])
    const own = this.keys.flatMap((key) => this.latest(key, process, true) ?? [])
    if (this.tellStory !== undefined) {
      const known = acknowledged.map(({ key, version }) => `${key} v${version}`).join(", ")
      this.tellStory(`${actor.name} calls ${op.name}${op.look && known !== "" ? ` (acknowledged: ${known})` : ""}`)
    }
    process.tell("start", this.actors.indexOf(actor))
    for (const { version } of [...acknowledged, ...own]) process.tell("acknowledged", version)
    process.tell("bans", this.bans)
    const { sent, timeouts } = process
    const call: Call = {
      op,
      acknowledged,
      own,
      timeouts,
      sent: false,
      bans: this.bans,
      since: process.clock.currentTimeMillisUnsafe(),
      fiber: undefined,
      interrupted: false
    }
    actor.call = call
    const fiber = process.fork(op.run(process))
    call.sent = process.sent > sent
    Object.assign(call, { fiber })
    fiber.addObserver((exit) => this.#end(actor, call, exit))
  }

  #end(actor: Actor, call: Call, exit: Exit.Exit<unknown, unknown>): void {
    actor.call = undefined
    actor.at++
    const { op } = call
    this.tellStory?.(
      `${actor.name} gets ${Exit.isSuccess(exit) ? show(this, exit.value) : "a failure"} from ${op.name}`
    )
    if (this.program.prompt === true && actor.process.clock.currentTimeMillisUnsafe() - call.since >= patienceMillis) {
      this.#fail(`SLOW: ${actor.name} has waited in ${op.name} for as long as it wanted`)
    }
    if (op.look) this.#check(actor, call, exit)
    else this.#acknowledge(actor, call, exit)
    this.#startAtOnce(actor)
  }

  #check(actor: Actor, call: Call, exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isFailure(exit)) {
      const expected = call.interrupted || (call.op.mayFail === true && actor.process.timeouts > 0)
      if (!expected) this.#fail(`${actor.name}: ${call.op.name} fails: ${Cause.pretty(exit.cause)}`)
      return
    }
    for (const found of Array.isArray(exit.value) ? exit.value : [exit.value]) this.#checkRow(actor, call, found)
  }

  #checkRow(actor: Actor, call: Call, found: unknown): void {
    const row = Option.isOption(found) ? Option.getOrUndefined(found) : found
    if (row === undefined) {
      if (call.op.finds === true) this.#fail(`GAP: ${actor.name} finds nothing, and nothing was invalidated`)
      return
    }
    if (!(row instanceof Row)) return this.#fail(`${actor.name}: ${call.op.name} gives ${String(row)}`)
    // While the store is away a process hears nothing of the others, and shares its loads in memory. See docs/protocol.md.
    const { process } = actor
    const withStore = process.timeouts === 0 || (call.sent && process.timeouts === call.timeouts)
    const known = (withStore ? call.acknowledged : call.own).find(({ key }) => key === row.key)
    if (known !== undefined && row.version < known.version) {
      this.#fail(
        `STALE: ${actor.name} gets v${row.version} of ${row.key}, but v${known.version} was acknowledged by ${known.by} before it started`
      )
    }
    if (row.version > (this.server.rows.get(row.key) ?? 0) && call.op.within !== true) {
      this.#fail(`DIRTY: ${actor.name} gets v${row.version} of ${row.key}, which was never committed`)
    }
    if (row.bannedBy !== 0 && row.bannedBy <= call.bans) {
      this.#fail(`STALE: ${actor.name} gets a value whose tag was invalidated before it started`)
    }
  }

  #acknowledge(actor: Actor, call: Call, exit: Exit.Exit<unknown, unknown>): void {
    const { process } = actor
    const timedOut = process.timeouts > 0
    if (Exit.isFailure(exit)) {
      // One that cannot move the epoch on, nor remove it, is not acknowledged.
      const stays = this.program.ahead === true && !call.op.look && failsForRoom(exit.cause)
      if (!call.interrupted && !timedOut && !stays)
        this.#fail(`${actor.name}: ${call.op.name} fails: ${Cause.pretty(exit.cause)}`)
      return
    }
    const by = `${actor.name} (${call.op.name})`
    for (const { key, version } of exit.value as ReadonlyArray<Row>) {
      this.#acknowledged.push({ key, version, by, process, toAll: !timedOut || call.op.bypasses !== true })
    }
  }

  /** What it had committed and not acknowledged counts where the program says so. */
  kill(process: Process): void {
    process.crash()
    if (this.program.deadWritesCount !== true) return
    for (const { key, version } of process.committed) {
      this.#acknowledged.push({ key, version, by: `the death of ${process.name}`, process, toAll: true })
    }
  }

  /** What was acknowledged last for a key, as far as this process can know; `own`: by itself. */
  latest(key: string, process: Process, own = false): Acknowledged | undefined {
    let latest: Acknowledged | undefined
    for (const found of this.#acknowledged) {
      const counts = found.key === key && (found.process === process || (found.toAll && !own))
      if (counts && (latest === undefined || found.version > latest.version)) latest = found
    }
    return latest
  }

  /** The tag of this very value has been invalidated. */
  ban(row: Row): void {
    row.bannedBy = ++this.bans
  }

  // ---- moves

  make(move: Move): void {
    const { command, kind, name, process } = move
    if (++this.steps > maxSteps) return this.#fail("a schedule that does not end")
    const line = this.tellStory === undefined ? undefined : describe(move)
    const carriesOut = kind === "carry out" || kind === "carry out, reply late" || kind === "drift"
    if (line !== undefined && !carriesOut) this.tellStory!(line)
    switch (kind) {
      case "start":
        this.#start(move.actor!)
        break
      case "carry out":
      case "carry out, reply late": {
        const value = process!.carryOut(command!, name)
        if (line !== undefined) this.tellStory!(`${line} -> ${show(this, value)}`)
        if (kind === "carry out, reply late") this.left.late--
        // A row is read, or changed, in one step, and the load or write returns in another.
        else if (command!.kind !== "database" && process!.queues.get(command!.work.slot)![0] === command) {
          process!.deliver(command!)
        }
        break
      }
      case "drift": {
        const value = command!.work.run(command!.work.variants?.[0])
        if (line !== undefined) this.tellStory!(`${line} -> ${show(this, value)}`)
        process!.adrift = process!.adrift.filter((other) => other !== command)
        break
      }
      case "deliver":
        process!.deliver(command!)
        break
      case "end of tick":
        break
      case "time passes":
        if (this.left.ticks > 0) this.left.ticks--
        process!.tell("time passes")
        process!.clock.pass()
        break
      case "time out":
        this.left.timeouts--
        process!.timeOut(command!)
        break
      case "refuse":
        this.left.full--
        process!.refuse(command!)
        break
      case "interrupt":
        this.left.interrupts--
        process!.tell("interrupt", this.actors.indexOf(move.actor!))
        move.actor!.call!.interrupted = true
        move.actor!.call!.fiber!.interruptUnsafe()
        break
      case "crash":
        this.left.crashes--
        this.kill(process!)
        break
      case "expire":
        this.#drop(name!)
        break
      case "evict":
        this.left.evictions--
        this.#drop(name!)
        break
    }
    this.#endTurn(move)
  }

  /** Lets the fibers run that became ready, or leaves the turn of the process open for more. */
  #endTurn({ kind, process }: Move): void {
    if (!this.#turns.idle && kind !== "end of tick" && process?.alive === true && this.left.together > 0) {
      this.left.together--
      this.turn = process
      return
    }
    this.turn = undefined
    if (this.program.budget.together > 0) process?.tell("end of tick")
    this.#flush()
  }

  #flush(): void {
    this.#turns.flush()
    for (const process of this.processes) process.flush()
  }

  #drop(name: string): void {
    this.server.drop(name)
    // Memory is a part of its process, so what happens to it belongs to the state of that.
    if (this.program.store === "memory") this.processes[0]!.tell(`evict ${name}`)
  }

  /** When all calls have ended: each process reads once more. What is stale now stays stale, so this finds what is left. */
  epilogue(): void {
    for (const process of this.processes) {
      if (!process.alive || this.violation !== undefined) continue
      const actor: Actor = { name: `${process.name}.last`, process, ops: [this.program.reader], at: 0, call: undefined }
      this.#start(actor)
      this.#flush()
      while (actor.at === 0 && this.violation === undefined) {
        const moves = movesOf(this, true)
        const move = moves.find((move) => move.process === process) ?? moves[0]
        if (move === undefined) return this.#fail(`${actor.name}: ${this.program.reader.name} never ends`)
        this.make(move)
      }
    }
  }
}
