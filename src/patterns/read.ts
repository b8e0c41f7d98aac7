/**
 * The call of a cached function, as an effect.
 */
import { type Effect, Effectable, Exit, Fiber } from "effect"
import { SingleShotGen } from "effect/Utils"
import type { Region } from "../internal/region.ts"
import type { AnyEffect } from "../internal/erased.ts"
import { momentOf } from "../internal/moment.ts"
import { absent } from "../internal/pick.ts"

/** What the calls of one cached function share. */
export interface Reader {
  readonly region: Region
  /** The key; throws `CacheError` when none can be made. */
  readonly build: (args: ReadonlyArray<unknown>) => string
  /** The way of a call, in the evaluation of the fiber that asks. */
  readonly run: (key: string, args: ReadonlyArray<unknown>, fiber: Fiber.Fiber<unknown, unknown>) => AnyEffect
  /** What becomes of a call when something was thrown: without a key it goes uncached, the rest is a defect. */
  readonly refused: (error: unknown, args: ReadonlyArray<unknown>, fiber: Fiber.Fiber<unknown, unknown>) => AnyEffect
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
    const { args, reader } = this
    let effect: AnyEffect
    try {
      const key = reader.build(args)
      const moment = momentOf(fiber)
      const { client } = moment
      const value = client === undefined ? absent : client.hit(reader.region, key, moment)
      if (value !== absent) return new Done(value)
      effect = reader.run(key, args, fiber)
    } catch (error) {
      effect = reader.refused(error, args, fiber)
    }
    return Exit.isExit(effect) && effect._tag === "Success" ? new Done(effect.value) : new SingleShotGen(effect)
  }
}
Object.setPrototypeOf(
  Read.prototype,
  Effectable.Prototype<Effect.Effect<unknown, unknown, unknown> & Read>({
    label: "Read",
    evaluate(fiber) {
      return evaluate(this.reader, this.args, fiber)
    }
  })
)

/** The way of a call, in the evaluation of the fiber that asks. */
export const evaluate = (
  reader: Reader,
  args: ReadonlyArray<unknown>,
  fiber: Fiber.Fiber<unknown, unknown>
): AnyEffect => {
  let key: string
  try {
    key = reader.build(args)
  } catch (error) {
    return reader.refused(error, args, fiber)
  }
  return reader.run(key, args, fiber)
}

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
