/**
 * What becomes of callers that share a load, and of those that must not.
 */
import { Cause, Deferred, Effect, Exit, Fiber, Option, References, Schema, type Scope } from "effect"
import { cacheAside } from "../../patterns/cacheAside.ts"
import { memoize } from "../../patterns/memoize.ts"
import { stampedeProtect } from "../../patterns/stampedeProtect.ts"
import { getCacheStats } from "../../patterns/stats.ts"
import { writeThrough } from "../../patterns/writeThrough.ts"
import type { CacheClient } from "../../services/CacheClient.ts"
import type { Script } from "./case.ts"
import { expect } from "./expect.ts"
import { makeGate, type World, worldCase } from "./world.ts"

const settings = { key: "row:{id}", schema: Schema.Number, ttl: "1 minute" } as const
type Id = { readonly id: string }
const one = { id: "1" } as const

/** Counts the runs of an effect. */
const counted = <A, E, R>(self: (run: number) => Effect.Effect<A, E, R>) => {
  const counter = { runs: 0 }
  return [counter, Effect.suspend(() => self(++counter.runs))] as const
}

const sharing = (title: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>): Script =>
  worldCase("sharing", title, body)

/** Why an effect failed: its errors and defects, and the word for each interruption. */
const reasonsOf = (exit: Exit.Exit<unknown, unknown>): ReadonlyArray<unknown> =>
  Exit.isSuccess(exit)
    ? []
    : exit.cause.reasons.map((reason) =>
        Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : reason._tag
      )

