/**
 * The programs: who makes which calls, over which store, and what may go wrong meanwhile.
 */
import {
  afterBump,
  afterSweep,
  byListTag,
  afterCommit,
  afterTakeOver,
  allByPattern,
  byOtherTag,
  byKey,
  byKeys,
  byPattern,
  byTag,
  byTags,
  clear,
  create,
  failingWrite,
  found,
  get,
  getMany,
  keyAfterTakeOver,
  leaseLater,
  needs,
  type Op,
  peek,
  read,
  readList,
  refresh,
  set,
  setAfterCommit,
  setAmong,
  sweepAfter,
  sweepLater,
  tagAndInvalidate,
  taggedAfterCommit,
  txBack,
  txInvalidate,
  txLoads,
  txList,
  txPattern,
  txReads,
  txRefresh,
  txSavepoint,
  txSet,
  txTag,
  txWrite,
  txWriteInvalidate,
  write,
  writeAndDie,
  writeAnyway,
  writeAway,
  writeAwayAndDie,
  writeAwayBoth,
  writeAwayBothAndDie,
  writeList,
  writeNeeding,
  writeOwn,
  writeTagged
} from "./calls.ts"
import type { Budget } from "./moves.ts"

export interface Program {
  readonly name: string
  /**
   * `remote`: each primitive is one or more steps. `plain`: the same, without a fast path. `memory`: `CacheMemory`, where a
   * primitive takes no time.
   */
  readonly store: "remote" | "plain" | "memory"
  /** For each process its actors, for each of these its calls. */
  readonly processes: ReadonlyArray<ReadonlyArray<ReadonlyArray<Op>>>
  readonly budget: Budget
  /** Of the read that each process makes at the end. */
  readonly reader: Op
  /** Loads of a key: one at a time in a process or in the world, only one at all, or two at a time in a process. */
  readonly oneLoad?: "process" | "world" | "ever" | "two" | undefined
  /** No call waits for as long as it wanted. */
  readonly prompt?: boolean | undefined
  /** What a process committed before it died counts as acknowledged: a writer that dies leaves no older value behind. */
  readonly deadWritesCount?: boolean | undefined
  /** The store keeps intents, and clients sweep. */
  readonly intents?: boolean | undefined
  /** A COMMIT may fail, carried out or not. */
  readonly unsure?: boolean | undefined
  /** Fibers let others go on between any two of Effect's steps. Only for random schedules. */
  readonly yields?: boolean | undefined
  readonly keys?: ReadonlyArray<string> | undefined
  readonly tags?: ReadonlyArray<string> | undefined
  /** There is a lease already, of somebody who died while loading. It ends when the schedule wants. */
  readonly held?: boolean | undefined
  /** There is a valid entry already, of row version 0. */
  readonly filled?: boolean | undefined
  /** A schedule that is tried before all others, in the words of `labelOf`; what is not possible of it is left out. */
  readonly known?: ReadonlyArray<string> | undefined
  /** There is an entry already, with a tag whose marker is a pending text of somebody who died. */
  readonly unsettled?: boolean | undefined
  /** The epoch is ahead of the server's clock. */
  readonly ahead?: boolean | undefined
}

const calm: Budget = { evictions: 0, crashes: 0, timeouts: 0, full: 0, late: 0, ticks: 0, together: 0, interrupts: 0 }

type Processes = Program["processes"]

const program = (
  name: string,
  processes: Processes,
  budget: Partial<Budget> = {},
  more: Partial<Program> = {}
): Program => ({
  name,
  store: "remote",
  processes,
  budget: { ...calm, ...budget },
  reader: read(),
  ...more
})

// An actor that makes one call.
const r = [read()]
const t = [read("tagged")]
const d = [read("derived")]
const one = [read("one")]
const oneTagged = [read("oneTagged")]
// What the last reads read.
const tagged = { reader: read("tagged") }
const derived = { reader: read("derived") }
const inMemory = { store: "memory" } as const
const plain = { store: "plain" } as const
const twoKeys = { keys: ["row:1", "row:2"] }
// Their last reads read the second row.
const second = [read("plain", { id: "2" })]
const both = { ...twoKeys, reader: read("plain", { id: "2" }) }
const two = { oneLoad: "two" } as const
const otherTag = { tags: ["U"] }
const circle = { ...twoKeys, prompt: true }
const unsure = { unsure: true }
const listed = { ...twoKeys, reader: readList, intents: true }
const dying = { deadWritesCount: true }

