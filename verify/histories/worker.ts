/**
 * A process of a run: several callers at once read, write and invalidate the same few keys, and write down what they
 * saw.
 */
import { generator } from "../../test/support/random.ts"
import { connectDatabase } from "./database.ts"
import { makeNaive } from "./naive.ts"
import { type CallKind, makeRecorder, type ReadKind, readKinds } from "./records.ts"
import { Left, makeSubject, notYet, type Row, type SubjectOptions } from "./subject.ts"
import {
  type Amidst,
  bearers,
  endMicros,
  families,
  type Family,
  fixedTag,
  ids,
  keyOf,
  keysOf,
  setLoad,
  startMicros,
  tagsOf
} from "./world.ts"

export interface WorkerOptions extends SubjectOptions {
  readonly subject: "effect-cache" | "naive"
  readonly name: string
  readonly database: string
  /** Where it writes what it saw. */
  readonly file: string
  readonly seed: number
  /** Callers at once. */
  readonly fibers: number
}

/** What a process is told: to end, to say when it is in the middle of something and wait there, or to go on. */
export type Order = "stop" | Amidst | "go on"
/** What it tells: that it is ready, or what it is in the middle of. */
export type Word = "ready" | { readonly amidst: Amidst; readonly key: string }

/** How often each is done, in thousandths. */
const weights: ReadonlyArray<readonly [CallKind, number]> = [
  ["aside", 465],
  ["stampede", 330],
  ["peek", 85],
  ["get", 80],
  ["refresh", 5],
  ["key", 4],
  ["keys", 2],
  ["pattern", 2],
  ["tag", 5],
  ["write", 5],
  ["bypass", 2],
  ["set", 15]
]

const isRead = (kind: CallKind): kind is ReadKind => (readKinds as ReadonlyArray<string>).includes(kind)

/** How many callers leave before they have an answer, in thousandths; of those who change something, ten times as many. */
const leaving = 10

/** A caller that is still waiting so long after the end of the run waits for ever. */
const hungMillis = 20_000

const options = JSON.parse(process.argv[2]!) as WorkerOptions
const database = connectDatabase(options.database)
const { flush, record } = makeRecorder(options.file)
const shared = generator(options.seed)

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** Mostly no time, at times longer than a lease. */
const someTime = (): Promise<void> | undefined => {
  const luck = shared(1000)
  if (luck < 600) return undefined
  return sleep(luck < 900 ? shared(8) : luck < 994 ? shared(60) : shared(900))
}

/** What it is to stand still in the middle of, and how it goes on. */
let hang: Amidst | undefined
let goOn = () => {}

/** If it is to, says that it is in the middle of something: then it is stopped, with all that is under way. */
const standStill = (where: Amidst, key: string): Promise<void> | undefined => {
  if (hang !== where) return undefined
  hang = undefined
  return new Promise((resolve) => {
    goOn = resolve
    process.send!({ amidst: where, key } satisfies Word)
  })
}

/** Rows that loads under way have seen and not returned yet, or that are being set: to change one of them now is the race that matters. */
const seen = new Set<{ readonly family: Family; readonly id: number }>()

let loads = 0
const rowOf = (key: string, version: number): Row => ({
  key,
  version,
  load: `${options.name}/${++loads}`,
  loadedAt: endMicros()
})

const source = {
  load: async (family: Family, id: number): Promise<Row> => {
    const start = startMicros()
    const key = keyOf(family, id)
    await someTime()
    const version = await database.read(key)
    const race = { family, id }
    seen.add(race)
    await standStill("load", key)
    await someTime()
    seen.delete(race)
    const row = rowOf(key, version)
    record({ type: "load", fiber: 0, start, end: row.loadedAt, key, version, load: row.load })
    return row
  },
  write: async (family: Family, id: number): Promise<Row> => {
    const key = keyOf(family, id)
    await someTime()
    const version = await database.commit(key)
    await standStill("write", key)
    await someTime()
    return rowOf(key, version)
  },
  pause: () => (shared(3) === 0 ? sleep(shared(60)) : undefined)
}

const subject = options.subject === "naive" ? makeNaive(options, source) : makeSubject(options, source)

let sets = 0
let stopping = false
/** The calls under way. */
const calls = new Map<number, { readonly kind: string; readonly target: string; readonly start: number }>()

