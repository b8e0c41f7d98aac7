/**
 * Leases of loads that have been in the way for longer than they should: their holder died, or its load hangs.
 */
import type { Clock } from "effect"
import { monotonicMillis } from "../internal/processTime.ts"
import { isWrite } from "../protocol/lease.ts"

interface Suspect {
  /** `undefined`: it has ended, or was taken over. */
  token: string | undefined
  /** When somebody here had loaded without storing because of it, or had waited for as long as it wanted. Monotonic. */
  since: number
  /** How often this process took it over lately: each time it waits twice as long, so that a load that takes long is stored. */
  times: number
}

/** The oldest are forgotten: their leases are waited for as if they were new. */
const maxSuspects = 10_000

/** The longest wait is this power of two, in leases: some minutes by default. */
const maxTimes = 6

/** What was taken over so many waits ago is as if it had never been. */
const forgottenAfter = 10

export class Suspects {
  readonly #byKey = new Map<string, Suspect>()

  /**
   * Never a write's: a writer that died must leave an empty slot for as long as its lease lasts, because it may have stood still
   * before its commit.
   */
  note(key: string, token: string | undefined, leaseMillis: number, clock: Clock.Clock): void {
    if (token === undefined || isWrite(token)) return
    const before = this.#byKey.get(key)
    if (before?.token === token) return
    const now = monotonicMillis(clock)
    const lately = before !== undefined && now - before.since < forgottenAfter * leaseMillis * 2 ** before.times
    this.#byKey.delete(key)
    this.#byKey.set(key, { token, since: now, times: lately ? before.times : 0 })
    if (this.#byKey.size <= maxSuspects) return
    for (const oldest of this.#byKey.keys()) {
      this.#byKey.delete(oldest)
      return
    }
  }

  /** Whether it was noted a lease ago, or longer if it was taken over before. */
  isOverdue(key: string, token: string | undefined, leaseMillis: number, clock: Clock.Clock): boolean {
    const suspect = this.#byKey.get(key)
    return (
      suspect !== undefined &&
      suspect.token === token &&
      token !== undefined &&
      monotonicMillis(clock) - suspect.since >= leaseMillis * 2 ** suspect.times
    )
  }

  /** It was taken over, or had ended already. */
  ended(key: string, token: string, takenOver: boolean, clock: Clock.Clock): void {
    const suspect = this.#byKey.get(key)
    // Others may have been told before, and have noted another one since.
    if (suspect?.token !== token) return
    suspect.token = undefined
    if (!takenOver) return
    suspect.since = monotonicMillis(clock)
    suspect.times = Math.min(maxTimes, suspect.times + 1)
  }
}
