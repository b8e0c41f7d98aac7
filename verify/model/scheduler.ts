/**
 * Effect's scheduler and clock, under the model's control: nothing runs and no time passes unless the explorer says so.
 */
import { type Clock, Duration, Effect } from "effect"

/** Runs fibers in the order they became ready, and only when `flush` is called. All fibers of a world share one. */
export class Turns {
  readonly executionMode = "sync"
  /** A fiber may have to let the others go on between any two of its steps. */
  yields = false
  #drawn = 1
  #ready: Array<() => void> = []

  get idle(): boolean {
    return this.#ready.length === 0
  }

  shouldYield(fiber: { readonly currentOpCount: number }): boolean {
    if (!this.yields || fiber.currentOpCount < 3) return false
    this.#drawn = (Math.imul(this.#drawn, 1_103_515_245) + 12_345) & 0x7fffffff
    return this.#drawn % 65_536 < 16_384
  }

  makeDispatcher(): this {
    return this
  }

  scheduleTask(task: () => void): void {
    this.#ready.push(task)
  }

  flush(): void {
    while (this.#ready.length > 0) {
      const ready = this.#ready
      this.#ready = []
      for (const task of ready) task()
    }
  }
}

interface Timer {
  readonly at: number
  readonly resume: (effect: Effect.Effect<void>) => void
}

/** The clock of one process. It stands still until `pass` takes it to its next timer. */
export class StandingClock implements Clock.Clock {
  #now = 0
  #timers: Array<Timer> = []

  get waiting(): boolean {
    return this.#timers.length > 0
  }

  /** Lets time pass until the next timer, and fires it. */
  pass(): void {
    const next = this.#timers.reduce((first, timer) => (timer.at < first.at ? timer : first))
    this.#timers = this.#timers.filter((timer) => timer !== next)
    this.#now = next.at
    next.resume(Effect.void)
  }

  currentTimeMillisUnsafe(): number {
    return this.#now
  }

  currentTimeNanosUnsafe(): bigint {
    return BigInt(this.#now) * 1_000_000n
  }

  monotonicTimeNanosUnsafe(): bigint {
    return this.currentTimeNanosUnsafe()
  }

  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.callback((resume) => {
      // Whole milliseconds, as timers take them.
      const timer = { at: this.#now + Math.max(1, Math.ceil(Duration.toMillis(duration))), resume }
      this.#timers.push(timer)
      return Effect.sync(() => {
        this.#timers = this.#timers.filter((other) => other !== timer)
      })
    })
  }
}