const starts = (actor: string): string => `start|${actor[0]}|${actor}||`
const does = (process: string, what: string): string => `carry out|${process}||${what}|`
const hears = (process: string, what: string): string => `deliver|${process}||${what}|`
const reading = does("A", "read the entry of row:1")
const database = "database: read row:1"
const trip = (token: string): ReadonlyArray<string> => [
  does("A", `${token}: take the lease of row:1`),
  reading,
  does("A", "read the epoch")
]

/**
 * The first load was refused the lease. The second call is granted it, and waits for the first; the third sees it held, and
 * loses its patience; the key is invalidated; the second comes in anew; the fourth must not join the third.
 */
const again: ReadonlyArray<string> = [
  ...[starts("A.1"), reading, "refuse|A||A#1: take the lease of row:1|", reading, does("A", "read the epoch")],
  does("A", "create the epoch"),
  ...[starts("A.2"), reading, ...trip("A#2")],
  ...[starts("A.3"), reading, ...trip("A#3"), "time passes|A|||", reading, ...trip("A#3")],
  ...[does("A", database), does("A", database)],
  ...[does("B", "database: commit row:1"), hears("B", "database: commit row:1")],
  ...[does("B", "drop the lease of row:1"), does("B", "drop the entry of row:1")],
  ...[hears("A", database), reading, ...trip("A#2")],
  ...[starts("A.4"), reading, ...trip("A#4"), hears("A", database)]
]

/** Both loads were refused the lease, and the key is invalidated between them. */
const refused: ReadonlyArray<string> = [
  ...[starts("A.1"), reading, "refuse|A||A#1: take the lease of row:1|", reading, does("A", "read the epoch")],
  ...[does("A", "create the epoch"), does("A", database)],
  ...[does("B", "database: commit row:1"), hears("B", "database: commit row:1")],
  ...[does("B", "drop the lease of row:1"), does("B", "drop the entry of row:1")],
  ...[starts("A.2"), reading, "refuse|A||A#2: take the lease of row:1|", reading, does("A", "read the epoch")],
  hears("A", database)
]

/**
 * Small: every schedule can be gone through, given the time. Processes are in brackets of their own, actors within them.
 */
