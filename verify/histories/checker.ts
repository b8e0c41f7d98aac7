/**
 * Judges the histories of a run.
 *
 * **A read through the store** must not be older than any invalidation of its key that any process had acknowledged
 * before the read started. "Older" is by version: an invalidation that started at `s` covers what was committed before
 * `s`, so each of its keys must be read at that version or later from then on; a write-through, at the version it
 * committed.
 *
 * **A read that went without the store**, because it failed on the way, is held to what is documented for that:
 *
 * - It must not be older than what its own process had acknowledged.
 * - What others invalidated it may miss, but not for long: the value comes from a load that was under way in its
 *   process when the read started, or, with `CacheFallback`, ended at most `fallbackTtl` before.
 *
 * Which of the two a read was, the reader knows: a call that goes on without its cache says so (see `subject.ts`). So
 * no outage needs to be guessed from the outside, and the processes on `CacheRedis` and on `CacheFallback` are judged
 * alike: half of them use the one, half the other.
 *
 * **A value that was handed to `set`** may be as old as its caller likes: what was invalidated before the call is the
 * caller's to answer for. What was invalidated after `set` had begun its work on the store is not, so such a value is held to
 * that alone. It says itself when `set` had begun (see `subject.ts`). And a `set` that was acknowledged binds as a write-through
 * does, to what was set: no older load in flight comes back over it.
 *
 * **In another database** the rows are somebody else's: to read one of them is never right.
 *
 * **After a failover** a read may be older than invalidations that the old primary had acknowledged and not replicated.
 * Those are counted apart, if the run says that they may be lost: all that the read is older than must have been
 * acknowledged shortly before that primary was killed, and have been its to keep.
 */
import type { Commit } from "./database.ts"
import type { Acknowledged, Event, Read } from "./records.ts"
import { bearers, isSet, poison } from "./world.ts"

/** What one process wrote down. */
export interface Recording {
  readonly who: string
  readonly layer: "redis" | "fallback" | "naive"
  /** Each call gives the events from the start. */
  readonly events: () => Iterable<Event>
}

/** What was done to the processes and servers. */
export interface Fault {
  readonly kind: string
  readonly detail: string
  /** Microseconds of the shared clock. */
  readonly start: number
  readonly end: number
  /** The process that did not run meanwhile. */
  readonly paused?: string | undefined
  /** A primary was killed at `start`, with the keys, markers and epoch it kept. */
  readonly lost?: Kept | undefined
  /** How many commands a server refused because of it. */
  readonly refused?: number | undefined
  /** What was changed meanwhile in a database that is none of our business. */
  readonly touched?: ReadonlyArray<string> | undefined
}

/** What a server keeps. */
export interface Kept {
  readonly keys: ReadonlyArray<string>
  readonly tags: ReadonlyArray<string>
  readonly epoch: boolean
}

export interface CheckInput {
  readonly recordings: ReadonlyArray<Recording>
  readonly commits: ReadonlyMap<string, ReadonlyArray<Commit>>
  readonly faults: ReadonlyArray<Fault>
  readonly fallbackTtlMillis: number
  /** Whether a failover may lose what was acknowledged: replication is asynchronous, and nobody waited for it. */
  readonly lossy: boolean
}

/** An acknowledgement as it binds the reads of one key. */
export interface Bond {
  readonly who: string
  readonly acknowledged: Acknowledged
  /** The oldest version that may be read once it is acknowledged. */
  readonly floor: number
  /** A value of `set` is bound by it if `set` had begun before this. */
  readonly since: number
}

export interface Violation {
  readonly who: string
  readonly read: Read
  readonly problem: string
  /** Of those that the read is older than, the one with the newest version. */
  readonly bond: Bond | undefined
}

export interface Verdict {
  readonly violations: ReadonlyArray<Violation>
  /** Stale reads of processes that went without the store, within what is documented for that. */
  readonly staleWhileAway: number
  /** Stale reads after a failover that lost what they should have seen. */
  readonly staleAfterLoss: number
  /** Acknowledged invalidations that those reads have shown to be lost. */
  readonly lost: number
}

/** An acknowledgement this long before a failover may not have been replicated. */
const unreplicatedMicros = 2_000_000
/** Until a primary that is to be killed is dead. */
const killMicros = 250_000
/** What may pass in a process between a load's end and the moment its value is kept, or its callers have it. */
const slackMicros = 1_000_000

/** The bonds of a key, in the order in which they began to bind. */
class Bonds {
  readonly #list: Array<Bond> = []
  /** At each place, where the highest floor up to it stands. */
  #highest: Array<number> = []

  add(bond: Bond): void {
    this.#list.push(bond)
  }

  sort(): void {
    this.#list.sort((a, b) => a.acknowledged.end - b.acknowledged.end)
    let at = 0
    this.#highest = this.#list.map(({ floor }, i) => (floor > this.#list[at]!.floor ? (at = i) : at))
  }

  /** How many bind a read that starts then. */
  #before(start: number): number {
    return lowerBound(this.#list.length, (i) => this.#list[i]!.acknowledged.end >= start)
  }

  /** The bond with the highest floor among those that bind a read that starts then. */
  highest(start: number): Bond | undefined {
    const count = this.#before(start)
    return count === 0 ? undefined : this.#list[this.#highest[count - 1]!]
  }

  /** All that a read which starts then breaks by seeing this version. */
  broken(start: number, version: number): ReadonlyArray<Bond> {
    return this.#list.slice(0, this.#before(start)).filter(({ floor }) => floor > version)
  }

