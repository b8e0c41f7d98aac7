/**
 * The call of a cached function, as an effect of its own kind: to a generator that asks by `yield*`, a hit in memory is handed
 * over without a turn of the run loop.
 *
 * It must not be handed to a generator that is only being built: `Effect.fnUntracedEager` steps its generator where the effect is
 * made, under other services than those it will run with, and before an invalidation that the run comes after. So what is yielded
 * looks like an `Exit` to the run loop, which takes the value out and goes on, and like any effect to the eager driver, which goes
 * by the tag and keeps it for later: then it is the call again, and looks anew. How the drivers tell an exit is no promise of
 * Effect's, so it is tried once (`tryDrivers`), and without it every hit is a step of the run loop.
 */
import { Effect, Effectable, Exit, Fiber } from "effect"
import type { AnyEffect } from "../internal/erased.ts"
import { keepOne } from "../internal/keepOne.ts"
import { type Moment, momentOf } from "../internal/moment.ts"
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

/** Hits handed over in a row before one takes the way through the run loop, where other fibers get their turn. */
const IN_A_ROW = 16

let handedOver = 0

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
  Object.create(
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
        if (value === absent) return reader.run(key, args, fiber)
        client!.countHit(reader.region, moment)
        return Exit.succeed(value)
      }
    }),
    {
      [Symbol.iterator]: {
        value(this: Read): Asked {
          return new Asked(this)
        }
      }
    }
  )
)

/** A call that a generator asks for: the iterator of its `yield*`, and, of a hit, what it yields. */
class Asked {
  readonly read: Read
  private asked = false
  private found: unknown = undefined
  private moment: Moment | undefined = undefined
  constructor(read: Read) {
    this.read = read
  }

  next(value: unknown): IteratorResult<unknown, unknown> {
    if (this.asked) return { done: true, value }
    this.asked = true
    return { done: false, value: this.look() ? this : this.read }
  }

  private look(): boolean {
    const fiber = Fiber.getCurrent()
    if (fiber === undefined || !(apart ??= tryDrivers())) return false
    handedOver = (handedOver + 1) % IN_A_ROW
    if (handedOver === 0) return false
    const { args, reader } = this.read
    let key: string
    try {
      key = reader.build(args)
    } catch {
      return false
    }
    const moment = momentOf(fiber)
    const { client } = moment
    if (client === undefined) return false
    this.moment = moment
    this.found = client.hit(reader.region, key, moment)
    return this.found !== absent
  }

  /** The hit is taken, and only now counted: who builds a generator leaves it. */
  get value(): unknown {
    const moment = this.moment!
    moment.client!.countHit(this.read.reader.region, moment)
    return this.found
  }
}
Object.setPrototypeOf(
  Asked.prototype,
  Object.create(Object.getPrototypeOf(Exit.void), {
    ...Object.getOwnPropertyDescriptors(
      Effectable.Prototype<Effect.Effect<unknown, unknown, unknown> & Asked>({
        label: "Read",
        evaluate() {
          return this.read as never
        }
      })
    ),
    _tag: { value: "Read" }
  })
)

/** Whether the drivers of this Effect tell a generator that is run from one that is built. */
let apart: boolean | undefined

const tryDrivers = (): boolean => {
  let taken = false
  const probe = Object.defineProperty(new Asked(undefined as never), "value", {
    get: () => {
      taken = true
    }
  })
  const asking = function*(): Generator<never, void> {
    yield probe as never
  }
  Effect.fnUntracedEager(asking)()
  return !taken
}

keepOne(new Read(undefined as never, []))
keepOne(new Asked(undefined as never))
