/**
 * A process of a run: some callers read, some write, in transactions and around them, and all write down what they saw.
 */
import { Cause, Effect, Exit, Layer, ManagedRuntime } from "effect"
import { endMicros, startMicros } from "../histories/world.ts"
import { type Dice, diceOf } from "../../test/support/dice.ts"
import { makeByHand } from "./byHand.ts"
import { isUnknown, layer as databaseLayer, selectList, selectRow } from "./database.ts"
import { makeNaive } from "./naive.ts"
import { type CallKind, makeRecorder, nothing, type ReadKind } from "./records.ts"
import {
  type Fault,
  makeSubject,
  type List,
  type Needs,
  RolledBack,
  type Row,
  type Source,
  subjectLayer,
  type SubjectOptions
} from "./subject.ts"
import { keysIn, listKey, rowKey, zoneCount } from "./world.ts"
import { CurrentTransaction, makeTransactions, type Transaction } from "./transactions.ts"

export interface WorkerOptions extends SubjectOptions {
  readonly subject: "effect-cache" | "naive" | "by hand"
  /** The calls that write, which are made. */
  readonly kinds: ReadonlyArray<CallKind>
  readonly name: string
  readonly database: string
  /** Where it writes what it saw. */
  readonly file: string
  readonly seed: number
  readonly readers: number
  readonly writers: number
  /** Whether it may die, and whether a COMMIT may fail. */
  readonly faults: boolean
  /** The zone that is written at first. */
  readonly zone: number
}

/** What a process is told: to end, or which zone is to be written. */
export type Order = "stop" | { readonly zone: number }
/** What it tells: that it is ready, or that something has happened after which the zone should be left alone. */
export type Word = "ready" | "leave"

/** A caller that is still waiting so long after the end of the run waits for ever. */
const hungMillis = 20_000

const options = JSON.parse(process.argv[2]!) as WorkerOptions
const { flush, record } = makeRecorder(options.file)
const shared = diceOf(options.seed)
let hot = options.zone
let stopping = false

/** Mostly no time, at times longer than a lease. */
const someTime: Effect.Effect<void> = Effect.suspend(() => {
  const luck = shared.below(1000)
  if (luck < 600) return Effect.void
  return Effect.sleep(luck < 900 ? shared.below(6) : luck < 995 ? shared.below(40) : shared.below(900))
})

let loads = 0
const loading = <A extends { readonly key: string; readonly write: string; readonly load: string }, E, R>(
  select: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const start = startMicros()
    yield* someTime
    const found = yield* select
    // What is committed now is the race that matters.
    yield* someTime
    const value = { ...found, load: `${options.name}/${++loads}` }
    const { key, load, write } = value
    record({ type: "load", fiber: 0, start, end: endMicros(), key, write, load, tx: yield* CurrentTransaction })
    return value
  })

const source: Source = {
  loadRow: (ref) =>
    loading(
      Effect.map(selectRow(rowKey(ref)), (found): Row => ({ ...found, key: rowKey(ref), id: ref.id, load: nothing }))
    ),
  loadList: (zone, group) =>
    loading(
      Effect.map(
        selectList(listKey(zone, group)),
        (found): List => ({ ...found, key: listKey(zone, group), load: nothing })
      )
    )
}

const subject =
  options.subject === "naive"
    ? makeNaive(options, source)
    : options.subject === "by hand"
      ? makeByHand(source)
      : makeSubject(source)
const runtime = ManagedRuntime.make(
  Layer.mergeAll(databaseLayer({ file: options.database, transactions: 3 }), subjectLayer(options))
)

/** Dies at once, or a moment later, in the middle of whatever comes next. */
const die = (when: "now" | "soon") => {
  const now = () => {
    flush()
    process.kill(process.pid, "SIGKILL")
  }
  if (when === "now") return now()
  if (shared.chance(0.5)) return void setTimeout(now, shared.below(12))
  let turns = shared.below(8)
  const turn = () => (turns-- > 0 ? setImmediate(turn) : now())
  turn()
}

const tell = (word: Word) => process.send?.(word)

