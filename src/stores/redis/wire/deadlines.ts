/**
 * What waits for a reply, in the order in which it was asked for. Replies arrive in the order of commands and all share one
 * timeout, so the first is the first to expire, and one timer is enough. Of what is held back `at` moves on, and all behind it
 * waits as long.
 */
export interface Waiting {
  /** When its deadline began, in milliseconds of the monotonic clock. */
  readonly at: number
  done: boolean
}

export class Deadlines<W extends Waiting> {
  private readonly millis: number
  /** Must set `done` and call `ended`, or move `at` on. */
  private readonly onLate: (late: W, now: number) => void
  private readonly onLook: () => void
  private waiting: Array<W> = []
  // What is before it is done. What is done out of order is skipped.
  private head = 0
  private live = 0
  private timer: NodeJS.Timeout | undefined
  private drained: (() => void) | undefined

  /** `onLook` is called after each look at what is late. */
  constructor(millis: number, onLate: (late: W, now: number) => void, onLook: () => void) {
    this.millis = millis
    this.onLate = onLate
    this.onLook = onLook
  }

  /** How many wait. */
  get size(): number {
    return this.live
  }

  /** The newest of all. */
  push(one: W): void {
    this.waiting.push(one)
    if (this.live++ > 0) return
    if (this.timer === undefined) this.timer = setTimeout(this.onTimer, this.millis)
    else this.timer.ref()
  }

  /** One that has waited elsewhere before, and so is a little older than the newest. */
  insert(one: W): void {
    const { waiting } = this
    let at = waiting.length
    while (at > this.head && waiting[at - 1]!.at > one.at) at--
    waiting.splice(at, 0, one)
    this.live++
    if (at > this.head && this.timer !== undefined) return
    clearTimeout(this.timer)
    // Not by itself: when a look is due, the oldest are late already.
    this.lookAt(waiting[this.head]!.at + this.millis - performance.now())
  }

  /** One of them is done. */
  ended(): void {
    const { waiting } = this
    let head = this.head
    while (head < waiting.length && waiting[head]!.done) head++
    if (head === waiting.length) {
      this.waiting = []
      head = 0
    } else if (head > 1024 && head * 2 > waiting.length) {
      this.waiting = waiting.slice(head)
      head = 0
    }
    this.head = head
    if (--this.live > 0) return
    this.timer?.unref()
    this.drained?.()
  }

  /** Those that wait, oldest first; may have some that are done. */
  all(): ReadonlyArray<W> {
    return this.waiting.slice(this.head)
  }

  /** Calls `done` when none waits. */
  whenDrained(done: () => void): void {
    if (this.live === 0) done()
    else this.drained = done
  }

  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private lookAt(inMillis: number): void {
    this.timer = setTimeout(this.onTimer, Math.max(1, Math.ceil(inMillis)))
  }

  // After a long turn of the event loop, timers run before the replies that already arrived are read: look at those
  // first, then decide who is late.
  private readonly onTimer = (): void => {
    this.timer = undefined
    if (this.live > 0) setImmediate(this.look)
  }

  private readonly look = (): void => {
    if (this.timer !== undefined) return
    const now = performance.now()
    for (;;) {
      const oldest = this.waiting[this.head]
      if (oldest === undefined) break
      const left = oldest.at + this.millis - now
      if (left > 0) {
        this.lookAt(left)
        break
      }
      this.onLate(oldest, now)
    }
    this.onLook()
  }
}
