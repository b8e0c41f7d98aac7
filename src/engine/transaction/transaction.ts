/**
 * What a database transaction did to the cache, from its first call to its end. See `docs/architecture/transactions.md`.
 *
 * Keys that it wrote or invalidated are unlinked and their leases held until it ends; everything else is noted. A savepoint is a
 * level of its own: what it noted counts only if it was not rolled back, what it unlinked stays unlinked.
 */
import { Effect, Semaphore, type Tracer } from "effect"
import { matcherUnsafe } from "../../CacheKey.ts"
import type { Region } from "../../region/region.ts"
import type { WriteIntent } from "../intents.ts"
import type { Sealed } from "../seal.ts"
import type { Slot } from "../slot.ts"
import type { Store } from "../store.ts"
import { type Ending, type Here, type LevelKey, listen, runAfterCommit, spansOf } from "./current.ts"

/** More keys than these are not held: they are unlinked at once, and again after the commit. */
export const maxHeld = 1_000

/** What a write leaves in its slot: made when it was written, because its value may be changed before the commit. */
export interface Written {
  readonly region: Region
  readonly sealed: Sealed
}

/** Outside of it, what is invalidated is invalidated in all stores, or in one. */
export type Only = Store | undefined

/** One thing that is to be made invalid after the commit. */
export type Noted =
  | { readonly kind: "keys" | "tags"; readonly list: ReadonlyArray<string>; readonly only: Only }
  | { readonly kind: "pattern"; readonly pattern: string; readonly only: Only }
  | { readonly kind: "everything" }

/** A savepoint, by its span. */
class Savepoint implements Ending {
  rolledBack = false
  isReleased = false
  readonly ended = (committed: boolean): void => {
    this.isReleased = committed
  }
}

/** The outermost, or a savepoint. */
export class Level {
  /** The outermost has committed, and none of those around it was rolled back. */
  committed = false
  readonly noted: Array<Noted> = []
  /** It and those that it is within; `undefined`: not all of them are heard. */
  readonly #savepoints: ReadonlyArray<Savepoint> | undefined

  constructor(savepoints: ReadonlyArray<Savepoint> | undefined) {
    this.#savepoints = savepoints
  }

  /** When the outermost has committed: whether its own call is certain to come, if it has not come yet. */
  get isToCome(): boolean {
    return this.#savepoints?.every(({ isReleased }) => isReleased) === true
  }
}

/** A key whose slot is held. */
export interface Held {
  slot: Slot
  readonly store: Store
  /** Those that wrote or invalidated it. */
  readonly by: Set<Level>
  /** What was written last; `undefined`: nothing that may be stored. */
  written: Written | undefined
  /** When it was changed last. */
  at: number
  /** Writes that run, and whether two of them did at once: nobody knows whose value the database keeps. */
  running: number
  clashed: boolean
  settled: boolean
}

/** Whether all that changed it has committed. Otherwise nothing may be stored. */
export const hasCommitted = ({ by }: Held): boolean => [...by].every(({ committed }) => committed)

/** Among spans of several clients nobody knows which is the outermost of this one. */
const outermostOf = ({ around, level, services }: Here): Tracer.Span | undefined => {
  if (around.length > 0) return undefined
  const spans = spansOf(services)
  return spans.length === level[1] + 1 ? spans.at(-1) : undefined
}

