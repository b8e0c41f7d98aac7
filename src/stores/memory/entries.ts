/**
 * The entries of a memory: `S3Fifo`, and beside it in columns, by slot, the numbers of each entry. An object for each entry
 * would cost more than twice as much, and be more to collect.
 */
import type { CacheEntry } from "../../CacheEntry.ts"
import { type Stamp, stamps } from "../../internal/stamp.ts"
import { S3Fifo } from "./s3fifo.ts"

/** What entries have in common that bear no tags, or the same list of tags one after the other. */
class Kind {
  readonly fingerprint: string
  readonly tags: ReadonlyArray<string>
  /** Of entries that bear no tag: by it alone they are known to be of this fingerprint. Otherwise 0. */
  readonly stamp: number
  /** Held for as long as an entry has its number. */
  readonly held: Stamp | undefined
  constructor(fingerprint: string, tags: ReadonlyArray<string>) {
    this.fingerprint = fingerprint
    this.tags = tags
    this.held = tags.length === 0 ? stamps.of(fingerprint) : undefined
    this.stamp = this.held === undefined ? 0 : this.held.number
  }
}

interface Options {
  readonly maxEntries: number
  readonly maxWeight: number
  /** Told of the tags of each entry that leaves, for whatever reason. Must not call back. */
  readonly onLeave: (tags: ReadonlyArray<string>) => void
}

/** A program has as many fingerprints as it has schemas, unless it makes schemas for each request. */
const maxUntagged = 1_000

const none = new Float64Array(0)
const noMillis = new Float32Array(0)

/** The methods that are not here are those of `S3Fifo`. */
export class MemoryEntries {
  private readonly fifo: S3Fifo<Kind>
  /** By fingerprint, so that entries share them. One that was forgotten is made again, of the same stamp. */
  private readonly untagged = new Map<string, Kind>()
  private tagged: Kind | undefined = undefined
  private born = none
  private createdAt = none
  private freshUntil = none
  private loadMillis = noMillis

  constructor({ maxEntries, maxWeight, onLeave }: Options) {
    this.fifo = new S3Fifo({ maxEntries, maxWeight, onLeave: ({ tags }) => onLeave(tags) })
  }

  get size(): number {
    return this.fifo.size
  }
  get weight(): number {
    return this.fifo.weight
  }
  get evictions(): number {
    return this.fifo.evictions
  }
  /** The kinds that are remembered, besides those of entries. */
  get kinds(): number {
    return this.untagged.size
  }
  get ghostSize(): number {
    return this.fifo.ghostSize
  }

  keys(): IterableIterator<string> {
    return this.fifo.keys()
  }
  weightOf(key: string): number {
    return this.fifo.weightOf(key)
  }
  expiresAtOf(key: string): number | undefined {
    return this.fifo.expiresAtOf(key)
  }

  /** The value of an entry that bears no tag, by the stamp of its fingerprint; otherwise `absent`. Counted as a hit. */
  pick(key: string, stamp: number, now: number): unknown {
    return this.fifo.pick(key, stamp, now)
  }

  /** Counted as a hit. */
  get(key: string, now: number): CacheEntry | undefined {
    return this.at(this.fifo.hit(key, now))
  }

  peek(key: string, now: number): CacheEntry | undefined {
    return this.at(this.fifo.find(key, now))
  }

  private at(slot: number): CacheEntry | undefined {
    if (slot === 0) return undefined
    const { fingerprint, tags } = this.fifo.valueAt(slot)
    return {
      born: this.born[slot]!,
      createdAt: this.createdAt[slot]!,
      freshUntil: this.freshUntil[slot]!,
      loadMillis: this.loadMillis[slot]!,
      fingerprint,
      tags,
      value: this.fifo.payloadAt(slot)
    }
  }

  /** `false`: it is heavier than the whole room; nothing is stored, and an older entry is gone too. */
  set(key: string, entry: CacheEntry, weight: number, expiresAt: number, now: number): boolean {
    const kind = this.kindOf(entry.fingerprint, entry.tags)
    const slot = this.fifo.set(key, kind, weight, expiresAt, now, kind.stamp, entry.value)
    if (slot === 0) return false
    if (slot >= this.born.length) this.allocate(this.fifo.slotsEnd)
    this.born[slot] = entry.born
    this.createdAt[slot] = entry.createdAt
    this.freshUntil[slot] = entry.freshUntil
    this.loadMillis[slot] = entry.loadMillis
    return true
  }

  /** Other tags for an entry; the rest of it stays. `false`: there is none, or it would be too heavy, and is gone. */
  setTags(key: string, tags: ReadonlyArray<string>, weight: number, now: number): boolean {
    const slot = this.fifo.find(key, now)
    return slot !== 0 && this.fifo.update(key, new Kind(this.fifo.valueAt(slot).fingerprint, tags), weight, now)
  }

  delete(key: string, now: number): boolean {
    return this.fifo.delete(key, now)
  }

  clear(): void {
    this.fifo.clear()
    this.born = this.createdAt = this.freshUntil = none
    this.loadMillis = noMillis
  }

  private kindOf(fingerprint: string, tags: ReadonlyArray<string>): Kind {
    if (tags.length > 0) {
      const { tagged } = this
      if (tagged !== undefined && tagged.tags === tags && tagged.fingerprint === fingerprint) return tagged
      return (this.tagged = new Kind(fingerprint, tags))
    }
    let kind = this.untagged.get(fingerprint)
    if (kind === undefined) {
      if (this.untagged.size >= maxUntagged) this.untagged.clear()
      kind = new Kind(fingerprint, tags)
      this.untagged.set(fingerprint, kind)
    }
    return kind
  }

  private allocate(length: number): void {
    const wider = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(length)
      to.set(from)
      return to
    }
    this.born = wider(this.born)
    this.createdAt = wider(this.createdAt)
    this.freshUntil = wider(this.freshUntil)
    const millis = new Float32Array(length)
    millis.set(this.loadMillis)
    this.loadMillis = millis
  }
}