const { read, start: startCall } = makeTransactions(
  {
    name: options.name,
    subject,
    record,
    someTime,
    fate: (fate, { fiber, id: tx }) => ({
      fate,
      die,
      lateMillis: shared.below(Math.ceil(options.leaseMillis / 4)),
      sending: () => {
        const start = startMicros()
        record({ type: "sending", fiber, start, end: start, tx })
        flush()
      },
      committed: () => {
        const end = endMicros()
        record({ type: "committed", fiber, start: end, end, tx })
        if ((fate === "lost" || fate === "late") && shared.chance(0.3)) tell("leave")
      }
    })
  },
  options.faults
)

/** The calls under way. */
const calls = new Map<number, { readonly kind: CallKind | ReadKind; readonly tx: string; readonly start: number }>()

/** Runs a call. How it ended goes on record, but what was read, which is on record then. */
const run = async (
  fiber: number,
  kind: CallKind | ReadKind,
  effect: Effect.Effect<void, Fault, Needs>,
  dice: Dice,
  tx?: Transaction
): Promise<void> => {
  const start = startMicros()
  const id = tx?.id ?? nothing
  calls.set(fiber, { kind, tx: id, start })
  const controller = dice.chance(tx === undefined ? 0.01 : 0.08) ? new AbortController() : undefined
  const running = runtime.runPromiseExit(effect, { signal: controller?.signal })
  if (controller !== undefined) setTimeout(() => controller.abort(), dice.below(dice.chance(0.5) ? 10 : 100))
  const exit = await running
  // Who was given up on is on record as that.
  if (!calls.delete(fiber)) return
  const span = { fiber, start, end: endMicros() }
  if (Exit.isSuccess(exit)) {
    if (tx !== undefined) {
      const covers = [...tx.covers].join(",") || nothing
      record({ type: "acknowledged", ...span, kind: tx.kind, tx: id, covers })
    }
    return
  }
  const error = Cause.squash(exit.cause)
  const type =
    controller?.signal.aborted === true && Cause.hasInterruptsOnly(exit.cause)
      ? "left"
      : error instanceof RolledBack
        ? "rolled"
        : isUnknown(error)
          ? "unknown"
          : "failed"
  record({ type, ...span, kind, tx: id, reason: type === "failed" ? Cause.pretty(exit.cause) : "" })
}

const pause = (dice: Dice) => new Promise<void>((resolve) => setTimeout(resolve, dice.below(6)))

const runReader = async (fiber: number): Promise<void> => {
  const dice = diceOf(options.seed * 31 + fiber)
  while (!stopping) {
    const key = dice.pick(keysIn(dice.chance(0.6) ? hot : dice.below(zoneCount)))
    await run(fiber, "aside", read(dice, fiber, key), dice)
    await pause(dice)
  }
}

/** How often each is done. */
const weights: Readonly<Record<CallKind, number>> = {
  around: 3,
  create: 2,
  remove: 2,
  inside: 8,
  plain: 2,
  snapshot: 3
}

const runWriter = async (fiber: number): Promise<void> => {
  const dice = diceOf(options.seed * 31 + fiber)
  const kinds = options.kinds.flatMap((kind) => Array.from({ length: weights[kind] }, () => kind))
  while (!stopping) {
    const kind = dice.pick(kinds)
    const { call, tx } = startCall(dice, fiber, kind, hot)
    await run(fiber, kind, call, dice, tx)
    await pause(dice)
  }
}

const main = async () => {
  await runtime.runPromise(Effect.void)
  const { readers, writers } = options
  const all = Promise.all([
    ...Array.from({ length: readers }, (_, i) => runReader(i + 1)),
    ...Array.from({ length: writers }, (_, i) => runWriter(readers + i + 1))
  ])
  tell("ready")
  const stopped = new Promise<void>((resolve) => {
    process.on("message", (order: Order) => {
      if (order !== "stop") return void (hot = order.zone)
      stopping = true
      setTimeout(resolve, hungMillis).unref()
    })
  })
  await Promise.race([all, stopped])
  for (const [fiber, { kind, start, tx }] of calls) {
    record({ type: "hung", fiber, start, end: endMicros(), kind, tx, reason: "" })
  }
  calls.clear()
  flush()
  await Promise.race([runtime.dispose(), new Promise((resolve) => setTimeout(resolve, 2_000))])
  process.exit(0)
}

// A parent that is gone must not leave this behind.
process.on("disconnect", () => process.exit(0))
void main()