export class Transaction implements Ending {
  readonly #levels = new Map<LevelKey, Level>()
  readonly #savepoints = new WeakMap<Tracer.Span, Savepoint>()
  readonly #held = new Map<Store, Map<string, Held>>()
  /** Of the outermost level, once it was seen. */
  #root: Here | undefined
  /** The last that was seen. */
  #last: Here | undefined
  #now = 0
  /** When each was noted last, whatever became of the level. */
  readonly #keys = new Map<string, number>()
  readonly #tags = new Map<string, number>()
  readonly #patterns = new Map<string, { readonly at: number; readonly matches: (key: string) => boolean }>()
  #everything = 0
  /** All that was noted, also in savepoints that were rolled back. */
  readonly intended = { keys: new Set<string>(), patterns: new Set<string>(), tags: new Set<string>() }
  /** Of the intent. */
  token: string | undefined
  intent: WriteIntent | undefined
  /** Nothing that was carried out has failed. */
  isAcknowledged = true
  heldCount = 0
  /** The shortest of the leases that are held. */
  leaseMillis = Infinity
  /** It is known to have committed: a call of it has run, or its span says so. */
  committed = false
  rolledBack = false
  isWatched = false
  #ended = false
  /** Of the outermost level, if it is known. */
  #span: Tracer.Span | undefined
  #isHeard = false
  readonly #turns = Semaphore.makeUnsafe(1)
  /** Nothing is left to do for it, or nobody knows what became of it. */
  isOver = false
  /** It was rolled back, or nobody knows. What it did is undone or made void, and nothing is filled any more. */
  isLost = false
  #wake: (() => void) | undefined

