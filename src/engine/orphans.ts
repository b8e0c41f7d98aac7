/**
 * Leases that may be held although nobody works under them: the command that took them, or the one that was to give them
 * back, was not answered in time. A server that was only slow carries out the first all the same, and without this the
 * key would then be locked for as long as the lease lasts.
 *
 * Their tokens are done with, and a release compares the token, so giving one back too often harms nobody.
 */
import { Clock, Effect, Exit, Fiber } from "effect"
import { monotonicMillis } from "../internal/processTime.ts"
import type { CacheBackend } from "../services/CacheBackend.ts"

interface Orphan {
  readonly key: string
  readonly token: string
  /** When the lease has ended by itself, in monotonic milliseconds: a wall clock that is set does not end it. */
  readonly until: number
}

/** More of them are left to their time to live. */
const maxOrphans = 10_000

const pauseMillis = 250

export class Orphans {
  readonly #backend: CacheBackend["Service"]
  readonly #orphans = new Map<string, Orphan>()
  #sweeper: Fiber.Fiber<void> | undefined
  #closed = false

  constructor(backend: CacheBackend["Service"]) {
    this.#backend = backend
  }

  /** Gives the lease back, in the background, as soon as the store answers. */
  add(key: string, token: string, leaseMillis: number): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      if (!this.#closed && this.#orphans.size < maxOrphans) {
        const until = monotonicMillis(fiber.getRef(Clock.Clock)) + leaseMillis
        this.#orphans.set(token, { key, token, until })
        if (this.#sweeper === undefined) {
          const sweeper = Effect.runForkWith(fiber.context as never)(this.#sweep)
          this.#sweeper = sweeper
          sweeper.addObserver(() => {
            this.#sweeper = undefined
          })
        }
      }
      return Effect.void
    })
  }

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#closed = true
    this.#orphans.clear()
    return this.#sweeper === undefined ? Effect.void : Fiber.interrupt(this.#sweeper)
  })

  /** Whether the store answered. */
  #release(orphan: Orphan): Effect.Effect<boolean> {
    return Effect.clockWith((clock) => {
      const release =
        orphan.until <= monotonicMillis(clock)
          ? Effect.void
          : Effect.asVoid(this.#backend.release(orphan.key, orphan.token, "keep"))
      return Effect.map(Effect.exit(release), (exit) => {
        if (Exit.isFailure(exit)) {
          // To the end of the line: the next try is for another, whose shard may answer.
          if (this.#orphans.delete(orphan.token)) this.#orphans.set(orphan.token, orphan)
          return false
        }
        this.#orphans.delete(orphan.token)
        return true
      })
    })
  }

  readonly #sweep: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    while (this.#orphans.size > 0) {
      const [first, ...others] = [...this.#orphans.values()]
      // One asks whether the store is there; the others do not wait for their deadlines if it is not.
      if (yield* this.#release(first!)) {
        yield* Effect.forEach(others, (orphan) => this.#release(orphan), { concurrency: 100, discard: true })
      }
      if (this.#orphans.size > 0) yield* Effect.sleep(pauseMillis)
    }
  })
}
