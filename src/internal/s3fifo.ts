/**
 * A map bounded by count and by weight, evicted by S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are all you
 * need for cache eviction", SOSP 2023), with lazy expiry.
 *
 * New keys enter a **small** queue of a tenth of the room. What is read again before it reaches the end moves to the
 * **main** queue; the rest leaves, and its key is remembered in a **ghost**, so that a second coming goes to main at
 * once. A hit only raises a counter of two bits: nothing moves, so a hot key costs no more than a cold one.
 *
 * Invariants, true between any two calls:
 *
 * - `nodes` holds exactly the nodes that are in one of the two queues.
 * - `nodes.size <= maxEntries` and the sum of the weights is `weight <= maxWeight`.
 * - `onLeave` has been called once for each value that was stored and is not there any more.
 * - The ghost holds hashes, no keys, and at most as many as there are entries (or `GHOST_MIN`).
 */

/** Twice read: the counter's range is 0 to 3. */
const FREQUENCY_MAX = 3
/** Reads that carry a key from the small queue to the main one. */
const PROMOTE_AT = 2
const SMALL_SHARE = 0.1
const GHOST_MIN = 64
/** Nodes looked at on each write for being expired. More than one, so that sweeping outruns writing. */
const SWEEP_STEPS = 4

export class Node<V> {
  readonly key: string
  value: V
  weight: number
  /** Milliseconds of the clock its writer used; `Infinity` for never. */
  expiresAt: number
  frequency = 0
  queue: Queue<V> | undefined = undefined
  older: Node<V> | undefined = undefined
  newer: Node<V> | undefined = undefined
  constructor(key: string, value: V, weight: number, expiresAt: number) {
    this.key = key
    this.value = value
    this.weight = weight
    this.expiresAt = expiresAt
  }
}

class Queue<V> {
  oldest: Node<V> | undefined = undefined
  newest: Node<V> | undefined = undefined
  count = 0
  weight = 0

  push(node: Node<V>): void {
    node.queue = this
    node.older = this.newest
    node.newer = undefined
    if (this.newest === undefined) this.oldest = node
    else this.newest.newer = node
    this.newest = node
    this.count++
    this.weight += node.weight
  }

  detach(node: Node<V>): void {
    if (node.older === undefined) this.oldest = node.newer
    else node.older.newer = node.newer
    if (node.newer === undefined) this.newest = node.older
    else node.newer.older = node.older
    node.queue = node.older = node.newer = undefined
    this.count--
    this.weight -= node.weight
  }
}

/** The hashes of keys that left, in the order they left. Two keys with one hash cost a wrong guess, nothing else. */
class Ghost {
  private order: Array<number> = []
  private start = 0
  private dropped = 0
  private readonly seqs = new Map<number, number>()

  get size(): number {
    return this.order.length - this.start
  }

  add(hash: number, window: number): void {
    this.seqs.set(hash, this.dropped + this.size)
    this.order.push(hash)
    while (this.size > window) {
      const oldest = this.order[this.start++]!
      // Only if it did not come again since: then a younger place in the order stands for it.
      if (this.seqs.get(oldest) === this.dropped) this.seqs.delete(oldest)
      this.dropped++
    }
    if (this.start > 1024 && this.start * 2 > this.order.length) {
      this.order = this.order.slice(this.start)
      this.start = 0
    }
  }

  take(hash: number): boolean {
    return this.seqs.delete(hash)
  }

  clear(): void {
    this.order = []
    this.start = 0
    this.dropped = 0
    this.seqs.clear()
  }
}

const hashOf = (key: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  // FNV alone leaves the high bits of short keys alike.
  hash ^= hash >>> 15
  return Math.imul(hash, 0x85ebca6b) ^ (hash >>> 13)
}

export interface S3FifoOptions<V> {
  /** At least 1. */
  readonly maxEntries: number
  /** At least 1. */
  readonly maxWeight: number
  /** Told of each value that leaves, for whatever reason: replaced, removed, expired, evicted. Must not call back. */
  readonly onLeave: (value: V) => void
}

export class S3Fifo<V> {
  readonly nodes = new Map<string, Node<V>>()
  /** Dropped to make room, or refused because they fit nowhere, since the start. */
  evictions = 0
  readonly maxEntries: number
  readonly maxWeight: number
  private readonly smallCount: number
  private readonly smallWeight: number
  private readonly onLeave: (value: V) => void
  private readonly small = new Queue<V>()
  private readonly main = new Queue<V>()
  private readonly ghost = new Ghost()
  private cursor: Node<V> | undefined = undefined

  constructor(options: S3FifoOptions<V>) {
    this.maxEntries = options.maxEntries
    this.maxWeight = options.maxWeight
    this.onLeave = options.onLeave
    this.smallCount = Math.max(1, Math.floor(options.maxEntries * SMALL_SHARE))
    this.smallWeight = Math.max(1, Math.floor(options.maxWeight * SMALL_SHARE))
  }

  get weight(): number {
    return this.small.weight + this.main.weight
  }