export const sharingCases: ReadonlyArray<Script> = [
  sharing(
    "interrupting one of many callers hurts nobody",
    Effect.fnUntraced(function*({ a, story }) {
      const gate = makeGate<number>(story)
      const [count, load] = counted((run) => gate.pass(run))
      const get = cacheAside(settings)((_: Id) => load)
      const fibers = []
      for (let i = 0; i < 10; i++) fibers.push(yield* Effect.forkChild(a.run(get(one))))
      yield* gate.reached
      yield* a.settle
      // Also the first, who started it.
      for (const i of [0, 3, 9]) yield* Fiber.interrupt(fibers[i]!)
      yield* gate.open
      for (const [i, fiber] of fibers.entries()) {
        if (![0, 3, 9].includes(i)) expect("what a caller that stayed gets", yield* Fiber.join(fiber)).is(1)
      }
      expect("the loads", count.runs).is(1)
      expect("what is stored", yield* a.run(get.peek(one))).is(Option.some(1))
    })
  ),

  sharing(
    "interrupting all of them stops the load and gives the lease back",
    Effect.fnUntraced(function*({ a, b, leases, story }) {
      const stopped = Deferred.makeUnsafe<void>()
      const gate = makeGate<number>(story)
      const [count, load] = counted((run) =>
        run === 1 ? Effect.onInterrupt(gate.pass(run), () => Deferred.succeed(stopped, undefined)) : Effect.succeed(run)
      )
      const get = stampedeProtect(settings)((_: Id) => load)
      const fibers = []
      for (let i = 0; i < 5; i++) fibers.push(yield* Effect.forkChild(a.run(get(one))))
      yield* gate.reached
      yield* a.settle
      expect("the leases held during the load", yield* leases).is(["row:1"])
      yield* Fiber.interruptAll(fibers)
      yield* Deferred.await(stopped)
      expect("the leases held when all callers have left", yield* leases).is([])
      expect("the loads in flight", yield* a.inFlight).is(0)
      expect("what is stored", yield* b.run(get.peek(one))).is(Option.none())
      expect("what the next caller gets", yield* b.run(get(one))).is(2)
      expect("the loads", count.runs).is(2)
    })
  ),

  sharing(
    "who comes while an abandoned load is being stopped gets a load of its own",
    Effect.fnUntraced(function*({ a, story }) {
      const gate = makeGate<number>(story)
      const cleaning = makeGate<number>(story, "the finalizer of the load")
      const [, load] = counted((run) =>
        run === 1 ? Effect.onInterrupt(gate.pass(run), () => cleaning.pass(0)) : Effect.succeed(run)
      )
      const get = cacheAside(settings)((_: Id) => load)
      const first = yield* Effect.forkChild(a.run(get(one)))
      yield* gate.reached
      const interruption = yield* Effect.forkChild(Fiber.interrupt(first))
      yield* cleaning.reached
      const second = yield* Effect.forkChild(a.run(get(one)))
      yield* a.settle
      yield* cleaning.open
      expect("what the second caller gets", yield* Fiber.join(second)).is(2)
      yield* Fiber.join(interruption)
    })
  ),

  ...(["failure", "defect"] as const).map((kind) =>
    sharing(
      `a ${kind} reaches all who wait, and is not stored`,
      Effect.fnUntraced(function*({ a, b, leases, story }) {
        const gate = makeGate<number>(story)
        const end = kind === "failure" ? Effect.fail("boom") : Effect.die("boom")
        const [count, load] = counted((run) => (run === 1 ? Effect.andThen(gate.pass(run), end) : Effect.succeed(run)))
        const get = cacheAside(settings)((_: Id) => load)
        const fibers = []
        for (let i = 0; i < 5; i++) fibers.push(yield* Effect.forkChild(a.run(get(one))))
        yield* gate.reached
        yield* a.settle
        yield* gate.open
        for (const fiber of fibers) {
          expect("why a caller failed", reasonsOf(yield* Fiber.await(fiber))).is(["boom"])
        }
        expect("the loads", count.runs).is(1)
        expect("the leases held after it", yield* leases).is([])
        expect("what the next caller gets", yield* b.run(get(one))).is(2)
      })
    )
  ),

  sharing(
    "a thousand callers in one tick are one load",
    Effect.fnUntraced(function*({ a }) {
      const [count, load] = counted((run) => Effect.as(Effect.yieldNow, run))
      const get = stampedeProtect(settings)((_: Id) => load)
      const values = yield* Effect.all(
        Array.from({ length: 1000 }, () => a.run(get(one))),
        { concurrency: "unbounded" }
      )
      expect("what they get", new Set(values)).is(new Set([1]))
      expect("the loads", count.runs).is(1)
    })
  ),

  sharing(
    "functions on one key share a value, but not each other's failures",
    Effect.fnUntraced(function*({ a, story }) {
      const gate = makeGate<number>(story)
      const [, failing] = counted((run) => Effect.andThen(gate.pass(run), Effect.fail("mine")))
      const bad = cacheAside(settings)((_: Id) => failing)
      const [count, load] = counted(() => Effect.succeed(7))
      const good = cacheAside(settings)((_: Id) => load)
      const first = yield* Effect.forkChild(a.run(bad(one)))
      yield* gate.reached
      const second = yield* Effect.forkChild(a.run(good(one)))
      yield* a.settle
      yield* gate.open
      expect("the failure of the one", yield* Effect.flip(Fiber.join(first))).is("mine")
      expect("the value of the other", yield* Fiber.join(second)).is(7)
      expect("the loads of the other", count.runs).is(1)
      expect("what the one gets now", yield* a.run(bad(one))).is(7)
    })
  ),

  sharing(
    "functions of different schemas on one key do not share",
    Effect.fnUntraced(function*({ a, story }) {
      const gate = makeGate<number>(story)
      const numbers = cacheAside(settings)((_: Id) => gate.pass(1))
      const texts = cacheAside({ ...settings, schema: Schema.String })((_: Id) => Effect.succeed("text"))
      const first = yield* Effect.forkChild(a.run(numbers(one)))
      yield* gate.reached
      // That there are two is told, and is no concern of who reads what the kit prints.
      const quiet = Effect.provideService(References.MinimumLogLevel, "None")
      const second = yield* Effect.forkChild(quiet(a.run(texts(one))))
      yield* a.settle
      yield* gate.open
      expect("the value of the one", yield* Fiber.join(first)).is(1)
      expect("the value of the other", yield* Fiber.join(second)).is("text")
      expect("the value of the other, asked again", yield* a.run(texts(one))).is("text")
    })
  ),

  sharing(
    "a loader that asks for its own key does not wait for itself",
    Effect.fnUntraced(function*({ a, leases }) {
      type Get = (id: Id) => Effect.Effect<number, never, CacheClient>
      let depth = 0
      const get: Get = stampedeProtect(settings)((id: Id) =>
        Effect.suspend(() => (++depth < 3 ? Effect.map(get(id), (n) => n + 1) : Effect.succeed(0)))
      )
      expect("what the outer load makes of the inner ones", yield* a.run(get(one))).is(2)
      // Also by way of another key.
      const other: Get = cacheAside({ ...settings, key: "other:{id}" })((id: Id) => Effect.map(again(id), (n) => n + 1))
      let rounds = 0
      const again: Get = stampedeProtect(settings)((id: Id) =>
        Effect.suspend(() => (++rounds < 2 ? Effect.map(other(id), (n) => n + 1) : Effect.succeed(10)))
      )
      expect("what comes by way of another key", yield* a.run(again({ id: "2" }))).is(12)
      expect("the leases held in the end", yield* leases).is([])
    })
  ),

  sharing(
    "refresh loads and stores, also over a valid entry; peek never loads",
    Effect.fnUntraced(function*({ a, b }) {
      const [count, load] = counted((run) => Effect.succeed(run))
      const get = cacheAside(settings)((_: Id) => load)
      expect("a peek before any load", yield* a.run(get.peek(one))).is(Option.none())
      expect("the loads after a peek", count.runs).is(0)
      expect("the first read", yield* a.run(get(one))).is(1)
      expect("the refresh", yield* a.run(get.refresh(one))).is(2)
      expect("a peek of the other process", yield* b.run(get.peek(one))).is(Option.some(2))
      expect("a read of the other process", yield* b.run(get(one))).is(2)
      expect("the loads", count.runs).is(2)
    })
  ),

  sharing(
    "a refresh that fails keeps what there is, and gives the lease back",
    Effect.fnUntraced(function*({ a, leases }) {
      const [, load] = counted((run) => (run === 2 ? Effect.fail("boom") : Effect.succeed(run)))
      const get = cacheAside(settings)((_: Id) => load)
      yield* a.run(get(one))
      expect("the failure of the refresh", yield* Effect.flip(a.run(get.refresh(one)))).is("boom")
      expect("what is stored after it", yield* a.run(get.peek(one))).is(Option.some(1))
      expect("the leases held after it", yield* leases).is([])
    })
  ),

  sharing(
    "a write that fails leaves the slot empty, and its failure",
    Effect.fnUntraced(function*({ a, b, leases }) {
      const get = cacheAside(settings)((_: Id) => Effect.succeed(1))
      const write = writeThrough(settings)((_: Id) => Effect.fail("refused"))
      yield* a.run(get(one))
      expect("the failure of the write", yield* Effect.flip(b.run(write(one)))).is("refused")
      expect("what is stored after it", yield* a.run(get.peek(one))).is(Option.none())
      expect("the leases held after it", yield* leases).is([])
      expect("the next read", yield* a.run(get(one))).is(1)
      expect("what it stored", yield* b.run(get.peek(one))).is(Option.some(1))
    })
  ),

  sharing(
    "a write that is interrupted leaves the slot empty",
    Effect.fnUntraced(function*({ a, b, leases, story }) {
      let row = 0
      const gate = makeGate<number>(story, "the write")
      const get = cacheAside(settings)((_: Id) => Effect.sync(() => row))
      const write = writeThrough(settings)((_: Id) =>
        Effect.andThen(
          Effect.sync(() => (row = 1)),
          gate.pass(1)
        )
      )
      yield* a.run(get(one))
      const writer = yield* Effect.forkChild(b.run(write(one)))
      yield* gate.reached
      yield* Fiber.interrupt(writer)
      expect("what is stored after it", yield* a.run(get.peek(one))).is(Option.none())
      expect("the leases held after it", yield* leases).is([])
      expect("the next read", yield* a.run(get(one))).is(1)
      expect("what it stored", yield* a.run(get.peek(one))).is(Option.some(1))
    })
  ),

  sharing(
    "a read during a write is not stored, and after it sees the written value",
    Effect.fnUntraced(function*({ a, b, story }) {
      let row = 0
      const gate = makeGate<number>(story, "the write")
      const get = cacheAside(settings)((_: Id) => Effect.sync(() => row))
      const write = writeThrough(settings)((_: Id) => Effect.tap(gate.pass(1), () => Effect.sync(() => (row = 1))))
      const writer = yield* Effect.forkChild(b.run(write(one)))
      yield* gate.reached
      expect("a read during the write", yield* a.run(get(one))).is(0)
      expect("what it stored", yield* a.run(get.peek(one))).is(Option.none())
      yield* gate.open
      yield* Fiber.join(writer)
      expect("what is stored after the write", yield* a.run(get.peek(one))).is(Option.some(1))
    })
  ),

  sharing(
    "what a write invalidates is invalid, also for loads in flight",
    Effect.fnUntraced(function*({ a, b, story }) {
      let row = 0
      const gate = makeGate<number>(story)
      const gates = [gate]
      const list = cacheAside({ key: "other:1", schema: Schema.Number, tags: () => ["list"] })(
        Effect.suspend(() => gates.shift()?.pass(row) ?? Effect.succeed(row))
      )
      const write = writeThrough(settings, { invalidateTags: ["list"] })((_: Id) => Effect.sync(() => (row = 1)))
      const reader = yield* Effect.forkChild(a.run(list))
      yield* gate.reached
      yield* b.run(write(one))
      yield* gate.open
      expect("what the caller of the older load gets", yield* Fiber.join(reader)).is(0)
      expect("a read after the write", yield* b.run(list)).is(1)
    })
  ),

  sharing(
    "memoize shares by arguments, and clear forgets them all",
    Effect.fnUntraced(function*({ a }) {
      const [count, load] = counted((run) => Effect.succeed(run))
      const get = memoize({ name: "sharing", schema: Schema.Number })(
        (_: { readonly x: number; readonly y?: number }) => load
      )
      const values = yield* Effect.all(
        [{ x: 1 }, { x: 1 }, { x: 2 }].map((at) => a.run(get(at))),
        { concurrency: "unbounded" }
      )
      expect("the value of equal arguments", values[0]).is(values[1])
      expect("the loads", count.runs).is(2)
      yield* a.run(get.clear)
      yield* a.run(get({ x: 1 }))
      expect("the loads after a clear", count.runs).is(3)
      expect("the loads in flight", (yield* a.run(getCacheStats)).inFlight).is(0)
    })
  )
]
