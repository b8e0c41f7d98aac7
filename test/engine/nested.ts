/**
 * Random programs of which the loads ask for each other's rows: of few rows, with each pattern, and under two schemas a row, while
 * others invalidate, refresh, write, lose patience and leave. A seed names a program; what it decides is the order of calls, and
 * in memory all that happens.
 *
 * A row is the moment its load began, so each value says how old it is. Wrong is a value older than an invalidation or a write
 * that was acknowledged before the call, or none; an end that no load has made; a caller that does not end; a load that is left.
 *
 * `NESTED_SEEDS=17` runs one seed alone, `NESTED_SEEDS=300-2000` others than the tests do.
 */
import { assert, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Option, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import {
  cacheAside,
  type Cached,
  type CacheError,
  invalidatePattern,
  invalidateTags,
  stampedeProtect,
  writeThrough
} from "effect-cache"
import type { Client } from "../support/client.ts"
import { type Dice, diceOf } from "../support/dice.ts"

export interface World {
  readonly clients: ReadonlyArray<Client>
  /** What is under way goes on, as far as it can without time. */
  readonly goOn: Effect.Effect<void>
  /** Leaves no room on the server, or makes some. */
  readonly fill?: (full: boolean) => Effect.Effect<unknown>
}

type Failure = string | CacheError
type Reader = Cached<{ args: [id: number]; value: number; error: Failure }>

/** What a load ends with that fails, or a wait for it: no failure of the cache is seen by who reads or writes. */
const isLoads = (error: Failure) => typeof error === "string" || error.reason._tag === "WaitTimeout"

/** What was asked for on the way here: a program that asks in circles ends them itself, as it must without a cache. */
const Way = Context.Reference<ReadonlyArray<number>>("test/NestedWay", { defaultValue: () => [] })

const settings = { key: "row:{0}", ttl: "30 seconds", tags: ["all"] } as const

const readersOf = (schema: Schema.Codec<number>, load: (id: number) => Effect.Effect<number, string>) => {
  const region = { ...settings, schema }
  const readers: ReadonlyArray<Reader> = [
    cacheAside(region)(load),
    stampedeProtect({ ...region, waitTimeout: "1 minute" })(load),
    stampedeProtect({ ...region, waitTimeout: "20 seconds", onTimeout: "fail" })(load)
  ]
  return readers
}

/** Some seconds, up to so many. */
const pause = (dice: Dice, most: number) => Effect.sleep((1 + dice.below(most)) * 1000)

const actors = 6
const callsEach = 6
/** Of ten seconds each; no program that ends needs a fifth of them. */
const steps = 500

/** The program of a seed: what went wrong. */
const nested = ({ clients, fill, goOn }: World, seed: number): Effect.Effect<ReadonlyArray<string>, unknown> =>
  Effect.gen(function*() {
    const faults: Array<string> = []
    const dice = diceOf(seed)
    const ids = Array.from({ length: 2 + dice.below(3) }, (_, id) => id)
    const slow = dice.chance(0.7)
    const usual = dice.chance(0.5) ? 0.7 : 1
    let now = 0
    /** What a call that begins now may not give any more, a row. */
    const outdated = ids.map(() => 0)
    const outdate = (id: number, moment: number) => (outdated[id] = Math.max(outdated[id]!, moment))

    const load = (id: number): Effect.Effect<number, string> =>
      Effect.gen(function*() {
        const way = yield* Way
        const row = ++now
        if (dice.chance(0.3)) yield* Effect.yieldNow
        if (slow && dice.chance(0.4)) yield* pause(dice, 100)
        for (let asks = dice.below(3); asks > 0; asks--) {
          const next = dice.pick(ids)
          if (next === id || way.includes(next)) continue
          const ask = Effect.exit(Effect.provideService(read(next, dice), Way, [...way, id]))
          yield* Effect.replicateEffect(ask, dice.chance(0.2) ? 2 : 1, { concurrency: "unbounded" })
        }
        if (slow && dice.chance(0.2)) yield* pause(dice, 10)
        return dice.chance(0.1) ? yield* Effect.fail("no row") : row
      })
    const readers = readersOf(Schema.Number, load)
    const others = readersOf(Schema.Finite, load)
    const write = writeThrough({ ...settings, schema: Schema.Number })(load)

    const readerBy = (dice: Dice) => dice.pick(dice.chance(usual) ? readers : others)
    const read = (id: number, dice: Dice): Effect.Effect<number, Failure> =>
      Effect.suspend(() => {
        const old = outdated[id]!
        const reader = readerBy(dice)
        const call = dice.chance(0.1) ? reader.refresh(id) : reader(id)
        return Effect.tap(dice.pick(clients).run(call), (row) =>
          Effect.sync(() => {
            // So that it holds for no row as well.
            if (!(row > old)) faults.push(`row ${id} is ${row}, and ${old} was outdated before the call`)
          })
        )
      })

    /** A change: what it outdates is what began before it. A server without room may refuse to be told. */
    const change = <A, E>(rows: ReadonlyArray<number>, call: Effect.Effect<A, E>) =>
      Effect.gen(function*() {
        const before = now
        const exit = yield* Effect.exit(call)
        if (Exit.isSuccess(exit)) for (const id of rows) outdate(id, before)
        return exit
      })

    const expectEnd = <E>(what: string, exit: Exit.Exit<unknown, E>, mayFail: (error: E) => boolean) => {
      if (Exit.isSuccess(exit) || Option.exists(Cause.findErrorOption(exit.cause), mayFail)) return
      faults.push(`${what} ended with ${Cause.pretty(exit.cause)}`)
    }
    const mayBeRefused = () => fill !== undefined

    const actor = (n: number) =>
      Effect.gen(function*() {
        const own = diceOf(seed * 1009 + n + 1)
        for (let i = 0; i < callsEach; i++) {
          const { run } = own.pick(clients)
          const id = own.pick(ids)
          const kind = own.below(100)
          if (kind < 10) yield* Effect.timeoutOption(Effect.exit(read(id, own)), (1 + own.below(40)) * 1000)
          else if (kind < 65) expectEnd(`a read of row ${id}`, yield* Effect.exit(read(id, own)), isLoads)
          else if (kind < 78) {
            const exit = yield* change([id], run(readerBy(own).invalidate(id)))
            expectEnd(`an invalidation of row ${id}`, exit, mayBeRefused)
          } else if (kind < 86) {
            expectEnd("an invalidation by tag", yield* change(ids, run(invalidateTags(["all"]))), mayBeRefused)
          } else if (kind < 89) {
            expectEnd("an invalidation by pattern", yield* change(ids, run(invalidatePattern("row:*"))), mayBeRefused)
          } else if (kind < 95) {
            // It is written without the cache where that cannot be told of it, and then outdates nothing yet.
            const exit = yield* change(fill === undefined ? [id] : [], run(write(id)))
            expectEnd(`a write of row ${id}`, exit, isLoads)
          } else if (fill !== undefined) yield* fill(own.chance(0.6))
          if (own.chance(0.5)) yield* pause(own, 60)
          else if (own.chance(0.4)) yield* Effect.yieldNow
        }
      })

    const fibers = yield* Effect.forEach(Array(actors).keys(), (n) => Effect.forkChild(actor(n)))
    const waiting = () => fibers.filter((fiber) => fiber.pollUnsafe() === undefined).length
    for (let i = 0; i < steps && waiting() > 0; i++) {
      yield* TestClock.adjust("10 seconds")
      yield* goOn
    }
    const stuck = waiting()
    if (stuck > 0) faults.push(`${stuck} of ${actors} callers do not end`)
    yield* Fiber.interruptAll(fibers)
    for (const { inFlight, settle } of clients) {
      yield* settle
      const left = yield* inFlight
      if (stuck === 0 && left > 0) faults.push(`${left} loads are left`)
    }
    return faults
  })

/** The programs of seeds 0 to `count` - 1, each in a world of its own. */
export const nestedLoads = (
  name: string,
  file: string,
  count: number,
  open: (seed: number) => Effect.Effect<World, unknown, Scope.Scope>
): void => {
  const [from, to = from] = (process.env["NESTED_SEEDS"] ?? `0-${count - 1}`).split("-").map(Number)
  const seeds = Array.from({ length: to! - from! + 1 }, (_, i) => from! + i)
  it.effect(
    name,
    () =>
      Effect.gen(function*() {
        const wrong: Array<string> = []
        for (const seed of seeds) {
          const faults = yield* Effect.scoped(Effect.flatMap(open(seed), (world) => nested(world, seed)))
          if (faults.length === 0) continue
          wrong.push(`seed ${seed} (NESTED_SEEDS=${seed} npx vitest run ${file}): ${faults.slice(0, 3).join("; ")}`)
          if (wrong.length === 5) break
        }
        assert.deepStrictEqual(wrong, [])
      }),
    30_000 + seeds.length * 500
  )
}
