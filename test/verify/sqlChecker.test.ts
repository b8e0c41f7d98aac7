/**
 * The checker of the proof beside a database, on histories made by hand: it finds what it must, and accuses nobody who is innocent.
 */
import { assert, describe, it } from "@effect/vitest"
import { check, type CheckInput } from "../../verify/sql/checker.ts"
import type { CommittedWrite } from "../../verify/sql/database.ts"
import type { Recording } from "../../verify/sql/processes.ts"
import { type Acknowledged, type Event, nothing, type Read } from "../../verify/sql/records.ts"
import { storyOf } from "../../verify/sql/story.ts"
import { unwritten } from "../../verify/sql/world.ts"

const key = "item:0:1"
const list = "list:0:1"
const second = 1_000

/** Times are in milliseconds. */
const span = (start: number, end = start) => ({ fiber: 1, start: start * 1000, end: end * 1000 })

const read = (start: number, write: string, more: Partial<Read> = {}): Read => ({
  ...{ type: "read", kind: "aside", key, write, load: "p9.1/1", tx: nothing, expected: nothing },
  ...span(start, start + 1),
  since: start * 1000,
  ...more
})
const acknowledged = (start: number, end: number, tx: string, covers = key): Acknowledged => ({
  ...{ type: "acknowledged", kind: "inside", tx, covers },
  ...span(start, end)
})
/** COMMIT of a transaction. */
const commit = (at: number, tx: string): ReadonlyArray<Event> => [
  { type: "sending", tx, ...span(at) },
  { type: "committed", tx, ...span(at + 1) }
]
const recording = (who: string, events: ReadonlyArray<Event>): Recording => ({ who, events: () => events })

/** Of three transactions, the last of a process that died. */
const writes: ReadonlyArray<CommittedWrite> = [
  { n: 1, tx: "p1.1#1", kind: "inside", key, list, write: "p1.1#1.1" },
  { n: 1, tx: "p1.1#1", kind: "inside", key, list, write: "p1.1#1.2" },
  { n: 2, tx: "p1.1#2", kind: "around", key, list, write: "p1.1#2.3" },
  { n: 3, tx: "p2.1#1", kind: "inside", key, list, write: "p2.1#1.1" }
]
const first = "p1.1#1.2"
const next = "p1.1#2.3"
const last = "p2.1#1.1"
const writer = [...commit(100, "p1.1#1"), acknowledged(90, 110, "p1.1#1"), ...commit(200, "p1.1#2")]
const dead: ReadonlyArray<Event> = [{ type: "sending", tx: "p2.1#1", ...span(300) }]

const judged = (events: ReadonlyArray<Event>, more: Partial<CheckInput> & { readonly kind?: string } = {}) => {
  const { kind, ...rest } = more
  const input: CheckInput = {
    written: {
      writes: kind === undefined ? writes : writes.map((write) => ({ ...write, kind })),
      places: new Map(writes.map(({ n, tx }) => [tx, n]))
    },
    recordings: [recording("p1.1", writer), recording("p2.1", dead), recording("p3.1", events)],
    deaths: new Map([["p2.1", 305_000]]),
    boundMillis: 15 * second,
    leaseMillis: 400,
    ...rest
  }
  const verdict = check(input)
  return { input, verdict, problems: verdict.violations.map(({ problem }) => problem) }
}

describe("the checker of the proof beside a database", () => {
  it("finds what was never committed, outside the transaction that wrote it", () => {
    assert.deepStrictEqual(judged([read(400, "p4.1#1.1")]).problems, ["never committed"])
    // The first of two writes in a transaction.
    assert.deepStrictEqual(judged([read(400, "p1.1#1.1")]).problems, ["never committed"])
    assert.deepStrictEqual(judged([read(400, "p4.1#1.1", { tx: "p4.1#1" })]).problems, [])
    assert.deepStrictEqual(judged([read(400, "p4.1#1.1", { tx: "p4.1#2" })]).problems, ["never committed"])
  })

  it("finds what was read before its COMMIT was sent", () => {
    assert.deepStrictEqual(judged([read(50, first)]).problems, ["read before it was committed"])
    assert.deepStrictEqual(judged([read(99.5, first)]).problems, [])
  })

  it("finds what is older than what was acknowledged before", () => {
    const { input, problems, verdict } = judged([read(120, unwritten)])
    assert.deepStrictEqual(problems, ["stale"])
    assert.include(storyOf(verdict.violations[0]!, input, verdict), "had inside p1.1#1 acknowledged")
    assert.deepStrictEqual(judged([read(109, unwritten)]).problems, [])
    // Its call covers this key alone.
    assert.deepStrictEqual(judged([read(120, unwritten, { key: list })]).problems, [])
    // A transaction that only reads began before.
    assert.deepStrictEqual(judged([read(120, unwritten, { tx: "p3.1#1", since: 80_000 })]).problems, [])
  })

  it("takes an invalidation for all that was committed before it", () => {
    const later = acknowledged(290, 340, "p2.1#1")
    assert.deepStrictEqual(judged([later, read(350, next)]).problems, ["stale"])
    assert.deepStrictEqual(judged([later, read(350, last)]).problems, [])
    assert.deepStrictEqual(judged([acknowledged(1, 2, "p7.1#1")]).verdict.lost, ["p7.1#1"])
  })

  it("holds a transaction to its own writes", () => {
    assert.deepStrictEqual(judged([read(400, last, { tx: "p3.1#1", expected: "p3.1#1.1" })]).problems, [
      "not its own write"
    ])
    assert.deepStrictEqual(judged([read(400, "p3.1#1.1", { tx: "p3.1#1", expected: "p3.1#1.1" })]).problems, [])
  })

  it("holds what was left behind to the bound", () => {
    const short = judged([read(305 + 14 * second, next)])
    assert.deepStrictEqual(short.problems, [])
    assert.strictEqual(short.verdict.longest.killed, 14 * second)
    assert.deepStrictEqual(judged([read(305 + 16 * second, next)]).problems, ["stale for longer than the bound"])
    // Nobody has promised more of an invalidation that is a step of its own.
    const plain = judged([read(305 + 16 * second, next)], { kind: "plain" })
    assert.deepStrictEqual([plain.problems, plain.verdict.longest.plain], [[], 16 * second])
  })
})
