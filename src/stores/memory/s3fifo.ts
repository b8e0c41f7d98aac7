/**
 * A map bounded by count and by weight, evicted by S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are all you
 * need for cache eviction", SOSP 2023), with lazy expiry.
 *
 * New keys enter a **small** queue of a tenth of the room. What is read twice before it reaches the end moves to the
 * **main** queue; the rest leaves, and its hash is remembered in a **ghost**, so that a second coming goes to main at
 * once. At the end of main, each read since it came there saves an entry once. A hit only raises a counter: nothing
 * moves, so a hot key costs no more than a cold one.
 *
 * Two things differ from the paper. While main has room, the end of small **spills** into it, read or not: nothing has to
 * leave yet, and a loop over more keys than fit finds a full main that stays, not one that begins empty. And the counter
 * goes up to 7, not 3, which tells the hottest keys from the warm ones.
 *
 * An entry is a **slot**: an index into typed arrays and into two plain ones. The arrays grow in steps, up to the most
 * entries held at once; slots that are free are used again; `clear` gives all room back. Slots 0 and 1 hold no entry:
 * they close the rings of the small and of the main queue.
 *
 * Invariants, true between any two calls:
 *
 * - `slots` holds exactly the keys whose slots are in one of the two rings; every other slot is in the free list.
 * - `slots.size <= maxEntries`, and the sum of the weights is `weight <= maxWeight`.
 * - A free slot holds neither key nor value nor payload, has no stamp, and never expires, so the sweep passes it by.
 * - `onLeave` has been called once for each value that was stored and is not there any more.
 *
 * Over 400 lines, and one file all the same: queues, rooms and sweep work on one set of private arrays, and parts of it
 * elsewhere would put calls into a hit and open the arrays to others.
 */
import { absent } from "../../internal/stamp.ts"
import { Ghost, hashOf } from "./ghost.ts"

const READS_MAX = 7
/** Reads that carry a key from the small queue to the main one. */
const PROMOTE_AT = 2
const SMALL_SHARE = 0.1
const GHOST_MIN = 64
/** Slots looked at on each write for being expired. More than one, so that sweeping outruns writing. */
const SWEEP_STEPS = 4
/** V8's `Map` throws beyond 2^24 keys, and those that were deleted since it last grew count. */
const ENTRIES_MAX = 2 ** 23

/** The queues, and the slots that close their rings. */
const SMALL = 0
const MAIN = 1
/** The end of the free list. */
const NONE = 0
const SLOTS_MIN = 32

type Queue = typeof SMALL | typeof MAIN

export interface S3FifoOptions<V> {
  /** At least 1. */
  readonly maxEntries: number
  /** At least 1. */
  readonly maxWeight: number
  /** Told of each value that leaves, for whatever reason: replaced, removed, expired, evicted. Must not call back. */
  readonly onLeave: (value: V) => void
}

/** By doubling, and by a quarter once that is much: what is empty is paid for, too. */
const grown = (length: number): number => (length < 1024 ? 2 * length : length + (length >> 2))

const resized = <A extends Uint8Array | Uint32Array | Float64Array>(to: A, from: A): A => {
  to.set(from)
  return to
}

const lengthened = <A>(from: ReadonlyArray<A>, keep: number, length: number): Array<A | undefined> => {
  const to = new Array<A | undefined>(length).fill(undefined)
  for (let i = 0; i < keep; i++) to[i] = from[i]
  return to
}

export class S3Fifo<V extends NonNullable<unknown>> {
  /** Dropped to make room, or refused because they fit nowhere, since the start. */
  evictions = 0
  readonly maxEntries: number
  readonly maxWeight: number
  private readonly onLeave: (value: V) => void
  private readonly ghost: Ghost
  private readonly slots = new Map<string, number>()

  /** Slots from here on were never in use. */
  private top = 0
  private slotKeys: Array<string | undefined> = []
  private slotValues: Array<V | undefined> = []
  /** What `pick` gives, and for whom. Apart from the values, so that a hit touches nothing else of its entry. */
  private payloads: Array<unknown> = []
  private stamps = new Uint32Array(0)
  /** Milliseconds by the time that callers tell, which never goes back; `Infinity` for never. */
  private expiries = new Float64Array(0)
  private slotWeights = new Float64Array(0)
  /** The neighbours in the ring; of a ring's own slot, `newer` is its oldest and `older` its newest. */
  private older = new Uint32Array(0)
  /** Of a free slot, the next free one. */
  private newer = new Uint32Array(0)
  private reads = new Uint8Array(0)
  private queues = new Uint8Array(0)
  private free = NONE
  /** The next slot that the sweep looks at. */
  private cursor = 0

