/**
 * The call of a cached function, as an effect of its own kind: to a generator that asks by `yield*`, a hit in memory is handed
 * over without a turn of the run loop.
 *
 * It must not be handed to a generator that is only being built: `Effect.fnUntracedEager` steps its generator where the effect is
 * made, under other services than those it will run with, and before an invalidation that the run comes after. So what is
 * yielded looks the key up when it is asked whether it is an `Exit`. The run loop asks that of all that is yielded to it, and
 * takes the value of an exit at once. The eager driver goes by the tag, finds an effect and keeps it for later. How Effect's
 * drivers tell an exit is no promise of theirs, nor that a fiber's count of operations can be written, so both are tried once
 * (`tryDrivers`); if one has changed, every hit is a step of the run loop.
 *
 * What is yielded is for drivers of generators only. One of somebody's own may run it; but if it wraps it in a combinator that
 * asks for an exit itself (`Effect.exit`, `Effect.provideContext`, the eager ones), that one takes the hit of the moment.
 */
import { Effect, Effectable, Exit, Fiber } from "effect"
import type { AnyEffect } from "../internal/erased.ts"
import { keepOne } from "../internal/keepOne.ts"
import { momentOf } from "../engine/moment.ts"
import { absent } from "../internal/stamp.ts"
import type { Region } from "../region/region.ts"

/** What the calls of one cached function share. */
export interface Reader {
  readonly region: Region
  /** The key; throws `CacheError` when none can be made. */
  readonly build: (args: ReadonlyArray<unknown>) => string
  /** The way of a call, in the evaluation of the fiber that asks. */
  readonly run: (
    key: string,
    args: ReadonlyArray<unknown>,
    receiver: unknown,
    fiber: Fiber.Fiber<unknown, unknown>
  ) => AnyEffect
  /** What becomes of a call without a key: it goes uncached; what is thrown otherwise is a defect. */
  readonly refused: (
    error: unknown,
    args: ReadonlyArray<unknown>,
    receiver: unknown,
    fiber: Fiber.Fiber<unknown, unknown>
  ) => AnyEffect
}

const hitOf = (region: Region, key: string, fiber: Fiber.Fiber<unknown, unknown>): unknown => {
  const moment = momentOf(fiber.context)
  const { engine } = moment
  return engine === undefined ? absent : engine.hit(region, key, moment)
}

/** One call. */
export class Read {
  readonly reader: Reader
  readonly args: ReadonlyArray<unknown>
  /** The `this` of the call. A field, because a function that is a method has one at every hit, too. */
  readonly receiver: unknown
  constructor(reader: Reader, args: ReadonlyArray<unknown>, receiver: unknown) {
    this.reader = reader
    this.args = args
    this.receiver = receiver
  }

  /** As a step of the run loop. */
  run(fiber: Fiber.Fiber<unknown, unknown>): AnyEffect {
    const { args, reader } = this
    let key: string
    try {
      key = reader.build(args)
    } catch (error) {
      return reader.refused(error, args, this.receiver, fiber)
    }
    const value = hitOf(reader.region, key, fiber)
    return value === absent ? reader.run(key, args, this.receiver, fiber) : Exit.succeed(value)
  }
}

// The name by which Effect's run loop knows an exit.
const exitTypeId = "~effect/Exit"

/** A call that a generator asks for: the iterator of its `yield*`, and what it yields. */
class Asked {
  readonly read: Read
  private asked = false
  private found: unknown = absent
  /** The key of what was not found. */
  private key: string | undefined = undefined
  constructor(read: Read) {
    this.read = read
  }

  next(value: unknown): IteratorResult<unknown, unknown> {
    if (this.asked) return { done: true, value }
    this.asked = true
    return { done: false, value: (apart ??= tryDrivers()) ? this : this.read }
  }

  get [exitTypeId](): typeof exitTypeId | undefined {
    this.found = this.look()
    return this.found === absent ? undefined : exitTypeId
  }

  /** The value, or `absent`. Counts as an operation, and leaves the turn of other fibers to the run loop. */
  private look(): unknown {
    const fiber = Fiber.getCurrent()
    if (fiber === undefined || fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield) return absent
    const { args, reader } = this.read
    let key: string
    try {
      key = reader.build(args)
    } catch {
      return absent
    }
    ;(fiber as { currentOpCount: number }).currentOpCount++
    const found = hitOf(reader.region, key, fiber)
    if (found === absent) this.key = key
    return found
  }

  /** What was not found is on its way to be looked up whole; it has its key already. */
  run(fiber: Fiber.Fiber<unknown, unknown>): AnyEffect {
    const { key, read } = this
    if (key === undefined) return read.run(fiber)
    this.key = undefined
    return read.reader.run(key, read.args, read.receiver, fiber)
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
  effectProto((self: Asked, fiber) => self.run(fiber))
)

/** Whether the drivers of this Effect tell a generator that is run from one that is built, and its fibers let us count. */
let apart: boolean | undefined

/** Whether what `look` asks of a fiber is there, and a count that is written stays. */
const counts = (): boolean => {
  const fiber = Fiber.getCurrent()
  const before = fiber?.currentOpCount
  if (fiber === undefined || typeof before !== "number" || typeof fiber.cache?.maxOpsBeforeYield !== "number")
    return false
  try {
    ;(fiber as { currentOpCount: number }).currentOpCount++
    return fiber.currentOpCount === before + 1
  } catch {
    return false
  }
}

const tryDrivers = (): boolean => {
  const value = {}
  /** What becomes of a generator that yields what says it is an exit, or not; and how often its value was taken. */
  const tried = (isExit: boolean, run: (asking: () => Generator<never, unknown>) => unknown) => {
    let taken = 0
    const probe = new Asked({ run: () => Exit.succeed(value) } as never)
    Object.defineProperties(probe, {
      [exitTypeId]: { get: () => (isExit ? exitTypeId : undefined) },
      value: {
        get: () => {
          taken++
          return value
        }
      }
    })
    const result = run(function*() {
      return [yield probe as never]
    })
    return { taken, value: Array.isArray(result) ? result[0] : undefined }
  }
  const atOnce = (asking: () => Generator<never, unknown>) => Effect.runSync(Effect.gen(asking))
  try {
    const hit = tried(true, atOnce)
    const miss = tried(false, atOnce)
    const built = tried(true, (asking) => Effect.fnUntracedEager(asking)())
    return (
      hit.taken === 1 &&
      hit.value === value &&
      miss.taken === 0 &&
      miss.value === value &&
      built.taken === 0 &&
      Effect.runSync(Effect.sync(counts))
    )
  } catch {
    // A driver that does not know what to make of it.
    return false
  }
}

keepOne(new Read(undefined as never, [], undefined))
keepOne(new Asked(undefined as never))