  get ghostSize(): number {
    return this.ghost.size
  }

  /** The value of a key, counted as a hit. The hot path: one lookup, one comparison, one counter. */
  get(key: string, now: number): V | undefined {
    const node = this.nodes.get(key)
    if (node === undefined) return undefined
    // Written so that an expiry that is no number counts as past.
    if (!(node.expiresAt > now)) {
      this.leave(node, true)
      return undefined
    }
    if (node.frequency < FREQUENCY_MAX) node.frequency++
    return node.value
  }

  /** The node of a key, when it is not expired. Not counted as a hit. */
  peek(key: string, now: number): Node<V> | undefined {
    const node = this.nodes.get(key)
    return node !== undefined && node.expiresAt > now ? node : undefined
  }

  /** Stores a value. `false`: it is heavier than the whole room; nothing is stored, and an older value is gone too. */
  set(key: string, value: V, weight: number, expiresAt: number, now: number): boolean {
    this.sweep(now)
    const node = this.nodes.get(key)
    if (!(weight <= this.maxWeight)) {
      if (node !== undefined) this.leave(node, false)
      this.evictions++
      return false
    }
    if (node !== undefined) {
      this.replace(node, value, weight, now)
      node.expiresAt = expiresAt
      return true
    }
    this.makeRoom(1, weight, now)
    const fresh = new Node(key, value, weight, expiresAt)
    this.nodes.set(key, fresh)
    ;(this.ghost.take(hashOf(key)) ? this.main : this.small).push(fresh)
    return true
  }

  /** Removes a key. Returns whether there was an entry that had not expired. */
  delete(key: string, now: number): boolean {
    const node = this.nodes.get(key)
    if (node === undefined) return false
    this.leave(node, true)
    return node.expiresAt > now
  }

  clear(): void {
    for (const node of this.nodes.values()) this.onLeave(node.value)
    this.nodes.clear()
    for (const queue of [this.small, this.main]) {
      queue.oldest = queue.newest = undefined
      queue.count = queue.weight = 0
    }
    this.ghost.clear()
    this.cursor = undefined
  }

  private replace(node: Node<V>, value: V, weight: number, now: number): void {
    const before = node.value
    const queue = node.queue!
    if (this.weight - node.weight + weight <= this.maxWeight) {
      queue.weight += weight - node.weight
      node.weight = weight
    } else {
      // Out of its queue while room is made, so that it cannot be evicted for itself.
      this.detach(node)
      node.weight = weight
      this.makeRoom(0, weight, now)
      queue.push(node)
    }
    node.value = value
    this.onLeave(before)
  }

  private makeRoom(entries: number, weight: number, now: number): void {
    while (this.small.count + this.main.count + entries > this.maxEntries || this.weight + weight > this.maxWeight) {
      const fromSmall =
        this.small.count > 0 &&
        (this.main.count === 0 || this.small.count >= this.smallCount || this.small.weight >= this.smallWeight)
      if (fromSmall) this.evictSmall(now)
      else this.evictMain(now)
    }
  }

  /** Drops the oldest of the small queue that nobody read; those that were read move to main. May drop nothing. */
  private evictSmall(now: number): void {
    while (this.small.oldest !== undefined) {
      const node = this.small.oldest
      if (!(node.expiresAt > now)) return this.leave(node, true)
      if (node.frequency < PROMOTE_AT) {
        this.evictions++
        this.ghost.add(hashOf(node.key), this.ghostWindow())
        return this.leave(node, false)
      }
      this.detach(node)
      node.frequency = 0
      this.main.push(node)
    }
  }

  /** Each read saves a node once, so this ends after at most `FREQUENCY_MAX` rounds, paid for by the reads. */
  private evictMain(now: number): void {
    while (this.main.oldest !== undefined) {
      const node = this.main.oldest
      if (!(node.expiresAt > now)) return this.leave(node, true)
      if (node.frequency === 0) {
        this.evictions++
        return this.leave(node, false)
      }
      this.detach(node)
      node.frequency--
      this.main.push(node)
    }
  }

  private ghostWindow(): number {
    return Math.max(GHOST_MIN, this.small.count + this.main.count)
  }

  private sweep(now: number): void {
    for (let i = 0; i < SWEEP_STEPS; i++) {
      const node = this.cursor ?? this.main.oldest ?? this.small.oldest
      if (node === undefined) return
      this.cursor = node.newer ?? (node.queue === this.main ? this.small.oldest : this.main.oldest)
      if (!(node.expiresAt > now)) this.leave(node, true)
    }
  }

  private detach(node: Node<V>): void {
    if (this.cursor === node) this.cursor = node.newer
    node.queue!.detach(node)
  }

  /** `remember`: it was in use, and did not leave for want of room, so its next value goes where it was. */
  private leave(node: Node<V>, remember: boolean): void {
    if (remember && node.queue === this.main) this.ghost.add(hashOf(node.key), this.ghostWindow())
    this.detach(node)
    this.nodes.delete(node.key)
    this.onLeave(node.value)
  }
}
