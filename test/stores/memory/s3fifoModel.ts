/**
 * The policy of `S3Fifo` in simple arrays: what it should do, in the order of its rules, whatever it costs.
 */
import { hashOf } from "../../../src/stores/memory/ghost.ts"

interface Entry {
  readonly key: string
  value: string
  weight: number
  expiresAt: number
  readonly hash: number
  reads: number
  queue: "small" | "main"
}

const sum = (entries: ReadonlyArray<Entry>) => entries.reduce((total, { weight }) => total + weight, 0)

/** Buckets of at most eight hashes, the oldest first. */
class GhostModel {
  private buckets: Array<Array<{ readonly hash: number; readonly time: number }>> = []
  private time = 0
  private readonly maxWindow: number

  constructor(maxWindow: number) {
    this.maxWindow = maxWindow
  }

  add(hash: number, window: number): void {
    if (this.buckets.length < window / 6) {
      const all = this.buckets.flat()
      let count = this.buckets.length
      if (count === 0) for (count = Math.ceil(this.maxWindow / 6); count > 32; ) count = Math.ceil(count / 2)
      while (count < window / 6) count *= 2
      this.buckets = Array.from({ length: count }, () => [])
      for (const one of all) this.bucket(one.hash).push(one)
      for (const bucket of this.buckets) bucket.sort((a, b) => a.time - b.time)
    }
    const bucket = this.bucket(hash)
    this.forget(hash)
    if (bucket.length === 8) bucket.shift()
    bucket.push({ hash, time: ++this.time })
  }

  take(hash: number, window: number): boolean {
    return this.buckets.length > 0 && (this.forget(hash)?.time ?? -Infinity) > this.time - window
  }

  size(window: number): number {
    return this.buckets.flat().filter(({ time }) => time > this.time - window).length
  }

  private forget(hash: number) {
    const bucket = this.bucket(hash)
    const index = bucket.findIndex((one) => one.hash === hash)
    return index === -1 ? undefined : bucket.splice(index, 1)[0]
  }

  private bucket(hash: number) {
    return this.buckets[Math.floor((hash / 2 ** 32) * this.buckets.length)]!
  }
}

export class S3FifoModel {
  readonly left: Array<string> = []
  evictions = 0
  readonly maxEntries: number
  readonly maxWeight: number
  /** The oldest first. */
  private small: Array<Entry> = []
  private main: Array<Entry> = []
  private ghost: GhostModel
  /** Where the sweep looks. The first two hold no entry. */
  private slots: Array<Entry | undefined> = [undefined, undefined]
  private free: Array<number> = []
  private cursor = 0

  constructor(maxEntries: number, maxWeight: number) {
    this.maxEntries = maxEntries
    this.maxWeight = maxWeight
    this.ghost = new GhostModel(Math.max(64, maxEntries))
  }

  get all(): ReadonlyArray<Entry> {
    return [...this.small, ...this.main]
  }

  get weight(): number {
    return sum(this.all)
  }

  get ghostSize(): number {
    return this.ghost.size(this.window)
  }

  get(key: string, now: number): string | undefined {
    const entry = this.find(key)
    if (entry === undefined) return undefined
    if (!(entry.expiresAt > now)) return this.leave(entry, true)
    entry.reads = Math.min(7, entry.reads + 1)
    return entry.value
  }

