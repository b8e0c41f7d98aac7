/**
 * What all processes of a world share: the store and the database.
 *
 * Entries and leases are those of the real memory primitives. Epoch and markers are as the scripts of
 * `src/stores/redis/tagIndex.ts` keep them, each script one step: between its steps a marker is a pending text, which
 * memory does not have.
 */
import { Clock, Context, Effect, Schema } from "effect"
import type { CacheEntry } from "../../src/CacheEntry.ts"
import { fingerprint } from "../../src/schema/fingerprint.ts"
import { makeMemoryPrimitivesWithState, type MemoryPrimitives } from "../../src/stores/memory/primitives.ts"
import type { MemoryState } from "../../src/stores/memory/state.ts"
import { IntentTable } from "./intents.ts"
import { StandingClock } from "./scheduler.ts"

/** A row as the database gave it out: its version only grows. */
export class Row {
  readonly key: string
  readonly version: number
  /** Who read or wrote it, so that two of one version are told apart. */
  readonly by: string
  /** Once a tag that this very value bore was invalidated: the number of that invalidation. */
  bannedBy = 0
  constructor(key: string, version: number, by: string) {
    this.key = key
    this.version = version
    this.by = by
  }
}

const context = Context.make(Clock.Clock, new StandingClock())

const now = 0

/** More than the steps of a clock in one schedule. */
const ahead = 100

export class Server {
  readonly memory: MemoryPrimitives & { readonly state: MemoryState }
  readonly rows = new Map<string, number>()
  /** Which transaction has a row locked. Of a process that has died the database has rolled it back. */
  readonly locks = new Map<string, { readonly isAlive: boolean; readonly process: { readonly name: string } }>()
  readonly table = new IntentTable()
  readonly markers = new Map<string, number | string>()
  /** Leases that were taken over. */
  takeOvers = 0
  epoch: number | undefined = undefined
  /** Its clock, from which a lost epoch is created again. */
  clock = 0

  constructor() {
    this.memory = Effect.runSync(makeMemoryPrimitivesWithState({ maxEntries: 16 }))
  }

  /** As somebody left it who filled, and died before its tag's marker was confirmed. */
  leaveUnsettled(key: string, tag: string): void {
    this.markers.set(tag, "?of the dead")
    this.leaveFilled(key, [tag])
  }

  /** As somebody left it who died while loading. */
  leaveHeld(key: string): void {
    this.memory.state.acquire(key, "of the dead")
  }

  /** As somebody left it who filled. */
  leaveFilled(key: string, tags: ReadonlyArray<string> = []): void {
    const { memory } = this
    this.epoch = ++this.clock
    memory.state.acquire(key, "of the dead")
    const stored = {
      born: this.epoch,
      createdAt: now,
      freshUntil: now + 3_600_000,
      loadMillis: 0,
      fingerprint: fingerprint(Schema.Any),
      tags,
      value: new Row(key, 0, "of the dead")
    }
    this.run(memory.backend.fill(key, "of the dead", { stored, ttlMillis: 3_600_000 }, "keep"))
  }

  /** As a clock leaves it that was put back since. */
  leaveAhead(): void {
    this.epoch = this.clock + ahead
  }

  /** Carries out a primitive of memory. */
  run<A>(primitive: Effect.Effect<A, unknown>): A {
    return Effect.runSyncWith(context)(primitive)
  }

  entry(key: string): CacheEntry | undefined {
    return this.memory.state.entries.peek(key, now)
  }

  lease(key: string): string | undefined {
    return this.memory.state.leases.get(key)?.token
  }

  dropEntry(key: string): void {
    this.memory.state.entries.delete(key, now)
  }

  /** As an invalidation does. */
  dropLease(key: string): void {
    this.memory.state.dropLease(key)
  }

  /** Whether there is an entry (`e:`), a lease (`l:`) or a marker (`t:`) of this name. */
  exists(name: string): boolean {
    const key = name.slice(2)
    if (name.startsWith("e:")) return this.entry(key) !== undefined
    if (name.startsWith("l:")) return this.lease(key) !== undefined
    return this.markers.has(key)
  }

  /** Loses it. */
  drop(name: string): void {
    const key = name.slice(2)
    if (name === "the epoch") this.epoch = undefined
    else if (name.startsWith("e:")) this.dropEntry(key)
    else if (name.startsWith("l:")) this.memory.state.endLease(key)
    else this.markers.delete(key)
  }

  /** `createEpoch`. */
  createEpoch(): number {
    return (this.epoch ??= ++this.clock)
  }

  /** `bumpEpoch`: above what it was, and above every value it had before it was lost. */
  bumpEpoch(): number {
    return (this.epoch = Math.max((this.epoch ?? 0) + 1, ++this.clock))
  }

  /** Whether a lost epoch would come back above this one. */
  isBelowClock(): boolean {
    return (this.epoch ?? 0) <= this.clock
  }

  /** `pendMarker`: the marker, or the pending text that is in its place now. */
  pendMarker(tag: string, text: string): number | string {
    const found = this.markers.get(tag)
    if (found !== undefined) return found
    this.markers.set(tag, text)
    return text
  }

  /** `confirmMarker`: replaces that very text. */
  confirmMarker(tag: string, text: string, epoch: number): boolean {
    if (this.markers.get(tag) !== text) return false
    this.markers.set(tag, epoch)
    return true
  }

  /**
   * `raiseMarker`: never lowers a marker, and never creates one. One that is missing may have been evicted after a later
   * invalidation, so this epoch could be too low; while it is missing nothing is valid, and who creates it reads the epoch
   * then. A pending text goes, because its epoch may have been read before this invalidation.
   */
  raiseMarker(tag: string, epoch: number): void {
    const found = this.markers.get(tag)
    if (typeof found !== "number") this.markers.delete(tag)
    else if (found < epoch) this.markers.set(tag, epoch)
  }
}
