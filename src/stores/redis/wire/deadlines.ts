/**
 * Those that wait for a reply, and one timer for all of their deadlines. All last equally long, so those that have begun stand
 * in the order in which they began: the first is the first to expire. That is nearly the order in which they were sent, and so
 * answered. What is held back has no deadline yet; it is counted here, and each look asks for it.
 */
export interface Waiting {
  /** When its deadline began, in milliseconds of the monotonic clock. Does not change any more once it stands here. */
  readonly at: number
  done: boolean
}

export class Deadlines<W extends Waiting> {
  private readonly millis: number
  private readonly onLate: (late: W, now: number) => void
  private readonly onLook: (now: number, late: number) => number
  private waiting: Array<W> = []
  // What is before it is done. What is done out of order is skipped.
  private head = 0
  private live = 0
  private timer: NodeJS.Timeout | undefined
  /** When the timer is to fire, and when it did. */
  private due = 0
  private fired = 0
  private drained: (() => void) | undefined

  /**
   * `onLate` must set `done` and call `ended`. `onLook` is called after each look at what is late, for what is held back, and
   * told how much later than due the look comes; it gives the time of the next that it needs.
   */
  constructor(millis: number, onLate: (late: W, now: number) => void, onLook: (now: number, late: number) => number) {
    this.millis = millis
    this.onLate = onLate
    this.onLook = onLook
  }

  /** How many wait. */
  get size(): number {
    return this.live
  }

  /** One more waits, since `at`. Its deadline may begin later. */
  asked(at: number): void {
    if (this.live++ > 0) return
    if (this.timer === undefined) this.lookAt(at + this.millis, performance.now())
    else this.timer.ref()
  }

  /** The deadline of one that waits begins with its `at`. It is the newest, or has waited elsewhere before and is a little older. */
  begin(one: W): void {
    const { waiting } = this
    let place = waiting.length
    while (place > this.head && waiting[place - 1]!.at > one.at) place--
    if (place === waiting.length) waiting.push(one)
    else waiting.splice(place, 0, one)
    // Without a timer a look is under way, or comes in this turn.
    if (this.timer !== undefined && one.at + this.millis < this.due) {
      this.lookAt(one.at + this.millis, performance.now())
    }
  }

  /** One of them is done. */
  ended(): void {
    const { waiting } = this
    let head = this.head
    while (head < waiting.length && waiting[head]!.done) head++
    if (head === waiting.length) {
      if (head > 0) this.waiting = []
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

  /** Those whose deadline has begun, oldest first; may have some that are done. */
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

  private lookAt(due: number, now: number): void {
    clearTimeout(this.timer)
    this.due = Math.max(due, now)
    this.timer = setTimeout(this.onTimer, Math.max(1, Math.ceil(due - now)))
  }

  // After a long turn of the event loop, timers run before the replies that already arrived are read: look at those
  // first, then decide who is late.
  private readonly onTimer = (): void => {
    this.timer = undefined
    this.fired = performance.now()
    if (this.live > 0) setImmediate(this.look)
  }

  private readonly look = (): void => {
    if (this.timer !== undefined) return
    const { fired, millis } = this
    // Whoever read one of those replies may have held the loop, and more have arrived since the timer fired.
    for (;;) {
      const oldest = this.waiting[this.head]
      if (oldest === undefined || oldest.at + millis > fired) break
      this.onLate(oldest, fired)
    }
    const now = performance.now()
    const held = this.onLook(now, now - this.due)
    if (this.live === 0) return
    // A deadline that begins after this look ends after the next.
    this.lookAt(Math.min(this.waiting[this.head]?.at ?? now, now, held - millis) + millis, now)
  }
}