export const small: ReadonlyArray<Program> = [
  program("key", [[r], [r], [[byKey]]]),
  program("key-evict", [[r], [[byKey]]], { evictions: 2 }),
  program("key-late", [[r], [[byKey]]], { late: 2 }),
  program("key-time", [[r], [[byKey]]], { ticks: 2 }),
  program("key-timeout", [[r], [[byKey]]], { timeouts: 1 }),
  program("key-crash", [[r], [[byKey]]], { crashes: 1, evictions: 1 }),
  program("key-again", [[[read(), read()]], [[byKey]]]),
  program("peek", [[[peek()]], [r], [[byKey]]]),
  program("get", [[[get]], [[set]]], { evictions: 1 }),
  program("many", [[[getMany]], [r], [[byKey]]]),
  program("many-tag", [[[getMany, getMany]], [t], [[byTag]]], {}, tagged),
  program("many-shared", [[[getMany], r], [[byKey]]], { together: 2 }),
  program("join-key", [[r, r], [[byKey]]]),
  program("join-three-key", [[r, [afterCommit], [afterCommit]], [[byKey]]]),
  program("join-key-together", [[r, r], [[byKey]]], { together: 2 }),
  program("join-key-interrupt", [[r, r], [[byKey]]], { interrupts: 1 }),
  program("join-tag", [[t, t], [[byTag]]], {}, tagged),
  program("tag", [[t], [t], [[byTag]]], {}, tagged),
  program("shared-tag", [[t, t], [[byTag]]], { together: 2 }, tagged),
  program("shared-hit", [[[...t, ...t], [peek("tagged")]], [[byTag]]], { together: 1 }, tagged),
  program("shared-derived", [[d, d], [[byTag]]], { together: 1, evictions: 1 }, derived),
  program("plain-key", [[r], [r], [[byKey]]], {}, plain),
  program("plain-tag", [[t], [[byTag]]], { evictions: 1, interrupts: 1 }, { ...plain, ...tagged }),
  program("plain-many", [[[getMany]], [t], [[byTag]]], {}, { ...plain, ...tagged }),
  program("tag-evict", [[t], [[byTag]]], { evictions: 2 }, tagged),
  program("tag-evict-once", [[t], [[byTag]]], { evictions: 1 }, tagged),
  program("tag-late", [[t], [[byTag]]], { late: 1 }, tagged),
  program("tag-timeout", [[t], [[byTag]]], { timeouts: 1 }, tagged),
  program("tag-tag", [[t], [[byTag]], [[byTag]]], {}, tagged),
  program("tag-tag-evict", [[[afterBump]], [[byTag]], [[byTag]]], { evictions: 1 }, tagged),
  program("derived-tag", [[d], [[byTag]]], { evictions: 1 }, derived),
  program("derived-tag-again", [[[...d, ...d]], [[byTag]]], {}, derived),
  program("write", [[r], [[write]]], { evictions: 1 }),
  program("write-write", [[[write]], [[write]]], { evictions: 2 }),
  program("write-write-read", [[r], [[write]], [[write]]]),
  program("write-crash", [[r], [[write]]], { crashes: 1 }),
  program("write-dies", [[r], [[write]]], { crashes: 1 }, { deadWritesCount: true }),
  program("write-fails", [[r], [[failingWrite]]], { evictions: 1 }),
  program("write-interrupt", [[r], [[write]]], { interrupts: 1 }),
  program("write-timeout", [[[write]]], { timeouts: 2 }),
  program("write-key", [[[write]], [[byKey]]], { evictions: 1 }),
  program("write-tag", [[t], [[writeTagged]], [[byTag]]], {}, tagged),
  program("write-own", [[t], [[writeOwn]], [[byTag]]], {}, tagged),
  program("write-own-write", [[t], [[writeOwn]], [[writeTagged]]], { evictions: 1 }, tagged),
  // Without evictions: a writer that dies after its lease was evicted is promised nothing.
  program("write-own-crash", [[t], [[writeOwn]]], { crashes: 1 }, { ...tagged, ...dying }),
  // Writes beside writes, invalidations, refreshes and sets: who dies behind his commit leaves no older value, whatever the others do.
  program("writers-key-dies", [[r], [r], [[byKey]], [[writeAndDie]]], {}, dying),
  program("writers-pattern-dies", [[r], [[byPattern]], [[writeAndDie]]], {}, dying),
  program("writers-clear-dies", [[r], [[clear]], [[writeAndDie]]], {}, dying),
  program("writers-write-dies", [[r], [r], [[write]], [[writeAndDie]]], {}, dying),
  program("writers-write-dies-key", [[r], [[write]], [[writeAndDie]], [[byKey]]], {}, dying),
  program("writers-crash", [[r], [[write]], [[write]]], { crashes: 1 }, dying),
  program("writers-refresh-dies", [[r], [[refresh()]], [[writeAndDie]]], {}, dying),
  program("writers-refresh", [[r], [[refresh()]], [[write]]]),
  program("writers-set-dies", [[r], [[setAfterCommit]], [[writeAndDie]]], {}, { ...dying, filled: true }),
  program("writers-set", [[r], [[setAfterCommit]], [[write]]], {}, { filled: true }),
  program("writers-join", [[r, r], [[byKey, byKey]], [[write]]]),
  program("writers-evict", [[r], [[write]], [[write]]], { evictions: 1 }),
  program("writers-timeout", [[[write]], [[write]], [[byKey]]], { timeouts: 1 }),
  // Transactions.
  program("transaction", [[r], [r], [[txWrite]]]),
  program("transaction-key", [[r], [[txWrite]], [[byKey]]]),
  program("transaction-invalidate", [[r], [r], [[txInvalidate]]]),
  program("transaction-write-invalidate", [[r], [[txWriteInvalidate]]], { evictions: 1 }),
  program("transaction-tag", [[t], [t], [[txTag]]], {}, tagged),
  program("transaction-pattern", [[r], [[txPattern]]]),
  program("transaction-back", [[r], [r], [[txBack]]], {}, { filled: true }),
  program("transaction-back-write", [[r], [[txBack]], [[write]]]),
  program("transaction-reads", [[r], [[txReads]], [[byKey]]]),
  program("transaction-loads", [[r, [txLoads]], [r]]),
  program("transaction-shares", [[r, [txReads]], [r]], { together: 1 }),
  program("transaction-unsure", [[r], [r], [[txWrite]]], {}, { ...unsure, filled: true }),
  program("transaction-unsure-key", [[r], [[txWrite]], [[byKey]]], {}, unsure),
  program("transaction-savepoint", [[r], [r], [[txSavepoint]]]),
  program("transaction-crash", [[r], [r], [[txWrite]]], { crashes: 1 }, dying),
  program("transaction-interrupt", [[r], [[txWrite]]], { interrupts: 1 }, { filled: true }),
  program("transaction-transaction", [[r], [[txWrite]], [[txWrite]]]),
  program("transaction-write", [[r], [[txWrite]], [[write]]], { evictions: 1 }),
  program("transaction-set", [[r], [[txSet]]], {}, { filled: true }),
  program("transaction-refresh", [[r], [[txRefresh]], [[byKey]]]),
  program("transaction-timeout", [[[txWrite]], [[byKey]]], { timeouts: 1 }),
  program("transaction-memory", [[r, r, [txWrite], [byKey]]], {}, inMemory),
  program("transaction-memory-back", [[r, [txBack], [txSavepoint]]], {}, inMemory),
  program("transaction-memory-unsure", [[r, [txWrite], [txReads]]], {}, { ...inMemory, ...unsure }),
  // Intents: of a list that a dead writer made old nothing older is seen once a lease and a sweep have passed.
  program("intents", [[[readList, readList]], [[sweepLater]], [[writeList]]], { crashes: 1 }, listed),
  program("intents-granted", [[[readList, afterSweep]], [[sweepLater]], [[writeList]]], { crashes: 1 }, listed),
  program("intents-two", [[[readList]], [[sweepLater]], [[writeList]], [[writeList]]], { crashes: 1 }, listed),
  program("intents-crash-crash", [[[readList]], [[sweepLater]], [[writeList]], [[writeList]]], { crashes: 2 }, listed),
  program("intents-early", [[[readList]], [[sweepAfter]], [[writeList]]], { crashes: 1, ticks: 2 }, listed),
  program("intents-calm", [[[readList]], [[writeList]], [[byListTag]]], {}, listed),
  program("intents-transaction", [[[readList]], [[sweepLater]], [[txList]]], { crashes: 1 }, listed),
  program("writers-memory", [[r, r, [write], [write], [byKey]]], {}, inMemory),
  program("writers-memory-set", [[r, [setAfterCommit], [write], [refresh()]]], {}, inMemory),
  // A row whose key is known only after its commit: no lease is held before it. Who dies before the end has acknowledged nothing.
  program("create", [[r], [[create]]], { evictions: 1 }),
  program("create-key", [[r], [[create]], [[byKey]]]),
  program("create-key-evict", [[[create]], [[byKey]]], { evictions: 1 }),
  program("create-tag", [[t], [[create]], [[byTag]]], {}, tagged),
  program("create-write", [[r], [[create]], [[write]]]),
  program("create-write-dies", [[r], [[create]], [[writeAndDie]]], {}, dying),
  program("create-create", [[r], [[create]], [[create]]]),
  program("create-refresh", [[r], [[create]], [[refresh()]]]),
  program("create-crash", [[r], [[create]], [[write]]], { crashes: 1 }),
  program("create-interrupt", [[r], [[create]]], { interrupts: 1 }),
  program("create-timeout", [[[create]], [[write]]], { timeouts: 1 }),
  program("create-full", [[r], [[create]]], { full: 2 }),
  program("create-memory", [[r, r, [create], [write], [byKey]]], {}, inMemory),
  // Writes that leave nothing to store, of one row and of two.
  program("around", [[r], [[writeAway]]], { evictions: 1 }),
  program("around-dies", [[r], [[writeAway]]], { crashes: 1 }, dying),
  program("around-commits-dies", [[r], [r], [[writeAwayAndDie]]], {}, dying),
  program("around-key-dies", [[r], [[byKey]], [[writeAwayAndDie]]], {}, dying),
  program("around-write", [[r], [[writeAway]], [[write]]]),
  program("around-write-dies", [[r], [[write]], [[writeAwayAndDie]]], {}, dying),
  program("around-interrupt", [[r], [[writeAway]]], { interrupts: 1 }),
  program("around-timeout", [[[writeAway]], [[byKey]]], { timeouts: 1 }),
  program("around-full", [[r], [[writeAway]]], { full: 2 }),
  program("around-both", [[r, second], [[writeAwayBoth]]], {}, both),
  program("around-both-dies", [[second], [[writeAwayBothAndDie]]], {}, { ...both, ...dying }),
  program("around-both-crash", [[second], [[writeAwayBoth]]], { crashes: 1 }, { ...both, ...dying }),
  program("around-memory", [[r, r, [writeAway], [write], [byKey]]], {}, inMemory),
  program("refresh-key", [[[refresh()]], [[byKey]]], { evictions: 1 }),
  program("refresh-read-key", [[[refresh()]], [r], [[byKey]]]),
  program("pattern", [[r], [[byPattern]]]),
  program("refresh-pattern", [[[refresh()]], [r], [[byPattern]]]),
  program("pattern-evict", [[r], [[byPattern]]], { evictions: 1 }),
  program("clear", [[t], [[clear]]], {}, tagged),
  program("set", [[r], [[set]]], { evictions: 1 }),
  program("set-gap", [[[found]], [[set]]], {}, { filled: true }),
  program("set-set", [[r], [[setAmong]], [[setAmong]]], {}, { filled: true }),
  program("set-set-evict", [[[setAmong]], [[setAmong]]], { evictions: 2 }, { filled: true }),
  program("set-set-dies", [[[setAmong]], [[setAmong]]], { crashes: 1 }, { filled: true }),
  program("set-key", [[[set]], [[keyAfterTakeOver]]], { evictions: 1 }),
  program("tag-key", [[r], [[tagAndInvalidate]]], {}, { tags: ["X"] }),
  program("full-key", [[r], [[byKey]]], { full: 2 }),
  program("full-tag", [[t], [[byTag]]], { full: 3 }, tagged),
  program("full-tag-ahead", [[t], [[byTag]]], { full: 2 }, { ...tagged, ahead: true }),
  program("full-clear-ahead", [[t], [[clear]]], { full: 2 }, { ...tagged, ahead: true }),
  program("full-tag-evict", [[t], [[byTag]]], { full: 2, evictions: 1 }, tagged),
  program("full-tag-tag", [[t], [[byTag]], [[byTag]]], { full: 2 }, tagged),
  program("full-tag-together", [[t, t], [[byTag]]], { full: 2, together: 1 }, tagged),
  program("full-pattern", [[r], [[byPattern]]], { full: 2 }),
  program("full-clear", [[t], [[clear]]], { full: 2 }, tagged),
  program("full-write", [[r], [[write]]], { full: 2 }),
  program("full-write-write", [[[write]], [[write]]], { full: 2 }),
  program("full-write-tag", [[t], [[writeTagged]], [[byTag]]], { full: 1 }, tagged),
  program("full-set-cold", [[r], [[set]]], { full: 2 }),
  program("full-set", [[r], [[set]]], { full: 2 }, { filled: true }),
  program("full-refresh-key", [[[refresh()]], [[byKey]]], { full: 2 }),
  program("full-one", [[one], [one], [[byKey]]], { full: 2 }),
  program("one", [[one], [one]], {}, { oneLoad: "ever" }),
  program("one-time", [[one], [one]], { ticks: 1 }, { oneLoad: "world" }),
  program("one-together", [[one, one], [one]], { together: 1 }, { oneLoad: "ever" }),
  program("one-tagged", [[oneTagged], [oneTagged]], {}, { oneLoad: "world", ...tagged }),
  program("one-crash", [[one], [one]], { crashes: 1 }),
  program("one-key", [[one], [one], [[byKey]]]),
  program(
    "unsettled-join-key",
    [[oneTagged], [t, [taggedAfterCommit]], [[byKey]]],
    { ticks: 1, late: 1 },
    { ...tagged, unsettled: true }
  ),
  program(
    "unsettled-process",
    [[oneTagged, t]],
    { late: 3, ticks: 6 },
    { ...tagged, unsettled: true, oneLoad: "process" }
  ),
  // In one process: what is loaded while something is invalidated, refused, refreshed or written.
  program("turns-other-tag", [[r, r], [r], [[byOtherTag]]], {}, { ...otherTag, oneLoad: "process" }),
  program("turns-key", [[r, r, r], [[byKey, byKey]]], {}, two),
  program("turns-key-held", [[r, r], [r], [[byKey]]], {}, two),
  program("turns-key-evict", [[r, r], [[byKey]]], { evictions: 1 }, two),
  program("turns-pattern", [[r, r], [[byPattern]]], {}, two),
  program("turns-refused", [[r, r, r]], { full: 3 }, two),
  program("turns-refused-again", [[r, r, one, r], [[byKey]]], { full: 1, ticks: 1 }, { oneLoad: "two", known: again }),
  program("turns-refused-key", [[r, r], [[byKey]]], { full: 2 }, { ...two, known: refused }),
  program("turns-refused-ones", [[one, one]], { full: 2 }, two),
  program("turns-refused-late", [[one, one, one], [[byKey]]], { full: 4, ticks: 1 }, two),
  program("turns-refresh", [[[refresh()], [refresh()], r]], {}, two),
  program("turns-write", [[[write], r, r]], {}, two),
  program("turns-memory", [[r, r, r, [byKey, byKey]]], {}, { ...inMemory, ...two }),
  // In one process, or through its store: loads and writes that need each other.
  program("circle", [[[needs("aside", "1")], [needs("aside", "2")]]], {}, circle),
  program("circle-patterns", [[[needs("mixed", "1")], [needs("mixed", "2")]]], {}, circle),
  program("circle-key", [[[needs("protect", "1")], [needs("protect", "2")]], [[byKey]]], {}, circle),
  program("circle-writes", [[[writeNeeding("1")], [writeNeeding("2")]]], {}, circle),
  program("circle-memory", [[[needs("aside", "1")], [needs("aside", "2")]]], {}, { ...inMemory, ...circle }),
  // A load of another process that does not go on, or has died, and its lease is there for as long as the schedule wants.
  program("hung-key", [[r], [[read(), leaseLater, read()]], [[byKey]]], { ticks: 1 }),
  program("hung-evict", [[r], [[read(), leaseLater, read()]], [[byKey]]], { ticks: 1, evictions: 1 }),
  program("hung-tag", [[t], [[...t, leaseLater, ...t]], [[byTag]]], { ticks: 1 }, tagged),
  program(
    "hung-write",
    [[[read(), leaseLater, read()]], [[write]]],
    { ticks: 1, crashes: 1 },
    { ...dying, held: true }
  ),
  program("hung-writer", [[[writeAndDie]], [[afterTakeOver, leaseLater, read()]]], { ticks: 1 }, dying),
  program("dead-key", [[[read(), leaseLater, read()]], [r], [[byKey]]], { ticks: 1 }, { held: true }),
  program("hung-readers", [[r], [[read(), leaseLater, read()]], [[read(), leaseLater, read()]]], { ticks: 2 }),
  program("dead-one", [[one], [[...one, leaseLater, ...one]]], { crashes: 1 }, { oneLoad: "world" }),
  program("memory-key", [[r, r, r, [byKey]]], {}, inMemory),
  program("memory-tag", [[t, t, [byTag]]], { evictions: 1 }, { ...inMemory, ...tagged }),
  program("memory-write", [[r, [write], [write]]], {}, inMemory)
]

