/**
 * Reads, gathered until the flush of their connection, where they go out as one `MGET` behind all its other commands, or until
 * they fill one. One
 * command for all of them costs a fraction of one for each, on both sides.
 *
 * Why late is right (R1, and the order in which a claim looks). A read is asked for at `a`, carried out at `x` and answered
 * at `b`, and gathering moves `x` only within `a..b`:
 *
 * - An invalidation that was acknowledged before `a` was carried out before `a`, so before `x`: it is seen.
 * - An invalidation, a write or a fill that is queued between `a` and the flush goes out before the read. The read sees
 *   it, though it was asked for first. Nobody has acknowledged it yet, so seeing it is as right as not seeing it.
 * - Whoever asks for a key that is gathered already shares its place in the `MGET`. That one was not sent when they asked,
 *   so it is carried out within their `a..b`, too, and sees what was acknowledged before either of them. After the flush
 *   the place is gone: a later caller may know of an invalidation that the bytes on the wire do not.
 * - A claim is `SET lease NX`, then the epoch and the entry. The lease is a command of the same flush or of an earlier one,
 *   so it comes first. Epoch and entry are of one moment, as are an entry and its markers: a fill or an invalidation is
 *   seen by both or by neither (on one server, up to `batchKeys`; otherwise in any order, which the protocol allows).
 * - Nothing needs a read to come *before* a command of its flush. What must be between two commands is a command itself:
 *   the `GET epoch` of `ensure`, behind the pending texts.
 */
import type { CacheError } from "../../../CacheError.ts"
import { keepOne } from "../../../internal/keepOne.ts"
import type { Lookup } from "../../../services/CacheBackend.ts"
import { parseCount } from "./counts.ts"
import { isServerError } from "./describe.ts"
import type { Reply } from "./wire.ts"

/**
 * The most keys of one command. The server does nothing else meanwhile: for small values about a tenth of a millisecond,
 * and not ten for those of 100 KB. More keys a command save nothing any more. Exported for the tests that count
 * commands.
 */
export const batchKeys = 128

/** More bytes than a token has. */
const textMax = 256

/** Who waits for a read. */
export interface Reader {
  /** Called once for each read: `error` and `bytes` say how it ended. */
  readonly arrived: (read: Read) => void
}

/** A key that is asked for, and all who wait for it. */
export class Read {
  readonly name: string
  /** Its slot on Cluster. */
  readonly slot: number
  /** What the key holds. `undefined`: nothing, or what is no string. */
  bytes: Uint8Array | undefined
  error: CacheError | undefined
  /** When several asked for it. */
  shared: Lookup["shared"]
  private first: Reader | undefined
  private others: Array<Reader> | undefined
  private parsed: number | undefined

  constructor(name: string, slot: number, reader: Reader) {
    this.name = name
    this.slot = slot
    this.first = reader
  }

  share(reader: Reader): void {
    this.shared ??= { opened: undefined }
    if (this.others === undefined) this.others = [reader]
    else this.others.push(reader)
  }

  /** Ends it with the reply to a `GET`. For what is no string, `MGET` gives nothing, and `GET` says so. */
  answer(error: CacheError | undefined, reply: unknown): void {
    this.settle(isServerError(error, "WRONGTYPE") ? undefined : error, reply)
  }

  /** Ends it. What is not bytes was not written by us. */
  settle(error: CacheError | undefined, reply: unknown): void {
    const { first, others } = this
    if (first === undefined) return
    this.error = error
    if (reply instanceof Uint8Array) this.bytes = reply
    this.first = this.others = undefined
    this.tell(first)
    if (others !== undefined) for (const other of others) this.tell(other)
  }

