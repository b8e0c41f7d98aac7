/**
 * The call of a cached function, as an effect.
 */
import { type Effect, Effectable, Exit, Fiber } from "effect"
import { SingleShotGen } from "effect/Utils"
import type { CacheEntry } from "../CacheEntry.ts"
import type { Plan } from "../internal/client/load.ts"
import type { AnyEffect } from "../internal/erased.ts"
import { momentOf } from "../internal/moment.ts"

/** What the calls of one cached function share. */
export interface Reader {
  readonly region: Plan["region"]
  readonly build: (args: ReadonlyArray<unknown>) => string
  /** The call as an effect that does everything. */
  readonly otherwise: (...args: ReadonlyArray<unknown>) => AnyEffect
}

/**
 * One call of a cached function: an effect for which a hit in memory is one step. Where a generator runs it by `yield*`, it is
 * no step at all: the hit is found in the iterator, in the middle of the run of the fiber that asks, and the run loop is not
 * told. Whatever is not such a hit goes the usual way, which decides everything anew.
 */
export class Read {
  readonly reader: Reader
  readonly args: ReadonlyArray<unknown>
  constructor(reader: Reader, args: ReadonlyArray<unknown>) {
    this.reader = reader
    this.args = args
  }

  find(fiber: Fiber.Fiber<unknown, unknown>): CacheEntry | undefined {
    const moment = momentOf(fiber)
    const { client } = moment
    if (client === undefined) return undefined
    const { build, region } = this.reader
    let key: string
    try {
      key = build(this.args)
    } catch {
      return undefined
    }
    return client.hit(region, key, moment)
  }

  [Symbol.iterator](): Iterator<unknown, unknown> {
    const fiber = Fiber.getCurrent()
    if (fiber !== undefined && takeStep(fiber)) {
      const entry = this.find(fiber)
      if (entry !== undefined) return new Done(entry.value)
    }
    return new SingleShotGen(this)
  }
}
Object.setPrototypeOf(
  Read.prototype,
  Effectable.Prototype<Effect.Effect<unknown, unknown, unknown> & Read>({
    label: "Read",
    evaluate(fiber) {
      const entry = this.find(fiber)
      return entry === undefined ? this.reader.otherwise(...this.args) : Exit.succeed(entry.value)
    }
  })
)

/** An iterator that has ended, and its own last result. */
class Done {
  readonly done = true
  readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
  next(): IteratorReturnResult<unknown> {
    return this
  }
}

/**
 * Counts a step that the run loop does not see, as Effect's own inlined continuations do, so that a fiber of nothing but hits
 * gives others their turn. `false` when it is time for that.
 */
const takeStep = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  ++(fiber as { currentOpCount: number }).currentOpCount < fiber.cache.maxOpsBeforeYield
