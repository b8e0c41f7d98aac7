/**
 * Callers of a flight that do not wait for ever: one timer for all that wait equally long.
 */
import { Clock, Effect, type Fiber } from "effect"
import { monotonicMillis } from "../internal/processTime.ts"
import type { Plan } from "./contract.ts"

/** How long callers wait altogether, and when that is over. */
export interface Limit {
  readonly millis: number
  /** In monotonic milliseconds. */
  readonly deadline: number
}

/** By default longer than a lease, so that the take-over after a crash comes first; a short wait makes a stampede of long loads. */
const leastDefaultMillis = 30_000

/** What tells how long callers wait. */
export type Patience = Pick<Plan, "leaseMillis" | "wait">

/** Whether callers of the one wait exactly as those of the other. */
export const equallyPatient = (a: Patience, b: Patience): boolean =>
  a === b ||
  (a.leaseMillis === b.leaseMillis &&
    (a.wait === undefined) === (b.wait === undefined) &&
    a.wait?.timeoutMillis === b.wait?.timeoutMillis &&
    a.wait?.onTimeout === b.wait?.onTimeout)

/** How long the callers of a plan wait for others that load; `undefined`: as long as it takes. */
export const limitOf = (
  { leaseMillis, wait }: Patience,
  defaultLeaseMillis: number,
  now: number
): Limit | undefined => {
  if (wait === undefined) return undefined
  const lease = leaseMillis ?? Math.max(leastDefaultMillis, defaultLeaseMillis)
  const millis = wait.timeoutMillis ?? lease + 1_000
  return { millis, deadline: now + millis }
}

export interface Impatient {
  readonly limit: Limit | undefined
  /** Its deadline has passed. Must not throw. */
  readonly late: () => void
}

interface Alarm {
  /** In the order of their deadlines. */
  readonly queue: Set<Impatient>
  /** Until when the last that came waits. */
  last: number
  readonly fiber: Fiber.Fiber<void>
}

/** More than these hear of it in turns of their own. */
const toldInATurn = 256

export class Alarms {
  /** Those who wait equally long share one. Each ends later than those made after it, so they are as few as can be. */
  readonly #alarms = new Set<Alarm>()

  /** `fiber` has its clock. */
  add(who: Impatient, fiber: Fiber.Fiber<unknown, unknown>): void {
    const { deadline } = who.limit!
    for (const alarm of this.#alarms) {
      if (alarm.last > deadline) continue
      alarm.queue.add(who)
      alarm.last = deadline
      return
    }
    const queue = new Set([who])
    const clock = fiber.getRef(Clock.Clock)
    const ring: Effect.Effect<void> = Effect.suspend(() => {
      let budget = toldInATurn
      for (const who of queue) {
        const left = who.limit!.deadline - monotonicMillis(clock)
        if (left > 0) return Effect.andThen(Effect.sleep(left), ring)
        if (budget-- === 0) return Effect.andThen(Effect.yieldNow, ring)
        queue.delete(who)
        who.late()
      }
      this.#alarms.delete(alarm)
      return Effect.void
    })
    const alarm: Alarm = {
      queue,
      last: deadline,
      // Not at once: it may ring before it is known here.
      fiber: Effect.runForkWith(fiber.context as never)(Effect.andThen(Effect.yieldNow, ring))
    }
    this.#alarms.add(alarm)
  }

  delete(who: Impatient): void {
    for (const alarm of this.#alarms) {
      if (!alarm.queue.delete(who)) continue
      if (alarm.queue.size > 0) return
      this.#alarms.delete(alarm)
      alarm.fiber.interruptUnsafe()
      return
    }
  }

  stop(): void {
    for (const { fiber } of this.#alarms) fiber.interruptUnsafe()
    this.#alarms.clear()
  }
}