  /** Of the small and of the main queue. */
  private readonly counts: [number, number] = [0, 0]
  private readonly weights: [number, number] = [0, 0]
  private readonly countRooms: readonly [number, number]
  private readonly weightRooms: readonly [number, number]

  constructor(options: S3FifoOptions<V>) {
    this.maxEntries = Math.min(options.maxEntries, ENTRIES_MAX)
    this.maxWeight = options.maxWeight
    this.onLeave = options.onLeave
    this.ghost = new Ghost(Math.max(GHOST_MIN, this.maxEntries))
    const count = Math.max(1, Math.floor(this.maxEntries * SMALL_SHARE))
    const weight = Math.max(1, Math.floor(this.maxWeight * SMALL_SHARE))
    this.countRooms = [count, this.maxEntries - count]
    this.weightRooms = [weight, this.maxWeight === Infinity ? Infinity : this.maxWeight - weight]
    this.reset()
  }

  get size(): number {
    return this.slots.size
  }

  get weight(): number {
    return this.weights[SMALL] + this.weights[MAIN]
  }

  get ghostSize(): number {
    return this.ghost.size(this.window)
  }

  /** The slot of a key, counted as a hit; 0 without one. For those who keep more of an entry beside it, by slot. */
  hit(key: string, now: number): number {
    const slot = this.slots.get(key)
    if (slot === undefined) return NONE
    // Written so that an expiry that is no number counts as past.
    if (!(this.expiries[slot]! > now)) {
      this.leave(slot, true)
      return NONE
    }
    const reads = this.reads[slot]!
    if (reads < READS_MAX) this.reads[slot] = reads + 1
    return slot
  }

  /** The slot of a key, when it is not expired; 0 without one. Not counted as a hit. */
  find(key: string, now: number): number {
    const slot = this.slots.get(key)
    return slot !== undefined && this.expiries[slot]! > now ? slot : NONE
  }

  valueAt(slot: number): V {
    return this.slotValues[slot]!
  }

  payloadAt(slot: number): unknown {
    return this.payloads[slot]
  }

  /** Slots are below it. */
  get slotsEnd(): number {
    return this.older.length
  }

  /** The value of a key, counted as a hit. */
  get(key: string, now: number): V | undefined {
    return this.slotValues[this.hit(key, now)]
  }

  /** The payload of a key, counted as a hit, if it was stored with this stamp and is not expired; otherwise `absent`. */
  pick(key: string, stamp: number, now: number): unknown {
    const slot = this.slots.get(key)
    if (slot === undefined || this.stamps[slot] !== stamp || !(this.expiries[slot]! > now) || stamp === 0) return absent
    const reads = this.reads[slot]!
    if (reads < READS_MAX) this.reads[slot] = reads + 1
    return this.payloads[slot]
  }

  /** The value of a key, when it is not expired. Not counted as a hit. */
  peek(key: string, now: number): V | undefined {
    return this.slotValues[this.find(key, now)]
  }

  /** The weight of a key's value, expired or not; 0 without one. */
  weightOf(key: string): number {
    const slot = this.slots.get(key)
    return slot === undefined ? 0 : this.slotWeights[slot]!
  }

  /** The expiry of a key's value; `undefined` without one. */
  expiresAtOf(key: string): number | undefined {
    const slot = this.slots.get(key)
    return slot === undefined ? undefined : this.expiries[slot]
  }

  /** The keys, also those that have expired, in the order in which they came; a key that is replaced keeps its place. */
  keys(): IterableIterator<string> {
    return this.slots.keys()
  }