  /** Of those the ones that bind a value whose `set` had begun at that moment. */
  brokenBySet(start: number, version: number, begun: number): ReadonlyArray<Bond> {
    // What ended before then began before then.
    return this.#list
      .slice(this.#before(begun), this.#before(start))
      .filter(({ floor, since }) => floor > version && since > begun)
  }
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

/** The version of a row at a moment. */
const versionAt = (commits: ReadonlyArray<Commit>, moment: number): number => {
  const count = lowerBound(commits.length, (i) => commits[i]!.at >= moment)
  return count === 0 ? 0 : commits[count - 1]!.version
}

/** When a version was committed, dated after it. */
const committedAt = (commits: ReadonlyArray<Commit>, version: number): number =>
  commits[lowerBound(commits.length, (i) => commits[i]!.version >= version)]?.at ?? 0

const isCommitted = (commits: ReadonlyArray<Commit>, version: number): boolean =>
  version === 0 || commits[lowerBound(commits.length, (i) => commits[i]!.version >= version)]?.version === version

/** How long a process was kept from running between two moments. */
export const pausedMicros = (faults: ReadonlyArray<Fault>, who: string, from: number, to: number): number =>
  faults.reduce(
    (sum, { end, paused, start }) =>
      paused === who ? sum + Math.max(0, Math.min(end, to) - Math.max(start, from)) : sum,
    0
  )

/** Whether a failover may have lost this acknowledgement. `set` does not wait for replicas: it invalidates nothing. */
const mayBeLost = (faults: ReadonlyArray<Fault>, lossy: boolean, { acknowledged }: Bond, key: string): boolean =>
  (lossy || acknowledged.kind === "set") &&
  faults.some(({ lost, start }) => {
    if (lost === undefined) return false
    const { end, kind, target } = acknowledged
    if (end < start - unreplicatedMicros || end > start + killMicros) return false
    // A tag, and what a write invalidates beside its own key, live in markers and the epoch alone: where the entry is does not
    // matter, because an old one that comes back is stale by its marker.
    if (kind === "tag") return lost.epoch || lost.tags.includes(target)
    if (kind === "write" && key !== target)
      return lost.epoch || lost.tags.some((tag) => bearers[tag]?.includes(key) === true)
    return lost.keys.includes(key)
  })

/** The bond with the newest version. */
const newest = (bonds: ReadonlyArray<Bond>): Bond =>
  bonds.reduce((newest, bond) => (bond.floor > newest.floor ? bond : newest))

export const check = ({ commits, fallbackTtlMillis, faults, lossy, recordings }: CheckInput): Verdict => {
  const none: ReadonlyArray<Commit> = []
  const commitsOf = (key: string) => commits.get(key) ?? none
  const everybody = new Map<string, Bonds>()
  const own = new Map<string, Bonds>()
  const bondsIn = (map: Map<string, Bonds>, name: string): Bonds => {
    let bonds = map.get(name)
    if (bonds === undefined) map.set(name, (bonds = new Bonds()))
    return bonds
  }

  for (const { events, who } of recordings) {
    for (const event of events()) {
      if (event.type !== "acknowledged") continue
      for (const key of new Set(event.covers)) {
        const commits = commitsOf(key)
        const said = event.version !== undefined && key === event.target
        // A `set` says nothing of what was committed before it but of what was set.
        const before = event.kind === "set" ? 0 : versionAt(commits, event.start)
        const floor = said ? Math.max(before, event.version) : before
        // A write holds the lease until after its commit, and who takes it over meanwhile is found out.
        const since = said && event.kind === "write" ? committedAt(commits, event.version) : event.start
        const bond = { who, acknowledged: event, floor, since }
        bondsIn(everybody, key).add(bond)
        bondsIn(own, `${who} ${key}`).add(bond)
      }
    }
  }
  for (const bonds of [...everybody.values(), ...own.values()]) bonds.sort()

  const violations: Array<Violation> = []
  const lost = new Set<Acknowledged>()
  let staleWhileAway = 0
  let staleAfterLoss = 0
  const judge = (who: string, layer: Recording["layer"], read: Read): void => {
    const { degraded, key, load, loadedAt, start, version } = read
    const accuse = (problem: string, bond?: Bond) => violations.push({ who, read, problem, bond })
    if (load === poison) return void accuse("a value of another database")
    if (version < 0) return void accuse("a value of another key")
    if (!isCommitted(commitsOf(key), version)) return void accuse("a version that was never written")
    const bond = everybody.get(key)?.highest(start)
    if (bond === undefined || version >= bond.floor) return
    // Without the store a process has only what its own loads brought. Anything else came from the store after all.
    const set = isSet(load)
    if (!degraded || set || !load.startsWith(`${who}/`)) {
      const bonds = everybody.get(key)!
      const broken = set ? bonds.brokenBySet(start, version, loadedAt) : bonds.broken(start, version)
      if (broken.length === 0) return
      const kept = broken.filter((bond) => !mayBeLost(faults, lossy, bond, key))
      if (kept.length > 0) return void accuse("stale", newest(kept))
      staleAfterLoss++
      for (const { acknowledged } of broken) lost.add(acknowledged)
      return
    }
    const mine = own.get(`${who} ${key}`)?.highest(start)
    if (mine !== undefined && version < mine.floor) {
      return void accuse("stale by its own process's word, while the store was away", mine)
    }
    const kept = layer === "fallback" ? fallbackTtlMillis * 1000 : 0
    if (loadedAt < start - kept - slackMicros - pausedMicros(faults, who, loadedAt, start)) {
      return void accuse("kept too long while the store was away", bond)
    }
    staleWhileAway++
  }
  for (const { events, layer, who } of recordings) {
    for (const event of events()) if (event.type === "read") judge(who, layer, event)
  }
  return { violations, staleWhileAway, staleAfterLoss, lost: lost.size }
}
