/**
 * The call of a cached function, as an effect of its own kind: a hit in memory is one step of the run loop.
 *
 * It could be none: an iterator that ends at once would hand a hit to the generator that asks by `yield*`. But
 * `Effect.fnUntracedEager` steps a generator where the effect is built, not where it is run, so it would be answered there: by
 * another client, or before an invalidation that the run comes after.
 */
import { type Effect, Effectable, Exit, type Fiber } from "effect"
import type { AnyEffect } from "../internal/erased.ts"
import { keepOne } from "../internal/keepOne.ts"
import { momentOf } from "../internal/moment.ts"
import { absent } from "../internal/pick.ts"
import type { Region } from "../internal/region.ts"

/** What the calls of one cached function share. */
export interface Reader {
  readonly region: Region
  /** The key; throws `CacheError` when none can be made. */
  readonly build: (args: ReadonlyArray<unknown>) => string
  /** The way of a call, in the evaluation of the fiber that asks. */
  readonly run: (key: string, args: ReadonlyArray<unknown>, fiber: Fiber.Fiber<unknown, unknown>) => AnyEffect
  /** What becomes of a call without a key: it goes uncached; what is thrown otherwise is a defect. */
  readonly refused: (error: unknown, args: ReadonlyArray<unknown>, fiber: Fiber.Fiber<unknown, unknown>) => AnyEffect
}

/** One call. */
export class Read {
  readonly reader: Reader
  readonly args: ReadonlyArray<unknown>
  constructor(reader: Reader, args: ReadonlyArray<unknown>) {
    this.reader = reader
    this.args = args
  }
}
Object.setPrototypeOf(
  Read.prototype,
  Effectable.Prototype<Effect.Effect<unknown, unknown, unknown> & Read>({
    label: "Read",
    evaluate(fiber) {
      const { args, reader } = this
      let key: string
      try {
        key = reader.build(args)
      } catch (error) {
        return reader.refused(error, args, fiber)
      }
      const moment = momentOf(fiber)
      const { client } = moment
      const value = client === undefined ? absent : client.hit(reader.region, key, moment)
      return value === absent ? reader.run(key, args, fiber) : Exit.succeed(value)
    }
  })
)
keepOne(new Read(undefined as never, []))