  /**
   * Stores a value and a payload, with a stamp above 0 for `pick`. Returns its slot; 0: it is heavier than the whole room,
   * nothing is stored, and an older value is gone too.
   */
  set(
    key: string,
    value: V,
    weight: number,
    expiresAt: number,
    now: number,
    stamp = 0,
    payload: unknown = undefined
  ): number {
    this.sweep(now)
    const slot = this.slots.get(key)
    if (!this.fits(weight, slot)) return NONE
    if (slot !== undefined) {
      this.expiries[slot] = expiresAt
      this.replace(slot, value, weight, now)
      this.stamps[slot] = stamp
      this.payloads[slot] = payload
      return slot
    }
    this.makeRoom(1, weight, now)
    const queue = this.ghost.take(hashOf(key), this.window) ? MAIN : SMALL
    const fresh = this.takeSlot()
    this.slotKeys[fresh] = key
    this.slotValues[fresh] = value
    this.payloads[fresh] = payload
    this.stamps[fresh] = stamp
    this.expiries[fresh] = expiresAt
    this.slotWeights[fresh] = weight
    this.reads[fresh] = 0
    this.slots.set(key, fresh)
    this.link(fresh, queue)
    this.spill()
    return fresh
  }

  /** Replaces a value and its weight; expiry and payload stay, but not its stamp. `false`: there is none, or, as with `set`, it is too heavy. */
  update(key: string, value: V, weight: number, now: number): boolean {
    const slot = this.find(key, now)
    if (slot === NONE || !this.fits(weight, slot)) return false
    this.replace(slot, value, weight, now)
    this.stamps[slot] = 0
    return true
  }

  /** Removes a key. Returns whether there was an entry that had not expired. */
  delete(key: string, now: number): boolean {
    const slot = this.slots.get(key)
    if (slot === undefined) return false
    const live = this.expiries[slot]! > now
    this.leave(slot, true)
    return live
  }

  clear(): void {
    const values = this.slotValues
    this.slots.clear()
    this.ghost.clear()
    this.reset()
    for (const value of values) if (value !== undefined) this.onLeave(value)
  }

  private reset(): void {
    for (const queue of [SMALL, MAIN] as const) this.counts[queue] = this.weights[queue] = 0
    this.free = NONE
    this.cursor = 0
    this.top = 0
    this.allocate(0)
    this.top = 2
    this.older.set([SMALL, MAIN])
    this.newer.set([SMALL, MAIN])
    this.expiries.fill(Infinity, 0, 2)
  }

  /** Arrays for so many slots, of which those below `top` stay. */
  private allocate(slots: number): void {
    const length = Math.min(Math.max(SLOTS_MIN, slots), this.maxEntries + 2)
    const keep = this.top
    // Of this length at once: what grows by itself has up to half of its places empty.
    this.slotKeys = lengthened(this.slotKeys, keep, length)
    this.slotValues = lengthened(this.slotValues, keep, length)
    this.payloads = lengthened(this.payloads, keep, length)
    this.expiries = resized(new Float64Array(length), this.expiries.subarray(0, keep))
    this.stamps = resized(new Uint32Array(length), this.stamps.subarray(0, keep))
    this.slotWeights = resized(new Float64Array(length), this.slotWeights.subarray(0, keep))
    this.older = resized(new Uint32Array(length), this.older.subarray(0, keep))
    this.newer = resized(new Uint32Array(length), this.newer.subarray(0, keep))
    this.reads = resized(new Uint8Array(length), this.reads.subarray(0, keep))
    this.queues = resized(new Uint8Array(length), this.queues.subarray(0, keep))
  }

  private takeSlot(): number {
    const slot = this.free
    if (slot !== NONE) {
      this.free = this.newer[slot]!
      return slot
    }
    if (this.top === this.older.length) this.allocate(grown(this.older.length))
    return this.top++
  }

  /** What is heavier than everything counts as evicted, and what was there before goes. */
  private fits(weight: number, slot: number | undefined): boolean {
    if (weight <= this.maxWeight) return true
    if (slot !== undefined) this.leave(slot, false)
    this.evictions++
    return false
  }

  private replace(slot: number, value: V, weight: number, now: number): void {
    const before = this.slotValues[slot]!
    const queue = this.queues[slot] as Queue
    if (this.weight - this.slotWeights[slot]! + weight <= this.maxWeight) {
      this.weights[queue] += weight - this.slotWeights[slot]!
      this.slotWeights[slot] = weight
    } else {
      // Out of its queue while room is made, so that it cannot be evicted for itself.
      this.unlink(slot)
      this.makeRoom(0, weight, now)
      this.slotWeights[slot] = weight
      this.link(slot, queue)
    }
    this.slotValues[slot] = value
    this.onLeave(before)
  }

