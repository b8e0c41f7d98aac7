/**
 * The time that lifetimes in this process are counted by. It begins as that of the wall clock, and then advances by as much as
 * the wall clock or the monotonic one does, whichever says more: never back, and never slower than either of them, but for
 * the 2 ms by which it may be late for the monotonic one.
 *
 * - A wall clock that is put back prolongs nothing: the monotonic one goes on.
 * - A machine that was suspended wakes with its monotonic clock where it was; the wall clock tells how long that took.
 * - A wall clock that is put ahead ends early what was stored before, and is not waited for once it is put right.
 *
 * So this time may be ahead of the wall clock, for good. It is compared with itself alone; what leaves the process (headers of
 * entries, ages of responses) bears that of the wall clock.
 */
import { Clock, Context, Effect } from "effect"

/**
 * How far the monotonic clock may lag. A wall clock tells whole milliseconds: if nothing were allowed, each of them would count
 * once by one clock and once more by the other.
 */
const lagMillis = 2

export const liveClock: Clock.Clock = Context.get(Context.empty(), Clock.Clock)

/** Milliseconds that no setting of the wall clock moves. They stand still while a machine is suspended. */
export const monotonicMillis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

class ProcessTime {
  /** The wall clock when it was looked at last. */
  wall = Number.NaN
  now = Number.NEGATIVE_INFINITY
  /** How far this time is ahead of each clock. They only grow. */
  private aheadOfWall = 0
  private aheadOfMonotonic = Number.NEGATIVE_INFINITY

  /** Now, when the wall clock says `wall`. */
  advance(clock: Clock.Clock, wall: number): number {
    const monotonic = monotonicMillis(clock)
    const byWall = wall + this.aheadOfWall
    const byMonotonic = monotonic + this.aheadOfMonotonic
    // Comparisons, and no `Math.max`: what a broken clock gives, no number, changes nothing.
    if (byWall > this.now) this.now = byWall
    if (byMonotonic > this.now) this.now = byMonotonic
    if (this.now > byWall) this.aheadOfWall = this.now - wall
    if (this.now - byMonotonic > lagMillis) this.aheadOfMonotonic = this.now - monotonic
    this.wall = wall
    return this.now
  }
}

const live = new ProcessTime()
const others = new WeakMap<Clock.Clock, ProcessTime>()

/** The time of this process, for who has just looked at the wall clock. */
export const processMillisAt = (clock: Clock.Clock, wall: number): number => {
  // Hits ask for it, so the system's monotonic clock is looked at once a millisecond.
  if (clock === liveClock) return wall === live.wall ? live.now : live.advance(clock, wall)
  let time = others.get(clock)
  if (time === undefined) others.set(clock, (time = new ProcessTime()))
  return time.advance(clock, wall)
}

/** The time of this process, in milliseconds. */
export const processMillis = (clock: Clock.Clock): number => processMillisAt(clock, clock.currentTimeMillisUnsafe())

export const processNow: Effect.Effect<number> = Clock.clockWith((clock) => Effect.succeed(processMillis(clock)))
