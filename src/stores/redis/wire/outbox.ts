/**
 * Commands that wait to be sent. So many may be under way at once; more of them wait for answers, so that a burst of any size
 * neither holds the event loop nor waits under one deadline.
 */
import type { Job } from "./job.ts"

/** Commands under way on a connection: some milliseconds of either side, and more than any round trip needs to be filled. */
const inFlightMax = 1_000

/** So many deadlines a command waits to be sent. Where more is asked for than a server can answer, what waits must not grow. */
const heldDeadlines = 5

export class Outbox {
  private jobs: Array<Job> = []
  private flying = 0

  get size(): number {
    return this.jobs.length
  }

  /** Whether one more would have to wait for others to be answered. */
  get full(): boolean {
    return this.flying + this.jobs.length >= inFlightMax
  }

  add(job: Job): void {
    this.jobs.push(job)
  }

  /** As many as may be under way. For those that were held the time counts from `now`. */
  take(now: number, replies: number): ReadonlyArray<Job> {
    const batch = this.jobs.splice(0, Math.max(0, inFlightMax - this.flying))
    for (const job of batch) {
      if (!job.held) continue
      job.at = now
      job.seen = replies
    }
    return batch
  }

  /** Whether it is held back for longer: then it is looked at again a deadline later. */
  holds(job: Job, now: number, timeoutMillis: number): boolean {
    if (!job.held || job.command !== undefined || now - job.asked >= heldDeadlines * timeoutMillis) return false
    job.at = now
    return true
  }

  sent(): void {
    this.flying++
  }

  answered(): void {
    this.flying--
  }

  /** Takes out those that are done from the front: the oldest. */
  trim(): void {
    let gone = 0
    while (gone < this.jobs.length && this.jobs[gone]!.done) gone++
    if (gone > 0) this.jobs.splice(0, gone)
  }

  /** Takes out those that are held since before `since`. */
  heldSince(since: number): ReadonlyArray<Job> {
    let late = 0
    while (late < this.jobs.length && this.jobs[late]!.held && this.jobs[late]!.at <= since) late++
    return this.jobs.splice(0, late)
  }

  clear(): void {
    this.jobs = []
  }
}
