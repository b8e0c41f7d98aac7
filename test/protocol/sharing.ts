/**
 * What becomes of callers that share a load, and of those that must not.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Option, Schema, type Scope } from "effect"
import { cacheAside, getCacheStats, memoize, stampedeProtect, writeThrough } from "../../src/index.ts"
import { makeGate, type MakeWorld, type World } from "../support/client.ts"

const settings = { key: "row:{id}", schema: Schema.Number, ttl: "1 minute" } as const
type Id = { readonly id: string }
const one = { id: "1" } as const

/** Counts the runs of an effect. */
const counted = <A, E, R>(self: (run: number) => Effect.Effect<A, E, R>) => {
  const counter = { runs: 0 }
  return [counter, Effect.suspend(() => self(++counter.runs))] as const
}

export const sharing = (name: string, makeWorld: MakeWorld): void => {
  const test = (title: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it.live(title, () => Effect.scoped(Effect.flatMap(makeWorld, body)), 10_000)

  describe(`sharing a load on ${name}`, () => {
    test(
      "interrupting one of many callers hurts nobody",
      Effect.fnUntraced(function*({ a }) {
        const gate = makeGate<number>()
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
          if (![0, 3, 9].includes(i)) assert.strictEqual(yield* Fiber.join(fiber), 1)
        }
        assert.strictEqual(count.runs, 1)
        assert.deepStrictEqual(yield* a.run(get.peek(one)), Option.some(1))
      })
    )

    test(
      "interrupting all of them stops the load and gives the lease back",
      Effect.fnUntraced(function*({ a, b, leases }) {
        const stopped = Deferred.makeUnsafe<void>()
        const gate = makeGate<number>()
        const [count, load] = counted((run) =>
          run === 1
            ? Effect.onInterrupt(gate.pass(run), () => Deferred.succeed(stopped, undefined))
            : Effect.succeed(run)
        )
        const get = stampedeProtect(settings)((_: Id) => load)
        const fibers = []
        for (let i = 0; i < 5; i++) fibers.push(yield* Effect.forkChild(a.run(get(one))))
        yield* gate.reached
        yield* a.settle
        assert.deepStrictEqual((yield* leases).length, 1)
        yield* Fiber.interruptAll(fibers)
        yield* Deferred.await(stopped)
        assert.deepStrictEqual(yield* leases, [])
        assert.strictEqual(yield* a.inFlight, 0)
        assert.deepStrictEqual(yield* b.run(get.peek(one)), Option.none())
        assert.strictEqual(yield* b.run(get(one)), 2)
        assert.strictEqual(count.runs, 2)
      })
    )

    test(
      "who comes while an abandoned load is being stopped gets a load of its own",
      Effect.fnUntraced(function*({ a }) {
        const gate = makeGate<number>()
        const cleaning = makeGate<number>()
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
        assert.strictEqual(yield* Fiber.join(second), 2)
        yield* Fiber.join(interruption)
      })
    )

    for (const kind of ["failure", "defect"] as const) {
      test(
        `a ${kind} reaches all who wait, and is not stored`,
        Effect.fnUntraced(function*({ a, b, leases }) {
          const gate = makeGate<number>()
          const end = kind === "failure" ? Effect.fail("boom") : Effect.die("boom")
          const [count, load] = counted((run) =>
            run === 1 ? Effect.andThen(gate.pass(run), end) : Effect.succeed(run)
          )
          const get = cacheAside(settings)((_: Id) => load)
          const fibers = []
          for (let i = 0; i < 5; i++) fibers.push(yield* Effect.forkChild(a.run(get(one))))
          yield* gate.reached
          yield* a.settle
          yield* gate.open
          for (const fiber of fibers) {
            const exit = yield* Fiber.await(fiber)
            assert.isTrue(Exit.isFailure(exit))
            if (Exit.isFailure(exit)) {
              assert.deepStrictEqual(
                exit.cause.reasons.map((reason) =>
                  Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : reason._tag
                ),
                ["boom"]
              )
            }
          }
          assert.strictEqual(count.runs, 1)
          assert.deepStrictEqual(yield* leases, [])
          assert.strictEqual(yield* b.run(get(one)), 2)
        })
      )
    }

    test(
      "a thousand callers in one tick are one load",
      Effect.fnUntraced(function*({ a }) {
        const [count, load] = counted((run) => Effect.as(Effect.yieldNow, run))
        const get = stampedeProtect(settings)((_: Id) => load)
        const values = yield* Effect.all(
          Array.from({ length: 1000 }, () => a.run(get(one))),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(new Set(values), new Set([1]))
        assert.strictEqual(count.runs, 1)
      })
    )

    test(
      "functions on one key share a value, but not each other's failures",
      Effect.fnUntraced(function*({ a }) {
        const gate = makeGate<number>()
        const [, failing] = counted((run) => Effect.andThen(gate.pass(run), Effect.fail("mine")))
        const bad = cacheAside(settings)((_: Id) => failing)
        const [count, load] = counted(() => Effect.succeed(7))
        const good = cacheAside(settings)((_: Id) => load)
        const first = yield* Effect.forkChild(a.run(bad(one)))
        yield* gate.reached
        const second = yield* Effect.forkChild(a.run(good(one)))
        yield* a.settle
        yield* gate.open
        assert.deepStrictEqual(yield* Effect.flip(Fiber.join(first)), "mine")
        assert.strictEqual(yield* Fiber.join(second), 7)
        assert.strictEqual(count.runs, 1)
        assert.strictEqual(yield* a.run(bad(one)), 7)
      })
    )

    test(
      "functions of different schemas on one key do not share",
      Effect.fnUntraced(function*({ a }) {
        const gate = makeGate<number>()
        const numbers = cacheAside(settings)((_: Id) => gate.pass(1))
        const texts = cacheAside({ ...settings, schema: Schema.String })((_: Id) => Effect.succeed("text"))
        const first = yield* Effect.forkChild(a.run(numbers(one)))
        yield* gate.reached
        const second = yield* Effect.forkChild(a.run(texts(one)))
        yield* a.settle
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(first), 1)
        assert.strictEqual(yield* Fiber.join(second), "text")
        assert.strictEqual(yield* a.run(texts(one)), "text")
      })
    )

    test(
      "a loader that asks for its own key does not wait for itself",
      Effect.fnUntraced(function*({ a, leases }) {
        let depth = 0
        const get: (id: Id) => Effect.Effect<number, never, any> = stampedeProtect(settings)((id: Id) =>
          Effect.suspend(() => (++depth < 3 ? Effect.map(get(id), (n) => n + 1) : Effect.succeed(0)))
        )
        assert.strictEqual(yield* a.run(get(one)), 2)
        // Also by way of another key.
        const other: (id: Id) => Effect.Effect<number, never, any> = cacheAside({ ...settings, key: "other:{id}" })(
          (id: Id) => Effect.map(again(id), (n) => n + 1)
        )
        let rounds = 0
        const again: typeof other = stampedeProtect(settings)((id: Id) =>
          Effect.suspend(() => (++rounds < 2 ? Effect.map(other(id), (n) => n + 1) : Effect.succeed(10)))
        )
        assert.strictEqual(yield* a.run(again({ id: "2" })), 12)
        assert.deepStrictEqual(yield* leases, [])
      })
    )

    test(
      "refresh loads and stores, also over a valid entry; peek never loads",
      Effect.fnUntraced(function*({ a, b }) {
        const [count, load] = counted((run) => Effect.succeed(run))
        const get = cacheAside(settings)((_: Id) => load)
        assert.deepStrictEqual(yield* a.run(get.peek(one)), Option.none())
        assert.strictEqual(count.runs, 0)
        assert.strictEqual(yield* a.run(get(one)), 1)
        assert.strictEqual(yield* a.run(get.refresh(one)), 2)
        assert.deepStrictEqual(yield* b.run(get.peek(one)), Option.some(2))
        assert.strictEqual(yield* b.run(get(one)), 2)
        assert.strictEqual(count.runs, 2)
      })
    )

    test(
      "a refresh that fails keeps what there is, and gives the lease back",
      Effect.fnUntraced(function*({ a, leases }) {
        const [, load] = counted((run) => (run === 2 ? Effect.fail("boom") : Effect.succeed(run)))
        const get = cacheAside(settings)((_: Id) => load)
        yield* a.run(get(one))
        assert.strictEqual(yield* Effect.flip(a.run(get.refresh(one))), "boom")
        assert.deepStrictEqual(yield* a.run(get.peek(one)), Option.some(1))
        assert.deepStrictEqual(yield* leases, [])
      })
    )

    test(
      "a write that fails leaves the slot empty, and its failure",
      Effect.fnUntraced(function*({ a, b, leases }) {
        const get = cacheAside(settings)((_: Id) => Effect.succeed(1))
        const write = writeThrough(settings)((_: Id) => Effect.fail("refused"))
        yield* a.run(get(one))
        assert.strictEqual(yield* Effect.flip(b.run(write(one))), "refused")
        assert.deepStrictEqual(yield* a.run(get.peek(one)), Option.none())
        assert.deepStrictEqual(yield* leases, [])
        assert.strictEqual(yield* a.run(get(one)), 1)
        assert.deepStrictEqual(yield* b.run(get.peek(one)), Option.some(1))
      })
    )

    test(
      "a write that is interrupted leaves the slot empty",
      Effect.fnUntraced(function*({ a, b, leases }) {
        let row = 0
        const gate = makeGate<number>()
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
        assert.deepStrictEqual(yield* a.run(get.peek(one)), Option.none())
        assert.deepStrictEqual(yield* leases, [])
        assert.strictEqual(yield* a.run(get(one)), 1)
        assert.deepStrictEqual(yield* a.run(get.peek(one)), Option.some(1))
      })
    )

    test(
      "a read during a write is not stored, and after it sees the written value",
      Effect.fnUntraced(function*({ a, b }) {
        let row = 0
        const gate = makeGate<number>()
        const get = cacheAside(settings)((_: Id) => Effect.sync(() => row))
        const write = writeThrough(settings)((_: Id) => Effect.tap(gate.pass(1), () => Effect.sync(() => (row = 1))))
        const writer = yield* Effect.forkChild(b.run(write(one)))
        yield* gate.reached
        assert.strictEqual(yield* a.run(get(one)), 0)
        assert.deepStrictEqual(yield* a.run(get.peek(one)), Option.none())
        yield* gate.open
        yield* Fiber.join(writer)
        assert.deepStrictEqual(yield* a.run(get.peek(one)), Option.some(1))
      })
    )

    test(
      "what a write invalidates is invalid, also for loads in flight",
      Effect.fnUntraced(function*({ a, b }) {
        let row = 0
        const gate = makeGate<number>()
        const gates = [gate]
        const list = cacheAside({ key: "other:1", schema: Schema.Number, tags: () => ["list"] })(
          Effect.suspend(() => gates.shift()?.pass(row) ?? Effect.succeed(row))
        )
        const write = writeThrough(settings, { invalidateTags: ["list"] })((_: Id) => Effect.sync(() => (row = 1)))
        const reader = yield* Effect.forkChild(a.run(list))
        yield* gate.reached
        yield* b.run(write(one))
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(reader), 0)
        assert.strictEqual(yield* b.run(list), 1)
      })
    )

    test(
      "memoize shares by arguments, and clear forgets them all",
      Effect.fnUntraced(function*({ a }) {
        const [count, load] = counted((run) => Effect.succeed(run))
        const get = memoize({ name: "sharing", schema: Schema.Number })(
          (_: { readonly x: number; readonly y?: number }) => load
        )
        const values = yield* Effect.all(
          [{ x: 1 }, { x: 1 }, { x: 2 }].map((at) => a.run(get(at))),
          {
            concurrency: "unbounded"
          }
        )
        assert.strictEqual(values[0], values[1])
        assert.strictEqual(count.runs, 2)
        yield* a.run(get.clear)
        yield* a.run(get({ x: 1 }))
        assert.strictEqual(count.runs, 3)
        assert.strictEqual((yield* a.run(getCacheStats)).inFlight, 0)
      })
    )
  })
}
