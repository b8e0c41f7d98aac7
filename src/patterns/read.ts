/**
 * The call of a cached function, as an effect of its own kind: to a generator that asks by `yield*`, a hit in memory is handed
 * over without a turn of the run loop.
 *
 * It must not be handed to a generator that is only being built: `Effect.fnUntracedEager` steps its generator where the effect is
 * made, under other services than those it will run with, and before an invalidation that the run comes after. So what is
 * yielded looks the key up when it is asked whether it is an `Exit`. The run loop asks that of all that is yielded to it, and
 * takes the value of an exit at once. The eager driver goes by the tag, finds an effect and keeps it for later; whatever else
 * gets hold of what is yielded has an effect, too. How Effect's drivers tell an exit is no promise of theirs, so it is tried
 * once (`tryDrivers`); if it has changed, every hit is a step of the run loop.
 */
import { Effect, Effectable, Exit, Fiber } from "effect"
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

const hitOf = (region: Region, key: string, fiber: Fiber.Fiber<unknown, unknown>): unknown => {
  const moment = momentOf(fiber)
  const { client } = moment
  return client === undefined ? absent : client.hit(region, key, moment)
}

/** One call. */
export class Read {
  readonly reader: Reader
  readonly args: ReadonlyArray<unknown>
  constructor(reader: Reader, args: ReadonlyArray<unknown>) {
    this.reader = reader
    this.args = args
  }

  /** As a step of the run loop. */
  run(fiber: Fiber.Fiber<unknown, unknown>): AnyEffect {
    const { args, reader } = this
    let key: string
    try {
      key = reader.build(args)
    } catch (error) {
      return reader.refused(error, args, fiber)
    }
    const value = hitOf(reader.region, key, fiber)
    return value === absent ? reader.run(key, args, fiber) : Exit.succeed(value)
  }

  /** Without one: the value, or `absent`. Counts as an operation, and leaves the turn of other fibers to the run loop. */
  look(): unknown {
    const fiber = Fiber.getCurrent()
    if (fiber === undefined || fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield) return absent
    const { args, reader } = this
    let key: string
    try {
      key = reader.build(args)
    } catch {
      return absent
    }
    ;(fiber as { currentOpCount: number }).currentOpCount++
    return hitOf(reader.region, key, fiber)
  }
}

// The name by which Effect's run loop knows an exit.
const exitTypeId = "~effect/Exit"

/** A call that a generator asks for: the iterator of its `yield*`, and what it yields. */
class Asked {
  readonly read: Read
  private asked = false
  private found: unknown = absent
  constructor(read: Read) {
    this.read = read
  }

  next(value: unknown): IteratorResult<unknown, unknown> {
    if (this.asked) return { done: true, value }
    this.asked = true
    return { done: false, value: (apart ??= tryDrivers()) ? this : this.read }
  }

  get [exitTypeId](): typeof exitTypeId | undefined {
    this.found = this.read.look()
    return this.found === absent ? undefined : exitTypeId
  }

  /** Taken once, right after the question. */
  get value(): unknown {
    const { found } = this
    this.found = absent
    return found
  }

  /** Neither success nor failure. */
  get _tag(): "Read" {
    return "Read"
  }

  [Symbol.iterator](): Asked {
    return new Asked(this.read)
  }
}

const effectProto = (evaluate: (self: never, fiber: Fiber.Fiber<unknown, unknown>) => AnyEffect): object =>
  Effectable.Prototype<Effect.Effect<unknown, unknown, unknown>>({
    label: "Read",
    evaluate(fiber) {
      return evaluate(this as never, fiber)
    }
  })

Object.setPrototypeOf(
  Read.prototype,
  Object.create(
    effectProto((self: Read, fiber) => self.run(fiber)),
    {
      [Symbol.iterator]: {
        value(this: Read): Asked {
          return new Asked(this)
        }
      }
    }
  )
)
Object.setPrototypeOf(
  Asked.prototype,
  effectProto(({ read }: Asked, fiber) => read.run(fiber))
)

/** Whether the drivers of this Effect tell a generator that is run from one that is built. */
let apart: boolean | undefined

const tryDrivers = (): boolean => {
  const value = {}
  let questions = 0
  const probe = new Asked(undefined as never)
  Object.defineProperties(probe, {
    [exitTypeId]: {
      get: () => {
        questions++
        return exitTypeId
      }
    },
    value: {
      get: () => {
        questions++
        return value
      }
    }
  })
  const asking = function*(): Generator<never, unknown> {
    return [yield probe as never]
  }
  Effect.fnUntracedEager(asking)()
  if (questions > 0) return false
  const exit = Effect.runSyncExit(Effect.gen(asking))
  return exit._tag === "Success" && Array.isArray(exit.value) && exit.value[0] === value
}

keepOne(new Read(undefined as never, []))
keepOne(new Asked(undefined as never))
