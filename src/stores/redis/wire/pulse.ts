/**
 * The signs of life of a connection: what was sent and not answered yet, since when the server says nothing, and whether
 * nobody was asking anything when it was closed. That is no outage: servers (`timeout`), proxies and load balancers close
 * what is idle. Nothing was lost by it, and what is asked next is answered after the reconnect. A `PING` is nobody's question.
 */
import type { Context } from "effect"
import { tripTimes } from "../../../observe/trips.ts"
import type { Job } from "./job.ts"
import type { ConnectionOptions } from "./redisClient.ts"

/** The time a connection may owe all its replies before it is given up: this many deadlines, and at least so long. */
const silentDeadlines = 5
const silentMillis = 3000

/** So long nothing was asked for on a connection that is idle. One that is closed in the middle of work is an outage. */
export const idleMillis = 500

type PulseOptions = Pick<ConnectionOptions, "othersReport" | "timeoutMillis">

export class Pulse {
  /** How many replies there were. */
  replies = 0
  /** When something was last sent. */
  usedAt = Number.NEGATIVE_INFINITY
  private readonly limit: number
  /** Told how long a flush took, when the last of its replies has come. */
  private readonly tripped: (millis: number) => void
  private last: Job | undefined = undefined
  private owed = 0
  /** Replies are not to be had any more. */
  private broken = false
  private silentFrom: number | undefined
  /** Those that are owed beyond their deadline. */
  private readonly late = new Set<Job>()

  constructor({ othersReport, timeoutMillis }: PulseOptions, context: Context.Context<never>) {
    this.tripped = tripTimes(context, "redis", othersReport === undefined ? "main" : "durable")
    this.limit = Math.max(silentMillis, silentDeadlines * timeoutMillis)
  }

  opened(now: number): void {
    this.usedAt = now
    this.broken = false
    this.silentFrom = undefined
    this.late.clear()
  }

  sent(job: Job): void {
    this.last = job
    if (job.name !== "ping") this.owed++
  }

  /** What was sent since the last time is a flush, and is written by now. */
  flushed(): void {
    if (this.last !== undefined) this.last.flushedAt = performance.now()
    this.last = undefined
  }

  /** It came to nothing. */
  unsent({ name }: Job): void {
    if (name !== "ping") this.owed--
  }

  /** Whatever comes, late or not, the server is not silent. */
  answered(job: Job, error: Error | null | undefined): void {
    this.replies++
    this.silentFrom = undefined
    if (this.late.size > 0) this.late.delete(job)
    if (job.name === "ping") return
    this.owed--
    // Any other error is the client's own: the connection was lost.
    if (error && error.name !== "ReplyError") this.broken = true
    else if (job.flushedAt !== 0) this.tripped(performance.now() - job.flushedAt)
  }

  /** One has missed its deadline. `true`: the reply that comes next is its own. */
  missed(job: Job): boolean {
    // Bytes alone are no sign of life: a reply that never ends would keep the connection for ever.
    if (job.seen !== this.replies) this.silentFrom = undefined
    else this.silentFrom ??= job.arrived
    if (job.command === undefined) return false
    this.late.add(job)
    return this.late.size === 1
  }

  /** A peer that vanished without a word keeps its socket open for many minutes. */
  isSilent(now: number): boolean {
    return this.silentFrom !== undefined && now - this.silentFrom > this.limit
  }

  isIdle(now: number): boolean {
    return this.owed === 0 && !this.broken && now - this.usedAt >= idleMillis
  }
}
