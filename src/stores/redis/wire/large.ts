/**
 * Values that are too large for the deadline: such a one is loaded anew with every call, and nothing else would say why.
 *
 * - A fill: its bytes are known when it is sent. That one is late may have many reasons; that it happens again, while the server
 *   answers others, has this one.
 * - A read: nobody knows how large a reply is before it is there, but what has arrived since the last whole one belongs to the
 *   next. This is looked at only while reads are late, because it costs something with every reply.
 */
import type { Socket } from "node:net"
import type { Job } from "./job.ts"
import type { Reports } from "./reports.ts"

/** What is smaller is not late because of its size. */
const leastBytes = 65_536
/** A fill of so many bytes, or of fewer that are still being sent. */
const largeBytes = 1_048_576
/** How many replies are looked at after a read was late. */
const watched = 10_000

const MiB = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`

/** The kind of key, without what tells one from the other. */
const kindOf = (name: unknown): string => String(name).replace(/\{([^:}]*:)?.*\}?$/, "{$1…}")

const namesOf = ({ args, name }: Job): string => {
  // The second key of a script is the entry, if it has more than one.
  if (name !== "mget") return kindOf(name.startsWith("eval") ? args[1 + Math.min(Number(args[1]), 2)] : args[0])
  const kinds = [...new Set(args.map(kindOf))]
  return `${args.length} values, ${kinds.slice(0, 3).join(", ")}${kinds.length > 3 ? ", …" : ""}`
}

export class Large {
  private readonly reports: Reports
  private readonly millis: number
  /** How many replies there were when a fill was late. */
  private filledAt: number | undefined
  private watching = 0
  /** The bytes that had arrived with the last whole reply. */
  private before = 0

  constructor(reports: Reports, timeoutMillis: number) {
    this.reports = reports
    this.millis = timeoutMillis
  }

  /** A reply is whole, or the connection is new. */
  replied(stream: Socket | undefined): void {
    if (this.watching === 0) return
    this.watching--
    this.before = stream?.bytesRead ?? 0
  }

  /** How much of a reply has arrived, if that is known. */
  arrived(stream: Socket | undefined): number {
    return this.watching === 0 || stream === undefined ? 0 : stream.bytesRead - this.before
  }

  /** The command whose reply comes next has missed its deadline. */
  late(job: Job, stream: Socket | undefined, replies: number): void {
    if (job.operation === "fill") this.lateFill(job, stream, replies)
    else if (job.operation === "read") this.lateRead(job, stream)
  }

  private lateFill(job: Job, stream: Socket | undefined, replies: number): void {
    let bytes = 0
    for (const arg of job.args) if (Buffer.isBuffer(arg)) bytes += arg.length
    if (bytes < largeBytes && (bytes < leastBytes || !stream?.writableLength)) return
    const before = this.filledAt
    this.filledAt = replies
    if (before === undefined || before === replies) return
    this.reports.large(
      `a value of ${MiB(bytes)} was not stored within its deadline of ${this.millis} ms, and not for the first time ` +
        `(${namesOf(job)})`
    )
  }

  private lateRead(job: Job, stream: Socket | undefined): void {
    const bytes = this.arrived(stream)
    if (this.watching === 0) this.before = stream?.bytesRead ?? 0
    this.watching = watched
    if (bytes < leastBytes) return
    this.reports.large(
      `after its deadline of ${this.millis} ms a read is still arriving, ${MiB(bytes)} so far (${namesOf(job)})`
    )
  }
}