  set(key: string, value: string, weight: number, expiresAt: number, now: number): boolean {
    for (let i = Math.min(4, this.slots.length); i > 0; i--) {
      if (this.cursor >= this.slots.length) this.cursor = 0
      const entry = this.slots[this.cursor++]
      if (entry !== undefined && !(entry.expiresAt > now)) this.leave(entry, true)
    }
    const entry = this.find(key)
    if (entry !== undefined) return this.replace(entry, value, weight, expiresAt, now)
    if (!(weight <= this.maxWeight)) return this.refuse()
    this.makeRoom(1, weight, now)
    const hash = hashOf(key)
    const queue = this.ghost.take(hash, this.window) ? "main" : "small"
    const fresh: Entry = { key, value, weight, expiresAt, hash, reads: 0, queue }
    this.slots[this.free.pop() ?? this.slots.length] = fresh
    this[queue].push(fresh)
    // Spill.
    while (this.small.length > 1 && this.smallIsOver()) {
      const oldest = this.small[0]!
      if (this.main.length >= this.maxEntries - this.smallCount) break
      if (sum(this.main) + oldest.weight > this.maxWeight - this.smallWeight) break
      this.move(oldest, "main")
    }
    return true
  }

  update(key: string, value: string, weight: number, now: number): boolean {
    const entry = this.find(key)
    if (entry === undefined || !(entry.expiresAt > now)) return false
    return this.replace(entry, value, weight, entry.expiresAt, now)
  }

  delete(key: string, now: number): boolean {
    const entry = this.find(key)
    if (entry === undefined) return false
    this.leave(entry, true)
    return entry.expiresAt > now
  }

  clear(): void {
    for (const entry of this.slots) if (entry !== undefined) this.left.push(entry.value)
    this.small = []
    this.main = []
    this.ghost = new GhostModel(Math.max(64, this.maxEntries))
    this.slots = [undefined, undefined]
    this.free = []
    this.cursor = 0
  }

  private get smallCount(): number {
    return Math.max(1, Math.floor(this.maxEntries / 10))
  }

  private get smallWeight(): number {
    return Math.max(1, Math.floor(this.maxWeight / 10))
  }

  private get window(): number {
    return Math.max(64, this.all.length)
  }

  private find(key: string): Entry | undefined {
    return this.all.find((entry) => entry.key === key)
  }

  private smallIsOver(): boolean {
    return this.small.length > this.smallCount || sum(this.small) > this.smallWeight
  }

  private refuse(): false {
    this.evictions++
    return false
  }

  private replace(entry: Entry, value: string, weight: number, expiresAt: number, now: number): boolean {
    if (!(weight <= this.maxWeight)) {
      this.leave(entry, false)
      return this.refuse()
    }
    entry.expiresAt = expiresAt
    if (this.weight - entry.weight + weight > this.maxWeight) {
      this.remove(entry)
      this.makeRoom(0, weight, now)
      this[entry.queue].push(entry)
    }
    this.left.push(entry.value)
    entry.value = value
    entry.weight = weight
    return true
  }

  private makeRoom(entries: number, weight: number, now: number): void {
    while (this.all.length + entries > this.maxEntries || this.weight + weight > this.maxWeight) {
      const full = this.small.length >= this.smallCount || sum(this.small) >= this.smallWeight
      const queue = this.small.length > 0 && (this.main.length === 0 || full) ? "small" : "main"
      const oldest = this[queue][0]!
      if (!(oldest.expiresAt > now)) this.leave(oldest, true)
      else if (queue === "small" && oldest.reads >= 2) {
        oldest.reads = 0
        this.move(oldest, "main")
      } else if (queue === "main" && oldest.reads > 0) {
        oldest.reads--
        this.move(oldest, "main")
      } else {
        this.evictions++
        if (queue === "small") this.ghost.add(oldest.hash, this.window)
        this.leave(oldest, false)
      }
    }
  }

  private move(entry: Entry, queue: "small" | "main"): void {
    this.remove(entry)
    entry.queue = queue
    this[queue].push(entry)
  }

  private remove(entry: Entry): void {
    this[entry.queue] = this[entry.queue].filter((other) => other !== entry)
  }

  private leave(entry: Entry, remember: boolean): undefined {
    if (remember && entry.queue === "main") this.ghost.add(entry.hash, this.window)
    this.remove(entry)
    const slot = this.slots.indexOf(entry)
    this.slots[slot] = undefined
    this.free.push(slot)
    this.left.push(entry.value)
  }
}
