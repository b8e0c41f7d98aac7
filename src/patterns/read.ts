/**
 * The call of a cached function, as an effect.
 */
import { Effect, Effectable, Exit, Fiber } from "effect"
import { SingleShotGen } from "effect/Utils"
import type { CacheError } from "../CacheError.ts"
import type { Region } from "../internal/region.ts"
import type { AnyEffect } from "../internal/erased.ts"
import { momentOf } from "../internal/moment.ts"

/** What the calls of one cached function share. */
export interface Reader {
  readonly region: Region
  /** The key, or what is wrong with it. */
  readonly keyOf: (args: ReadonlyArray<unknown>) => string | CacheError
  /** The way of a call, in the evaluation of the fiber that asks. */
  readonly run: (
    key: string | CacheError,
    args: ReadonlyArray<unknown>,
    fiber: Fiber.Fiber<unknown, unknown>
  ) => AnyEffect
}

/**
 * One call of a cached function. The run loop evaluates it like any effect. Where a generator runs it by `yield*`, it is
 * evaluated when the generator asks for the iterator, which is in the middle of the run of the same fiber: what is done at
 * once, as a hit in memory is, is handed over there, and the run loop is not told.
 */
export class Read {
  readonly reader: Reader
  readonly args: ReadonlyArray<unknown>
  constructor(reader: Reader, args: ReadonlyArray<unknown>) {
    this.reader = reader
    this.args = args
  }

  [Symbol.iterator](): Iterator<unknown, unknown> {
    const fiber = Fiber.getCurrent()
    // Nobody's, or it is time for the run loop to give others their turn.
    if (fiber === undefined || !takeStep(fiber)) return new SingleShotGen(this)
    try {
      const { args, reader } = this
      const key = reader.keyOf(args)
      if (typeof key === "string") {
        const moment = momentOf(fiber)
        const entry = moment.client?.hit(reader.region, key, moment)
        if (entry !== undefined) return new Done(entry.value)
      }
      const effect = reader.run(key, args, fiber)
      return Exit.isExit(effect) && effect._tag === "Success" ? new Done(effect.value) : new SingleShotGen(effect)
    } catch (defect) {
      return new SingleShotGen(Effect.die(defect))
    }
  }
}
Object.setPrototypeOf(
  Read.prototype,
  Effectable.Prototype<Effect.Effect<unknown, unknown, unknown> & Read>({
    label: "Read",
    evaluate(fiber) {
      const { args, reader } = this
      return reader.run(reader.keyOf(args), args, fiber)
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