  /** Who is told goes on at once, with code that may throw; the others must be told all the same. */
  private tell(reader: Reader): void {
    try {
      reader.arrived(this)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }

  /** The bytes as text, of what is short: tokens, markers, the epoch. What is longer is none of them. */
  get text(): string | undefined {
    const { bytes } = this
    return bytes === undefined || bytes.length > textMax
      ? undefined
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
  }

  /**
   * The bytes as a marker. Evidence missing means stale (R3), so anything that is no count is no marker: `undefined`. A
   * pending text is above every `born`, which is as stale, but may be confirmed a moment later: `Infinity`.
   */
  get marker(): number | undefined {
    if (this.bytes === undefined) return undefined
    // Many callers of one flush ask for the same few tags.
    this.parsed ??= this.parse()
    return this.parsed === -1 ? undefined : this.parsed
  }

  private parse(): number {
    const { text } = this
    return isPending(text) ? Infinity : (parseCount(text) ?? -1)
  }
}

keepOne(new Read("", 0, { arrived: () => {} }))

const pendingText = /^\?[\w-]+$/

/** Whether this stands in the place of a marker that is being made. */
export const isPending = (text: unknown): text is string => typeof text === "string" && pendingText.test(text)

/** What reads need of their connection. `at` is when they were first sent: their deadline counts from then. */
interface Wire {
  /** Queues a command for the flush that is under way. */
  readonly queue: (name: string, keys: ReadonlyArray<string>, reply: Reply) => void
  /** Queues a command for the next flush. */
  readonly again: (name: string, keys: ReadonlyArray<string>, reply: Reply, at: number | undefined) => void
  readonly failure: (problem: string) => CacheError
}

export type OnRefused = (reads: ReadonlyArray<Read>, error: CacheError, at: number | undefined) => void

/** The reads of a connection that wait for its flush. */
export class Gathered {
  private readonly wire: Wire
  private readonly onRefused: OnRefused | undefined
  private reads = new Map<string, Read>()
  /** Each by a `GET`, because the server is a node of a cluster, although nobody said so. */
  private apart = false

  constructor(wire: Wire, onRefused: OnRefused | undefined) {
    this.wire = wire
    this.onRefused = onRefused
  }

  get size(): number {
    return this.reads.size
  }

  /** Whether they fill a command. On Cluster a command reads one slot, and they are seldom of one. */
  get full(): boolean {
    return this.reads.size >= batchKeys && this.onRefused === undefined && !this.apart
  }

  add(name: string, slot: number, reader: Reader): Read {
    const known = this.reads.get(name)
    if (known !== undefined) {
      known.share(reader)
      return known
    }
    const read = new Read(name, slot, reader)
    this.reads.set(name, read)
    return read
  }

  /** Makes commands of them all, behind what is queued. From now on nobody shares them. */
  flush(): void {
    if (this.reads.size === 0) return
    const all = [...this.reads.values()]
    this.reads = new Map()
    for (const group of this.groupsOf(all)) {
      const keys = group.map(({ name }) => name)
      const reply: Reply = (error, values, _, at) => this.deliver(group, error, values, at)
      this.wire.queue(keys.length === 1 ? "get" : "mget", keys, reply)
    }
  }

  private groupsOf(reads: ReadonlyArray<Read>): ReadonlyArray<ReadonlyArray<Read>> {
    if (this.apart) return reads.map((read) => [read])
    if (this.onRefused === undefined) return cut(reads)
    const slots = new Map<number, Array<Read>>()
    for (const read of reads) {
      const group = slots.get(read.slot)
      if (group === undefined) slots.set(read.slot, [read])
      else group.push(read)
    }
    return [...slots.values()].flatMap(cut)
  }

  private deliver(
    reads: ReadonlyArray<Read>,
    error: CacheError | undefined,
    values: unknown,
    at: number | undefined
  ): void {
    if (error !== undefined) return this.refused(reads, error, at)
    if (reads.length === 1) return reads[0]!.answer(undefined, values)
    if (!Array.isArray(values) || values.length !== reads.length) {
      return this.refused(reads, this.wire.failure("what came back from MGET are not the values asked for"), at)
    }
    for (let i = 0; i < reads.length; i++) reads[i]!.settle(undefined, values[i])
  }

  private refused(reads: ReadonlyArray<Read>, error: CacheError, at: number | undefined): void {
    if (this.onRefused !== undefined) return this.onRefused(reads, error, at)
    if (reads.length === 1) return reads[0]!.answer(error, undefined)
    if (!isServerError(error, "CROSSSLOT")) {
      for (const read of reads) read.settle(error, undefined)
      return
    }
    this.apart = true
    for (const read of reads) {
      this.wire.again("get", [read.name], (failed, value) => read.answer(failed, value), at)
    }
  }
}

const cut = (reads: ReadonlyArray<Read>): ReadonlyArray<ReadonlyArray<Read>> => {
  if (reads.length <= batchKeys) return [reads]
  const groups: Array<ReadonlyArray<Read>> = []
  for (let i = 0; i < reads.length; i += batchKeys) groups.push(reads.slice(i, i + batchKeys))
  return groups
}
