/**
 * An entry as memory keeps it: a record of small numbers and of what many entries share, smaller than one that holds
 * everything itself. Times are milliseconds since the first entry of its kind: as long as such a number is whole and below 2^31
 * (24 days) it lies in its field, while a time since 1970 would be an object of its own.
 */
import type { CacheEntry } from "../CacheEntry.ts"
import { stampOf } from "./pick.ts"

/** What the entries of a region have in common, as long as their tags are the same list. */
class Kind {
  readonly fingerprint: string
  readonly tags: ReadonlyArray<string>
  /** Of an entry that bears no tag: by it alone it is known to be of this fingerprint. Otherwise 0. */
  readonly stamp: number
  /** What the times of its entries count from. */
  readonly start: number
  constructor(fingerprint: string, tags: ReadonlyArray<string>, start: number) {
    this.start = start
    this.fingerprint = fingerprint
    this.tags = tags
    this.stamp = tags.length === 0 ? stampOf(fingerprint) : 0
  }
}

export class MemoryEntry implements CacheEntry {
  readonly value: unknown
  readonly kind: Kind
  readonly born: number
  readonly loadMillis: number
  private readonly created: number
  private readonly life: number

  constructor(entry: CacheEntry, kind: Kind) {
    this.value = entry.value
    this.kind = kind
    this.born = entry.born
    this.loadMillis = entry.loadMillis
    this.created = entry.createdAt - kind.start
    this.life = entry.freshUntil - entry.createdAt
  }

  get fingerprint(): string {
    return this.kind.fingerprint
  }
  get tags(): ReadonlyArray<string> {
    return this.kind.tags
  }
  get createdAt(): number {
    return this.created + this.kind.start
  }
  get freshUntil(): number {
    return this.createdAt + this.life
  }
}

/** Makes records of entries. */
export class MemoryEntries {
  #last: Kind | undefined = undefined

  of(entry: CacheEntry): MemoryEntry {
    const { createdAt, fingerprint, tags } = entry
    let kind = this.#last
    if (kind === undefined || kind.tags !== tags || kind.fingerprint !== fingerprint) {
      this.#last = kind = new Kind(fingerprint, tags, createdAt)
    }
    return new MemoryEntry(entry, kind)
  }
}

/** The same with all in its own fields, to hand out. */
export const toEntry = (entry: CacheEntry): CacheEntry => ({
  born: entry.born,
  createdAt: entry.createdAt,
  freshUntil: entry.freshUntil,
  loadMillis: entry.loadMillis,
  fingerprint: entry.fingerprint,
  tags: entry.tags,
  value: entry.value
})