  /** To be run before anything waits for its end. */
  listen(here: Here): void {
    if (this.#span !== undefined) return
    this.#span = outermostOf(here)
    if (this.#span !== undefined) this.#isHeard = listen(this.#span, this)
  }

  /**
   * Whether a level that is new is of this transaction. One whose calls run after its commit has none any more: its connection may be
   * another's by then. Where it is unknown it is another's, and sees less of what this one did; each is ended by its own callbacks.
   */
  covers(here: Here): boolean {
    if (this.isOver || this.#ended || this.committed) return false
    const outermost = outermostOf(here)
    if (this.#span !== undefined && outermost !== undefined) return this.#span === outermost
    return here.level[1] > 0 && this.isOpen
  }

  level(here: Here): Level {
    if (here.client !== undefined) {
      this.#last = here
      if (here.level[1] === 0) this.#root = here
    }
    let level = this.#levels.get(here.level)
    if (level === undefined) {
      level = new Level(this.#savepointsOf(here))
      this.#levels.set(here.level, level)
    }
    return level
  }

  #savepointsOf(here: Here): ReadonlyArray<Savepoint> | undefined {
    const depth = here.level[1]
    if (depth === 0) return []
    if (outermostOf(here) === undefined) return undefined
    const all: Array<Savepoint> = []
    for (const span of spansOf(here.services).slice(0, depth)) {
      let savepoint = this.#savepoints.get(span)
      if (savepoint === undefined) {
        savepoint = new Savepoint()
        if (!listen(span, savepoint)) return undefined
        this.#savepoints.set(span, savepoint)
      }
      all.push(savepoint)
    }
    return all
  }

  get root(): Here | undefined {
    return this.#root
  }

  get levels(): Iterable<Level> {
    return this.#levels.values()
  }

  /** Whether all levels have committed of which anything is known. */
  get isWhole(): boolean {
    for (const { committed } of this.#levels.values()) if (!committed) return false
    return true
  }

  /** Whether it is open, as far as can be told. */
  get isOpen(): boolean {
    const here = this.#root ?? this.#last
    return here !== undefined && runAfterCommit(here, Effect.void)
  }

  held(store: Store, key: string): Held | undefined {
    return this.#held.get(store)?.get(key)
  }

  hold(store: Store, slot: Slot): Held {
    let ofStore = this.#held.get(store)
    if (ofStore === undefined) this.#held.set(store, (ofStore = new Map()))
    const held: Held = {
      slot,
      store,
      by: new Set(),
      written: undefined,
      at: 0,
      running: 0,
      clashed: false,
      settled: false
    }
    ofStore.set(slot.key, held)
    this.heldCount++
    if (slot.leaseMillis < this.leaseMillis) {
      this.leaseMillis = slot.leaseMillis
      // It is to be renewed earlier.
      this.#wake?.()
    }
    return held
  }

  /** The keys whose leases are held, and not yet given back. */
  *allHeld(): Iterable<Held> {
    for (const ofStore of this.#held.values()) for (const held of ofStore.values()) if (!held.settled) yield held
  }

  /** Puts down what is to be made invalid after the commit. */
  note(level: Level, noted: Noted): void {
    level.noted.push(noted)
    const at = ++this.#now
    if (noted.kind === "everything") this.#everything = at
    else if (noted.kind === "pattern") {
      const { pattern } = noted
      this.#patterns.set(pattern, { at, matches: this.#patterns.get(pattern)?.matches ?? matcherUnsafe(pattern) })
    } else {
      const index = noted.kind === "keys" ? this.#keys : this.#tags
      for (const item of noted.list) index.set(item, at)
    }
  }

  /** Whether it wrote or invalidated the entry of a key, in any of its levels and in whatever store. */
  touches(key: string, tags: ReadonlyArray<string>): boolean {
    for (const ofStore of this.#held.values()) if (ofStore.has(key)) return true
    return this.overtakes(key, 0, tags)
  }

  /** Whether something that was noted later covers the entry of a key. */
  overtakes(key: string, at: number, tags: ReadonlyArray<string>): boolean {
    if (this.#everything > at || (this.#keys.get(key) ?? 0) > at) return true
    if (tags.some((tag) => (this.#tags.get(tag) ?? 0) > at)) return true
    for (const pattern of this.#patterns.values()) if (pattern.at > at && pattern.matches(key)) return true
    return false
  }

  /** What was written in a slot that is held is not to be stored, nor what is being written. */
  touch(level: Level | undefined, store: Store, key: string): void {
    const held = this.held(store, key)
    if (held === undefined) return
    if (level !== undefined) held.by.add(level)
    held.written = undefined
    held.at = ++this.#now
  }

  /** The same, where a write begins. Its value is as old as its beginning: what comes while it runs may be newer. */
  writing(level: Level, store: Store, key: string): number {
    this.touch(level, store, key)
    const held = this.held(store, key)
    if (held === undefined) return 0
    if (held.running++ > 0) held.clashed = true
    return held.at
  }

  /** Its end. */
  wrote(store: Store, key: string, at: number, written: Written | undefined): void {
    const held = this.held(store, key)
    if (held === undefined || held.running === 0) return
    if (!held.clashed && !held.settled && held.at === at) held.written = written
    if (--held.running === 0) held.clashed = false
  }

  /**
   * Those that are held and were changed in a level that has committed, once no more of their levels are to come. They are settled
   * before the commit is acknowledged: what was loaded before it must not be joined after it, by a lease that still says the same.
   */
  *decided(): Iterable<Held> {
    for (const held of this.allHeld()) {
      const by = [...held.by]
      if (by.some(({ committed }) => committed) && by.every((level) => level.committed || !level.isToCome)) yield held
    }
  }

  /** All that a level held, also what was given up. */
  *heldBy(level: Level): Iterable<Held> {
    for (const ofStore of this.#held.values()) for (const held of ofStore.values()) if (held.by.has(level)) yield held
  }

  /** One call of it at a time takes leases: two of one key would join each other, and void both. The end waits for it, too. */
  turn<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return this.#turns.withPermit(self)
  }

  /** Nothing more is to be done for it. */
  finish(): void {
    this.isOver = true
    this.#wake?.()
  }

  /** Whether it has ended, as far as can be told: of a savepoint alone nobody can, but by the span. */
  get hasEnded(): boolean {
    return this.#isHeard ? this.#ended : !this.isOpen
  }

  get isHeard(): boolean {
    return this.#isHeard
  }

  /** Until something is heard of its end, or of a shorter lease. */
  readonly untilTold: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.#ended || this.isOver) return resume(Effect.void)
    this.#wake = () => resume(Effect.void)
    return Effect.sync(() => {
      this.#wake = undefined
    })
  })

  readonly ended = (committed: boolean): void => {
    this.#ended = true
    // Also where all that it did was in savepoints that were rolled back: then none of its calls runs.
    if (committed) this.committed = true
    this.#wake?.()
  }
}
