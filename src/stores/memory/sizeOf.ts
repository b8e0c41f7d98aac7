/**
 * About how many bytes a value keeps alive.
 *
 * An estimate to bound a cache by, not a measurement: strings count two bytes a character, which is the most they take,
 * objects and their slots what V8 gives them on a 64 bit machine. Each object counts once, also in a cycle. Getters are
 * not run, and nothing that a value does makes it throw.
 *
 * The work is bounded. Of the children of a container that are too many to look at, a sample counts for all: each child
 * of a sample of `m` out of `n` weighs `n / m` times. Such an estimate is right on average, however the tree is shaped.
 */

/** Values looked at one by one. Beyond it, one child stands for all children of its parent. */
const NODES_MAX = 10_000
/** The end: what is still known of then counts as the average. Only reached by lists of very deep values. */
const NODES_END = 4 * NODES_MAX
/** Containers with at most so many children are not sampled while there is room. */
const SMALL = 16
const SAMPLE_MAX = 2500
/** An iterator cannot jump: the sample of a map or a set is taken from so many of its first. */
const WALK_MAX = 10 * NODES_MAX
const WORD = 8
const OBJECT = 24
const STRING = 16
/** A slot of a hash table, with its load factor. */
const SLOT = 40
/** Things whose inside cannot be seen: functions, promises, weak collections. */
const OPAQUE = 64
/** An error keeps its stack, whose text is made only when it is asked for. */
const ERROR = 1024

const sizeOfBigInt = (value: bigint): number =>
  BigInt.asIntN(64, value) === value ? 24 : 16 + Math.ceil(value.toString(16).length / 2)

class Estimate {
  bytes = 0
  visited = 0
  private readonly seen = new Set<object>()
  /** A queue, breadth first, so that a sample is spread over the whole value. `scales` belongs to it. */
  private readonly pending: Array<object> = []
  private readonly scales: Array<number> = []
  private next = 0
  private turn = 0

  /** Counts what is no object, and queues what is. It stands for `scale` values like it. */
  add(value: unknown, scale: number): void {
    if (typeof value === "object" && value !== null) {
      this.pending.push(value)
      this.scales.push(scale)
      return
    }
    this.visited++
    if (typeof value === "string") this.bytes += scale * (STRING + 2 * value.length)
    else if (typeof value === "bigint") this.bytes += scale * sizeOfBigInt(value)
    else if (typeof value === "function") this.bytes += scale * OPAQUE
  }

  run(): number {
    while (this.next < this.pending.length && this.visited < NODES_END) {
      const value = this.pending[this.next]!
      const scale = this.scales[this.next++]!
      if (this.seen.has(value)) continue
      this.seen.add(value)
      this.visited++
      try {
        this.object(value, scale)
      } catch {
        // A proxy whose traps throw, or an object that only claims its prototype.
        this.bytes += scale * OPAQUE
      }
    }
    const left = this.pending.length - this.next
    return Math.ceil(left === 0 ? this.bytes : this.bytes * (1 + left / this.visited))
  }

  private object(value: object, scale: number): void {
    if (Array.isArray(value)) {
      this.bytes += scale * (OBJECT + value.length * WORD)
      this.children(value, scale)
    } else if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
      this.bytes += scale * (OPAQUE + value.byteLength)
    } else if (value instanceof Map) {
      const { size } = value
      this.bytes += scale * (OPAQUE + SLOT * size)
      this.iterate(Map.prototype.keys.call(value), size, scale)
      this.iterate(Map.prototype.values.call(value), size, scale)
    } else if (value instanceof Set) {
      this.bytes += scale * (OPAQUE + SLOT * value.size)
      this.iterate(Set.prototype.values.call(value), value.size, scale)
    } else {
      if (value instanceof RegExp) this.add(RegExp.prototype.toString.call(value), scale)
      const keys = Object.keys(value)
      this.bytes += scale * ((value instanceof Error ? ERROR : OBJECT) + keys.length * 2 * WORD)
      this.sample(keys.length, scale, (index, share) => {
        const descriptor = Object.getOwnPropertyDescriptor(value, keys[index]!)
        if (descriptor !== undefined && "value" in descriptor) this.add(descriptor.value, share)
      })
    }
  }

  private children(values: ReadonlyArray<unknown>, scale: number): void {
    this.sample(values.length, scale, (index, share) => this.add(values[index], share))
  }

  private iterate(values: Iterator<unknown>, size: number, scale: number): void {
    let at = 0
    const walked = Math.min(size, WALK_MAX)
    this.sample(walked, walked === 0 ? scale : (scale * size) / walked, (index, share) => {
      let found = values.next()
      for (at++; at <= index && found.done !== true; at++) found = values.next()
      if (found.done !== true) this.add(found.value, share)
    })
  }

  /** Calls `look` with ascending indices below `count`, evenly spread, beginning somewhere else each time. */
  private sample(count: number, scale: number, look: (index: number, scale: number) => void): void {
    const waiting = this.pending.length - this.next
    const room = Math.floor((NODES_MAX - this.visited - waiting) / (waiting + 1))
    const all = count <= SMALL && this.visited < NODES_MAX
    const taken = all ? count : Math.min(count, SAMPLE_MAX, Math.max(1, room))
    if (taken === count) {
      for (let i = 0; i < count; i++) look(i, scale)
      return
    }
    this.turn = (this.turn + 0.6180339887498949) % 1
    for (let i = 0; i < taken; i++) look(Math.floor(((i + this.turn) * count) / taken), (scale * count) / taken)
  }
}

/** Objects that a small value may have, and children of each of them. */
const FEW = 16

/** What holds more than its properties tell. */
const isSpecial = (value: object): boolean =>
  value instanceof Map ||
  value instanceof Set ||
  value instanceof Error ||
  value instanceof RegExp ||
  value instanceof ArrayBuffer ||
  ArrayBuffer.isView(value)

/** The same for a value of few plain objects and arrays, which most are: nothing is queued. `NaN`: it is not one. */
const sizeOfSmall = (value: unknown, seen: Array<object>): number => {
  switch (typeof value) {
    case "string":
      return STRING + 2 * value.length
    case "bigint":
      return sizeOfBigInt(value)
    case "function":
      return OPAQUE
    case "object":
      break
    default:
      return 0
  }
  if (value === null || seen.includes(value)) return 0
  if (seen.push(value) > FEW) return Number.NaN
  if (Array.isArray(value)) {
    if (value.length > FEW) return Number.NaN
    let bytes = OBJECT + value.length * WORD
    for (let i = 0; i < value.length; i++) bytes += sizeOfSmall(value[i], seen)
    return bytes
  }
  if (Object.getPrototypeOf(value) !== Object.prototype && isSpecial(value)) return Number.NaN
  const keys = Object.keys(value)
  if (keys.length > FEW) return Number.NaN
  let bytes = OBJECT + keys.length * 2 * WORD
  for (let i = 0; i < keys.length; i++) {
    const descriptor = Object.getOwnPropertyDescriptor(value, keys[i]!)
    if (descriptor !== undefined && "value" in descriptor) bytes += sizeOfSmall(descriptor.value, seen)
  }
  return bytes
}

/** The estimate, in bytes, of any value. */
export const sizeOf = (value: unknown): number => {
  try {
    const small = sizeOfSmall(value, [])
    if (!Number.isNaN(small)) return small
  } catch {
    // A proxy whose traps throw.
  }
  const estimate = new Estimate()
  estimate.add(value, 1)
  return estimate.run()
}
