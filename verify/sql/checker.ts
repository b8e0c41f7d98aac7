/**
 * Judges what the processes of a run wrote down, by what the database has committed.
 *
 * A key's **versions** are what was committed for it, in the order of the commits: of each transaction the last write of that row, or
 * of a row in that list.
 *
 * - **Never committed.** What is read is a version, and was about to be committed when the read ended. Inside a transaction it may be
 *   one of its own writes.
 * - **R1.** A read that starts after a call was acknowledged gives no version of a key that the call covers which is older than what
 *   the call's transaction found or left. Inside a transaction that writes as well: nobody else commits meanwhile. Inside one that
 *   only reads, what was acknowledged before it began counts.
 * - **Own writes.** A read in a transaction gives what it has written and announced.
 * - **The bound.** Where nothing was acknowledged (the process died, COMMIT failed, the caller left), a read gives no older version
 *   than one that was committed longer ago than the bound. A process that was killed had committed by the time it was gone. Calls of
 *   the kind `plain` are promised nothing of that: their invalidation is a step of its own. Nor is a COMMIT that was done too late
 *   after its caller had been told, because nobody works under the lease meanwhile; of a write around its transaction, one that was
 *   done after the write had failed; of a create, its row's key, which nobody knows who was not answered.
 */
import type { CommittedWrite, Written } from "./database.ts"
import type { Recording } from "./processes.ts"
import { type Acknowledged, nothing, type Read } from "./records.ts"
import { isWriteOf, processOf, unwritten } from "./world.ts"

export interface CheckInput {
  readonly written: Written
  readonly recordings: ReadonlyArray<Recording>
  readonly deaths: ReadonlyMap<string, number>
  readonly boundMillis: number
  readonly leaseMillis: number
}

/** What became of the call that a transaction was made by. */
export type Fortune = "acknowledged" | "killed" | "unknown" | "left" | "other"

/** A transaction that was committed. */
export interface Commit {
  readonly tx: string
  readonly kind: string
  readonly n: number
  /** COMMIT was sent at this moment or later; 0 where it is not known. */
  readonly sent: number
  /** It was done by this moment. */
  readonly by: number
  readonly fortune: Fortune
  /** Whether what it has made old is to be old no longer than the bound. */
  readonly promised: boolean
}

export interface Version {
  readonly write: string
  readonly commit: Commit
}

export interface Violation {
  readonly who: string
  readonly read: Read
  readonly problem: string
  /** What the read is older than, or the write it is of. */
  readonly version: Version | undefined
  readonly acknowledged: { readonly who: string; readonly event: Acknowledged } | undefined
}

export interface Verdict {
  readonly violations: ReadonlyArray<Violation>
  /** The longest time for which an old value was read after a commit, by what became of its call, in milliseconds. */
  readonly longest: Readonly<Record<Fortune | "plain", number>>
  /** Commits that were done too late to be promised anything. */
  readonly tooLate: number
  /** Acknowledged transactions that the database does not know. */
  readonly lost: ReadonlyArray<string>
  readonly versions: ReadonlyMap<string, ReadonlyArray<Version>>
}

/** The first index for which `reached` holds; it must hold from there on. */
const lowerBound = (length: number, reached: (index: number) => boolean): number => {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (reached(middle)) high = middle
    else low = middle + 1
  }
  return low
}

/** An acknowledgement as it binds the reads of one key: the oldest version that may be read is the one at `floor`. */
interface Bond {
  readonly who: string
  readonly event: Acknowledged
  readonly floor: number
}

/** The commits, with what the records say of them. */
const commitsOf = ({ deaths, leaseMillis, recordings, written }: CheckInput) => {
  const sent = new Map<string, number>()
  const done = new Map<string, number>()
  const fortunes = new Map<string, Fortune>()
  const told = new Map<string, number>()
  for (const { events } of recordings) {
    for (const event of events()) {
      if (event.type === "sending") sent.set(event.tx, event.start)
      else if (event.type === "committed") done.set(event.tx, event.end)
      else if (event.type === "acknowledged" || event.type === "unknown" || event.type === "left") {
        fortunes.set(event.tx, event.type)
        told.set(event.tx, event.end)
      }
    }
  }
  const commits = new Map<string, Commit>()
  let tooLate = 0
  const commitOf = ({ kind, n, tx }: CommittedWrite): Commit => {
    let commit = commits.get(tx)
    if (commit === undefined) {
      const begun = sent.get(tx) ?? 0
      const by = done.get(tx) ?? deaths.get(processOf(tx)) ?? Infinity
      const fortune = fortunes.get(tx) ?? (deaths.has(processOf(tx)) ? "killed" : "other")
      // A write around its transaction gives its lease back when that has failed.
      const isAround = kind === "around" || kind === "create" || kind === "remove"
      const isOver = isAround && fortune !== "acknowledged" && by > (told.get(tx) ?? Infinity)
      const late = fortune !== "killed" && (isOver || by - begun > leaseMillis * 500)
      if (late) tooLate++
      commit = { tx, kind, n, sent: begun, by, fortune, promised: kind !== "plain" && !late }
      commits.set(tx, commit)
    }
    return commit
  }
  const versions = new Map<string, Array<Version>>()
  const add = (key: string, write: CommittedWrite) => {
    let list = versions.get(key)
    if (list === undefined) versions.set(key, (list = []))
    // Of a transaction the last one counts.
    if (list.at(-1)?.commit.tx === write.tx) list.pop()
    const commit = commitOf(write)
    // Of a create that was never answered nobody knows the key.
    const isUnknown = key === write.key && write.kind === "create" && commit.fortune !== "acknowledged"
    list.push({ write: write.write, commit: isUnknown ? { ...commit, promised: false } : commit })
  }
  for (const write of written.writes) {
    add(write.key, write)
    add(write.list, write)
  }
  return { versions, tooLate: () => tooLate }
}

