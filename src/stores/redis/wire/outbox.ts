/**
 * Commands that wait to be sent. So many may be under way at once; more of them wait for answers, so that a burst of any size
 * neither holds the event loop nor waits under one deadline. How long they wait here is bounded, and looked at with the
 * deadlines of the others: after the replies that arrived were read, and what they make room for was sent. Time in which this
 * process stood still does not count: nothing could be sent in it, however fast the server is.
 */
import type { Job } from "./job.ts"

/** Commands under way on a connection: some milliseconds of either side, and more than any round trip needs to be filled. */
const inFlightMax = 1_000

/** So many deadlines a command waits to be sent. Where more is asked for than a server can answer, what waits must not grow. */
const heldDeadlines = 5

/** So many fail in one turn of the event loop: their callers go on at once, and a burst may be of any size. */
const failedAtOnce = 256

const none: ReadonlyArray<Job> = []

export class Outbox {
  private readonly millis: number
  private readonly fail: (late: Job) => void
  /** Their time runs already, because they were sent elsewhere first: they go out before all others, in their order. */
  private readonly ahead: Array<Job> = []
  private jobs: Array<Job> = []
  /** So many of `jobs` were left behind when others were taken. What waits for its turn of the event loop only is not late. */
  private left = 0
  /** Have waited for too long: to be failed, and never sent. */
  private readonly overdue: Array<Job> = []
  private flying = 0

  /** `fail` must set `done`. */
  constructor(timeoutMillis: number, fail: (late: Job) => void) {
    this.millis = timeoutMillis
    this.fail = fail
  }

  get size(): number {
    return this.ahead.length + this.jobs.length + this.overdue.length
  }

  /** Whether one more would have to wait for others to be answered. */
  get full(): boolean {
    return this.flying + this.size >= inFlightMax
  }

  add(job: Job, redirected: boolean): void {
    if (redirected) this.ahead.push(job)
    else this.jobs.push(job)
  }

  /** As many as may be under way. For those that were held the time counts from `now`. */
  take(now: number, replies: number): ReadonlyArray<Job> {
    const room = Math.max(0, inFlightMax - this.flying)
    const first = this.ahead.length > 0 ? this.ahead.splice(0, room) : none
    // ASKING speaks for the command that comes next, whosever it is: its own goes with it, also where there was room for one.
    const pair = first.length > 0 && first[first.length - 1]!.name === "asking" ? this.ahead.splice(0, 1) : none
    const batch = this.jobs.splice(0, Math.max(0, room - first.length - pair.length))
    this.left = this.jobs.length
    for (const job of batch) {
      if (!job.held) continue
      job.at = job.arrived = now
      job.seen = replies
    }
    return first.length > 0 ? [...first, ...pair, ...batch] : batch
  }

  sent(): void {
    this.flying++
  }

  answered(): void {
    this.flying--
  }

  /**
   * Finds those that are held for too long, oldest first, and drops those that are done. `open`: the connection is, so they wait
   * for others to be answered; otherwise for the connect, and no longer than any other. `silent`: nobody is answered.
   */
  expire(now: number, open: boolean, silent: boolean): void {
    const { ahead, jobs } = this
    const since = now - (open && !silent ? heldDeadlines : 1) * this.millis
    const end = open ? this.left : jobs.length
    let late = 0
    while (late < end && (jobs[late]!.done || (jobs[late]!.held && jobs[late]!.at <= since))) late++
    if (late > 0) {
      for (const job of jobs.splice(0, late)) if (!job.done) this.overdue.push(job)
      this.left = Math.max(0, this.left - late)
    }
    while (ahead[0]?.done) ahead.shift()
  }

  /** Fails some of those that are held for too long. Gives the time of the next look. This one comes so much later than it was due. */
  look(now: number, open: boolean, late: number): number {
    // Seldom enough to go through all of them.
    if (late >= this.millis) for (const job of this.jobs) if (job.held) job.at = Math.min(now, job.at + late)
    this.expire(now, open, false)
    if (this.overdue.length > 0) for (const job of this.overdue.splice(0, failedAtOnce)) this.fail(job)
    if (this.overdue.length > 0) return now
    const oldest = this.jobs[0]
    return oldest === undefined ? Infinity : oldest.at + (open ? heldDeadlines : 1) * this.millis
  }

  /** Takes out all. */
  clear(): ReadonlyArray<Job> {
    const all = [...this.overdue.splice(0), ...this.ahead.splice(0), ...this.jobs]
    this.jobs = []
    this.left = 0
    return all
  }
}