const runFiber = async (fiber: number): Promise<void> => {
  const random = generator(options.seed * 31 + fiber)
  const pick = <A>(list: ReadonlyArray<A>): A => list[random(list.length)]!

  /** When a caller leaves: in the same evaluation, in this turn of the event loop, in the next, or some time later. */
  const leave = (controller: AbortController): void => {
    const luck = random(8)
    const abort = () => controller.abort()
    if (luck === 0) abort()
    else if (luck === 1) queueMicrotask(abort)
    else if (luck === 2) setImmediate(abort)
    else setTimeout(abort, 1 + random(luck === 3 ? 300 : 20))
  }

  /** Runs a call; what it throws goes on record, and that its caller left. `undefined` then. */
  const call = async <A>(
    kind: CallKind,
    target: string,
    run: (signal: AbortSignal | undefined) => Promise<A>
  ): Promise<{ readonly value: A; readonly start: number; readonly end: number } | undefined> => {
    const controller = random(1000) < (isRead(kind) ? leaving : leaving * 10) ? new AbortController() : undefined
    const start = startMicros()
    calls.set(fiber, { kind, target, start })
    try {
      const running = run(controller?.signal)
      if (controller !== undefined) leave(controller)
      const value = await running
      return { value, start, end: endMicros() }
    } catch (error) {
      if (error instanceof Left) {
        record({ type: "left", fiber, start, end: endMicros(), kind, target })
        return undefined
      }
      const mayFail = kind !== "aside" && kind !== "stampede" && kind !== "refresh" && kind !== "bypass"
      record({
        type: "failed",
        fiber,
        start,
        end: endMicros(),
        kind,
        target,
        typed: mayFail && subject.isTyped(error),
        reason: error instanceof Error ? error.message : String(error)
      })
      return undefined
    } finally {
      calls.delete(fiber)
    }
  }

  const read = async (kind: ReadKind) => {
    const family = pick(families)
    const id = pick(ids)
    const key = keyOf(family, id)
    const done = await call(kind, key, (signal) => subject.read(kind, family, id, signal))
    if (done === undefined) return
    const { end, start } = done
    const { degraded, row } = done.value
    if (row === undefined) {
      return record({ type: "returned", fiber, start, end, kind: kind === "get" ? "get" : "peek", key })
    }
    const { load, loadedAt, version } = row
    // A value of another key is as wrong as can be: nothing of it may fit.
    const found = row.key === key ? version : -1
    record({ type: "read", fiber, start, end, kind, key, version: found, loadedAt, load, degraded })
  }

  /** A row to change. */
  const pickRow = (): { readonly family: Family; readonly id: number } =>
    seen.size > 0 && random(2) === 0 ? pick([...seen]) : { family: pick(families), id: pick(ids) }

  const write = async (policy: "fail" | "bypass") => {
    const { family, id } = pickRow()
    const key = keyOf(family, id)
    const kind = policy === "fail" ? "write" : policy
    const done = await call(kind, key, (signal) => subject.write(policy, family, id, signal))
    if (done === undefined) return
    const { end, start, value } = done
    if (kind === "bypass") return record({ type: "returned", fiber, start, end, kind, key })
    const covers = family === "tagged" ? [key, ...new Set(tagsOf(id).flatMap((tag) => bearers[tag]!))] : [key]
    record({ type: "acknowledged", fiber, start, end, kind, target: key, covers, version: value.version })
  }

  const set = async () => {
    const { family, id } = pickRow()
    const key = keyOf(family, id)
    // What its caller has read, or written: nobody else announces that.
    const version = await (random(2) === 0 ? database.commit(key) : database.read(key))
    const row = { key, version, load: setLoad(options.name, ++sets), loadedAt: notYet }
    const race = { family, id }
    seen.add(race)
    const done = await call("set", key, (signal) => subject.set(family, id, row, signal))
    seen.delete(race)
    if (done === undefined) return
    const { end, start } = done
    record({ type: "acknowledged", fiber, start, end, kind: "set", target: key, covers: [key], version })
  }

  const invalidate = async (kind: "key" | "keys" | "pattern" | "tag") => {
    const { family, id } = pickRow()
    const key = keyOf(family, id)
    const tag = family === "tagged" ? pick(tagsOf(id)) : fixedTag
    const some = kind === "key" ? [key] : [key, keyOf(pick(families), pick(ids))]
    const covers = kind === "tag" ? bearers[tag]! : kind === "pattern" ? keysOf(family) : some
    const target = kind === "tag" ? tag : kind === "pattern" ? `${family}:*` : some.join(",")
    // First the change, then the invalidation. What it covers besides is what others have committed before it.
    await database.commit(covers.includes(key) ? key : pick(covers))
    if (random(4) === 0) await someTime()
    const done = await call(kind, target, (signal) => {
      switch (kind) {
        case "key":
          return subject.invalidateKey(key, signal)
        case "keys":
          return subject.invalidateKeys(some, signal)
        case "pattern":
          return subject.invalidateFamily(family, signal)
        case "tag":
          return subject.invalidateTag(tag, signal)
      }
    })
    if (done === undefined) return
    const { end, start } = done
    record({ type: "acknowledged", fiber, start, end, kind, target, covers, version: undefined })
  }

  while (!stopping) {
    let luck = random(1000)
    const [kind] = weights.find(([, weight]) => (luck -= weight) < 0)!
    if (isRead(kind)) await read(kind)
    else if (kind === "set") await set()
    else if (kind === "write") await write("fail")
    else if (kind === "bypass") await write("bypass")
    else await invalidate(kind)
    const pause = random(6)
    if (pause < 3) await sleep(pause)
  }
}

const main = async () => {
  const all = Promise.all(Array.from({ length: options.fibers }, (_, i) => runFiber(i + 1)))
  process.send?.("ready" satisfies Word)
  const stopped = new Promise<void>((resolve) => {
    process.on("message", (order: Order) => {
      hang = order === "load" || order === "write" ? order : undefined
      if (hang !== undefined) return
      goOn()
      if (order !== "stop") return
      stopping = true
      setTimeout(resolve, hungMillis).unref()
    })
  })
  await Promise.race([all, stopped])
  for (const [fiber, { kind, start, target }] of calls) {
    record({ type: "hung", fiber, start, end: endMicros(), kind, target })
  }
  flush()
  await Promise.race([subject.close(), sleep(2_000)])
  process.exit(0)
}

// A parent that is gone must not leave this behind.
process.on("disconnect", () => process.exit(0))
void main()
