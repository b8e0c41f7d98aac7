/**
 * An entry as memory keeps it: a record of small numbers and of what many entries share, half the size of one that holds
 * everything itself. Times are milliseconds since this module was loaded: as long as such a number is whole and below 2^31 it
 * lies in its field, while a time since 1970 would be an object of its own.
 */
import type { CacheEntry } from "../CacheEntry.ts"
import { stampOf } from "./pick.ts"

const start = Date.now()

/** What the entries of a region have in common, as long as their tags are the same list. */
class Kind {
  readonly fingerprint: string
  readonly tags: ReadonlyArray<string>
  /** Of an entry that bears no tag: by it alone it is known to be of this fingerprint. Otherwise 0. */
  readonly stamp: number
  constructor(fingerprint: string, tags: ReadonlyArray<string>) {
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
    this.created = entry.createdAt - start
    this.life = entry.freshUntil - entry.createdAt
  }

  get fingerprint(): string {
    return this.kind.fingerprint
  }
  get tags(): ReadonlyArray<string> {
    return this.kind.tags
  }
  get createdAt(): number {
    return this.created + start
  }
  get freshUntil(): number {
    return this.createdAt + this.life
  }
}

/** Makes records of entries. */
export class MemoryEntries {
  #last = new Kind("", [])

  of(entry: CacheEntry): MemoryEntry {
    const { fingerprint, tags } = entry
    const last = this.#last
    const kind =
      last.tags === tags && last.fingerprint === fingerprint ? last : (this.#last = new Kind(fingerprint, tags))
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