const storm: Budget = { evictions: 3, crashes: 1, timeouts: 0, full: 0, late: 3, ticks: 2, together: 2, interrupts: 1 }
const outage: Partial<Budget> = { timeouts: 3, ticks: 6, late: 1, evictions: 1 }

/** Too large for that; random schedules go through them. */
export const large: ReadonlyArray<Program> = [
  program("reads-tag", [[t], [t], [t], [[byTag]]], { evictions: 2 }, tagged),
  program("reads-tag-key", [[t], [t], [[byTag]], [[byKey]]], { evictions: 2 }, tagged),
  program("reads-write-write", [[r], [r], [[write]], [[write]]], { evictions: 1 }),
  program("reads-write-tag", [[t], [t], [[writeTagged]], [[byTag]]], { evictions: 1 }, tagged),
  program("writers-dies-dies", [[r], [r], [[write]], [[writeAndDie]], [[writeAndDie]]], {}, dying),
  program("writers-writes-key", [[r], [r], [[write]], [[write]], [[byKey]]]),
  program("writers-reads-write-dies-key", [[r], [r], [[write]], [[writeAndDie]], [[byKey]]], {}, dying),
  program("writers-refresh-dies-key", [[r], [r], [[refresh()]], [[writeAndDie]], [[byKey]]], {}, dying),
  program("writers-join-three", [[r, r, r], [[byKey]], [[byKey]], [[write]]]),
  program("reads-pattern", [[r], [r], [r], [[byPattern]]], { evictions: 1 }),
  program(
    "storm-key",
    [
      [r, r, r],
      [r, [byKey]],
      [r, [byKey]]
    ],
    storm
  ),
  program(
    "storm-tag",
    [
      [t, t, t],
      [t, [byTag]],
      [t, [byTag]]
    ],
    storm,
    tagged
  ),
  program(
    "storm-derived",
    [
      [d, d, [refresh("derived")]],
      [d, [byTag, byTag]],
      [d, [byTag]]
    ],
    storm,
    derived
  ),
  program(
    "storm-write",
    [
      [r, [write], r],
      [r, [write]],
      [[byKey], r]
    ],
    storm
  ),
  program(
    "storm-write-tag",
    [
      [t, [writeTagged]],
      [t, [byTag]],
      [t, [writeTagged]]
    ],
    storm,
    tagged
  ),
  program("storm-pattern", [[r, r], [[read(), read("plain", { id: "2" })]], [[allByPattern]]], storm, twoKeys),
  program("storm-keys", [[r, [read("plain", { id: "2" })]], [r, [byKeys]], [[write]]], storm, twoKeys),
  program(
    "storm-refresh",
    [
      [[refresh()], r, [refresh()]],
      [[refresh()], [byKey]],
      [r, [write]]
    ],
    storm
  ),
  program("storm-clear", [[t, t], [t, [byTag]], [[clear]]], storm, tagged),
  program(
    "storm-tag-key",
    [
      [r, [tagAndInvalidate]],
      [r, [byKey]],
      [r, [tagAndInvalidate]]
    ],
    storm,
    { tags: ["X"] }
  ),
  program(
    "storm-two-tags",
    [
      [t, t, [byTags]],
      [t, [byTag]]
    ],
    storm,
    { ...tagged, tags: ["T", "U"] }
  ),
  program("storm-set", [[r, r], [[set], r], [r]], storm),
  program(
    "storm-one",
    [
      [one, one],
      [one, [byKey]],
      [one, one]
    ],
    storm,
    { reader: read("one") }
  ),
  program("storm-one-tagged", [[oneTagged, oneTagged], [oneTagged, [byTag]], [oneTagged]], storm, tagged),
  program(
    "ones",
    [
      [one, one],
      [one, one],
      [one, one]
    ],
    { late: 4, together: 4 },
    { oneLoad: "world" }
  ),
  program(
    "ones-tagged",
    [[oneTagged, oneTagged], [oneTagged], [oneTagged]],
    { late: 4 },
    { oneLoad: "world", ...tagged }
  ),
  program(
    "turns-yields",
    [
      [r, r, r],
      [r, r]
    ],
    { late: 4, together: 8 },
    { oneLoad: "process", yields: true }
  ),
  program(
    "reads-one-process",
    [
      [r, r, r],
      [r, r, r]
    ],
    { late: 4, together: 4 },
    { oneLoad: "process" }
  ),
  program("storm-many", [[t, [getMany], t], [t, [getMany, byTag]], [[byKey]]], storm, { ...twoKeys, ...tagged }),
  program(
    "storm-full",
    [
      [t, [byTag], [writeTagged]],
      [t, [byTag]],
      [t, t]
    ],
    { ...storm, full: 6 },
    tagged
  ),
  program("storm-plain", [[t, t, d], [t, [byTag]], [[byKey]]], storm, { ...plain, ...tagged }),
  program(
    "outage-many",
    [
      [[getMany], r, [byKey]],
      [r, [byKey]]
    ],
    outage
  ),
  program("outage-away", [[r, [afterCommit], [byKey]], [[byKey]]], { timeouts: 1 }),
  program(
    "outage-key",
    [
      [r, r, [byKey]],
      [r, [byKey]]
    ],
    outage
  ),
  program(
    "outage-tag",
    [
      [t, t, [byTag]],
      [t, [byTag]]
    ],
    outage,
    tagged
  ),
  program(
    "outage-write",
    [
      [r, [write]],
      [r, [write]]
    ],
    outage
  ),
  program(
    "outage-write-anyway",
    [
      [r, r, [writeAnyway], r],
      [r, [byKey]]
    ],
    outage
  ),
  program(
    "outage-pattern",
    [
      [r, [byPattern], r],
      [r, [byPattern]]
    ],
    outage
  ),
  program(
    "memory-storm",
    [[t, t, t, [byTag], [writeTagged], [refresh("tagged")], [byKey]]],
    { late: 5, evictions: 2, together: 3, interrupts: 2 },
    {
      ...inMemory,
      ...tagged
    }
  )
]