export const check = (input: CheckInput): Verdict => {
  const { boundMillis, recordings, written } = input
  const { tooLate, versions } = commitsOf(input)
  const none: ReadonlyArray<Version> = []
  const versionsOf = (key: string) => versions.get(key) ?? none
  const places = new Map<string, number>()
  for (const [key, list] of versions) for (const [i, { write }] of list.entries()) places.set(`${key} ${write}`, i)

  const lost: Array<string> = []
  const bonds = new Map<string, Array<Bond>>()
  for (const { events, who } of recordings) {
    for (const event of events()) {
      if (event.type !== "acknowledged" || event.covers === nothing) continue
      const n = written.places.get(event.tx)
      if (n === undefined) {
        lost.push(event.tx)
        continue
      }
      for (const key of event.covers.split(",")) {
        const list = versionsOf(key)
        // Those that were committed before it are there as well: one writes at a time.
        const floor = lowerBound(list.length, (i) => list[i]!.commit.n > n) - 1
        if (floor < 0) continue
        const of = bonds.get(key)
        if (of === undefined) bonds.set(key, [{ who, event, floor }])
        else of.push({ who, event, floor })
      }
    }
  }
  /** At each place, the bond with the highest floor up to it. */
  const highest = new Map<string, ReadonlyArray<Bond>>()
  for (const [key, list] of bonds) {
    list.sort((a, b) => a.event.end - b.event.end)
    let best = list[0]!
    highest.set(
      key,
      list.map((bond) => (bond.floor > best.floor ? (best = bond) : best))
    )
  }

  const longest: Record<Fortune | "plain", number> = {
    ...{ acknowledged: 0, killed: 0, unknown: 0, left: 0, other: 0 },
    plain: 0
  }
  const violations: Array<Violation> = []
  const judge = (who: string, read: Read): void => {
    const { end, expected, key, since, start, tx, write } = read
    const accuse = (problem: string, version?: Version, acknowledged?: Bond) =>
      violations.push({ who, read, problem, version, acknowledged })
    if (expected !== nothing) {
      if (write !== expected) accuse("not its own write")
      return
    }
    const list = versionsOf(key)
    const place = write === unwritten ? -1 : places.get(`${key} ${write}`)
    if (place === undefined) {
      if (!isWriteOf(tx, write)) accuse("never committed")
      return
    }
    const found = list[place]
    if (found !== undefined && found.commit.tx !== tx && end < found.commit.sent) {
      return void accuse("read before it was committed", found)
    }
    const binding = bonds.get(key) ?? []
    const count = lowerBound(binding.length, (i) => binding[i]!.event.end >= since)
    const bond = count === 0 ? undefined : highest.get(key)![count - 1]!
    if (bond !== undefined && place < bond.floor) return void accuse("stale", list[bond.floor], bond)
    // A transaction that only reads goes on with what it found when it began.
    if (since < start) return
    for (let i = place + 1, seen: Commit | undefined; i < list.length; i++) {
      const { commit } = list[i]!
      if (commit.by >= start) return
      const name = commit.promised ? commit.fortune : "plain"
      const millis = (start - commit.by) / 1000
      // The first of each kind is the oldest.
      if (seen === undefined || commit.promised) longest[name] = Math.max(longest[name], millis)
      seen = commit
      if (!commit.promised) continue
      if (millis > boundMillis) accuse("stale for longer than the bound", list[i])
      return
    }
  }
  for (const { events, who } of recordings) {
    for (const event of events()) if (event.type === "read") judge(who, event)
  }
  return { violations, longest, tooLate: tooLate(), lost, versions }
}