  private makeRoom(entries: number, weight: number, now: number): void {
    const { counts, weights } = this
    while (counts[SMALL] + counts[MAIN] + entries > this.maxEntries || this.weight + weight > this.maxWeight) {
      const fromSmall =
        counts[SMALL] > 0 &&
        (counts[MAIN] === 0 || counts[SMALL] >= this.countRooms[SMALL] || weights[SMALL] >= this.weightRooms[SMALL])
      if (fromSmall) this.evictSmall(now)
      else this.evictMain(now)
    }
  }

  /** Drops the oldest of the small queue, unless it was read; then it moves to main. */
  private evictSmall(now: number): void {
    const slot = this.newer[SMALL]!
    if (!(this.expiries[slot]! > now)) return this.leave(slot, true)
    if (this.reads[slot]! < PROMOTE_AT) {
      this.evictions++
      this.ghost.add(hashOf(this.slotKeys[slot]!), this.window)
      return this.leave(slot, false)
    }
    this.reads[slot] = 0
    this.unlink(slot)
    this.link(slot, MAIN)
  }

  /** Drops the oldest of the main queue, unless it was read; then it begins anew. Each read pays for one time. */
  private evictMain(now: number): void {
    const slot = this.newer[MAIN]!
    if (!(this.expiries[slot]! > now)) return this.leave(slot, true)
    if (this.reads[slot] === 0) {
      this.evictions++
      return this.leave(slot, false)
    }
    this.reads[slot]!--
    this.unlink(slot)
    this.link(slot, MAIN)
  }

  /** What is over the share of small moves to main while it has room. The newest stays, however heavy. */
  private spill(): void {
    const { countRooms, counts, weightRooms, weights } = this
    while (
      counts[SMALL] > 1 &&
      (counts[SMALL] > countRooms[SMALL] || weights[SMALL] > weightRooms[SMALL]) &&
      counts[MAIN] < countRooms[MAIN]
    ) {
      const slot = this.newer[SMALL]!
      if (weights[MAIN] + this.slotWeights[slot]! > weightRooms[MAIN]) return
      this.unlink(slot)
      this.link(slot, MAIN)
    }
  }

  private get window(): number {
    return Math.max(GHOST_MIN, this.slots.size)
  }

  private sweep(now: number): void {
    const steps = Math.min(SWEEP_STEPS, this.top)
    for (let i = 0; i < steps; i++) {
      if (this.cursor >= this.top) this.cursor = 0
      const slot = this.cursor++
      if (!(this.expiries[slot]! > now)) this.leave(slot, true)
    }
  }

  /** As the newest of a queue. */
  private link(slot: number, queue: Queue): void {
    const newest = this.older[queue]!
    this.older[slot] = newest
    this.newer[slot] = queue
    this.newer[newest] = slot
    this.older[queue] = slot
    this.queues[slot] = queue
    this.counts[queue]++
    this.weights[queue] += this.slotWeights[slot]!
  }

  private unlink(slot: number): void {
    const older = this.older[slot]!
    const newer = this.newer[slot]!
    const queue = this.queues[slot] as Queue
    this.newer[older] = newer
    this.older[newer] = older
    this.weights[queue] -= this.slotWeights[slot]!
    // An empty queue weighs nothing, whatever the rounding of weights that are no whole numbers.
    if (--this.counts[queue] === 0) this.weights[queue] = 0
  }

  /** `remember`: it was in use, and did not leave for want of room, so its next value goes where it was. */
  private leave(slot: number, remember: boolean): void {
    if (remember && this.queues[slot] === MAIN) this.ghost.add(hashOf(this.slotKeys[slot]!), this.window)
    const value = this.slotValues[slot]!
    this.unlink(slot)
    this.slots.delete(this.slotKeys[slot]!)
    this.slotKeys[slot] = undefined
    this.slotValues[slot] = undefined
    this.payloads[slot] = undefined
    this.stamps[slot] = 0
    this.expiries[slot] = Infinity
    this.newer[slot] = this.free
    this.free = slot
    this.onLeave(value)
  }
}
