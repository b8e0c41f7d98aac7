/**
 * How a store without a fast path is asked, and that who leaves leaves nothing behind.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Schema, Tracer } from "effect"
import { cacheAside, CacheClient, CacheError, CacheLayer, type CachePrimitives, Unavailable } from "effect-cache"
import { askingOf } from "../../src/engine/lookup.ts"
import type { Lookup } from "../../src/services/CacheBackend.ts"
import { makeMemoryPrimitives } from "../../src/stores/memory/primitives.ts"

const gone = new CacheError({
  reason: new Unavailable({ backend: "fake", operation: "read", cause: new Error("gone") })
})

/** Memory as a store that needs trips, changed; and how many of the questions that never end are waited for. */
const fake = (
  change: (
    never: Effect.Effect<never>,
    right: CachePrimitives
  ) => Partial<CachePrimitives["tags"]> & Partial<CachePrimitives["backend"]>
) =>
  Effect.map(makeMemoryPrimitives({}), (right) => {
    let waiting = 0
    const never = Effect.suspend(() => {
      waiting++
      return Effect.ensuring(
        Effect.never,
        Effect.sync(() => waiting--)
      )
    })
    const { markers = right.tags.markers, ...backend } = change(never, right)
    const primitives: CachePrimitives = {
      locks: right.locks,
      // It keeps a deadline of its own, so nobody else times it.
      backend: { ...right.backend, deadlineMillis: 1_000, local: undefined, fast: undefined, ...backend },
      tags: { ...right.tags, markers }
    }
    return { primitives, waiting: () => waiting }
  })

const services = Context.empty()

describe("a store without a fast path", () => {
  it.effect("is asked for the entry and the markers at once", () =>
    Effect.gen(function*() {
      const { primitives, waiting } = yield* fake((never) => ({ read: () => never, markers: () => never }))
      const asking = askingOf(primitives)
      const leave = asking.lookup("k", ["t"], services, () => {})
      assert.strictEqual(waiting(), 2)
      yield* leave!
      const many = yield* Effect.forkChild(asking.lookupMany(["k", "l"], ["t"]), { startImmediately: true })
      assert.strictEqual(waiting(), 3)
      yield* Fiber.interrupt(many)
    })
  )

  for (const tags of [[], ["t"]]) {
    for (const [what, change] of [
      ["read never ends", (never: Effect.Effect<never>) => ({ read: () => never })],
      ["markers never end", (never: Effect.Effect<never>) => ({ markers: () => never })],
      ["neither ends", (never: Effect.Effect<never>) => ({ read: () => never, markers: () => never })]
    ] as const) {
      it.effect(`leaves nothing behind when ${what} and its caller leaves, with ${tags.length} tags`, () =>
        Effect.gen(function*() {
          const { primitives, waiting } = yield* fake(change)
          const asking = askingOf(primitives)
          const told: Array<Exit.Exit<Lookup, CacheError>> = []
          const leave = asking.lookup("k", tags, services, (exit) => told.push(exit))
          yield* leave!
          assert.strictEqual(waiting(), 0)
          assert.strictEqual(told.length, 1)
          const many = yield* Effect.forkChild(asking.lookupMany(["k", "l"], tags), { startImmediately: true })
          yield* Fiber.interrupt(many)
          assert.strictEqual(waiting(), 0)
        })
      )
    }
  }

  it.effect("tells the failure of one, and does not wait for the other", () =>
    Effect.gen(function*() {
      for (const change of [
        (never: Effect.Effect<never>) => ({ read: () => never, markers: () => Effect.fail(gone) }),
        (never: Effect.Effect<never>) => ({ read: () => Effect.fail(gone), markers: () => never })
      ]) {
        const { primitives, waiting } = yield* fake(change)
        const asking = askingOf(primitives)
        const exit = yield* Effect.callback<Exit.Exit<Lookup, CacheError>>((resume) => {
          asking.lookup("k", ["t"], services, (exit) => resume(Effect.succeed(exit)))
        })
        assert.deepStrictEqual(exit, Exit.fail(gone))
        assert.strictEqual(yield* Effect.flip(asking.lookupMany(["k"], ["t"])), gone)
        assert.strictEqual(waiting(), 0)
      }
    })
  )

  it.effect("leaves nothing behind when the callers of a client leave", () =>
    Effect.gen(function*() {
      for (const change of [
        (never: Effect.Effect<never>) => ({ read: () => never }),
        (never: Effect.Effect<never>) => ({ markers: () => never }),
        (never: Effect.Effect<never>) => ({ read: () => never, markers: () => never })
      ]) {
        const { primitives, waiting } = yield* fake(change)
        const get = cacheAside({ key: "k:{id}", schema: Schema.Number, ttl: "1 minute", tags: ["t"] })(
          (_: { readonly id: number }) => Effect.succeed(1)
        )
        const many = CacheClient.use((client) => client.getMany(["k:1", "k:2"], Schema.Number))
        const use = Effect.gen(function*() {
          // Also under a span: what resumes is another then.
          const calls = [get({ id: 1 }), Effect.withSpan(get({ id: 2 }), "outer"), get({ id: 2 }), many]
          const fibers = yield* Effect.forEach(calls, (call) => Effect.forkChild(call, { startImmediately: true }))
          assert.isAbove(waiting(), 0)
          yield* Fiber.interruptAll(fibers)
          assert.strictEqual(waiting(), 0)
          assert.strictEqual((yield* CacheClient.use((client) => client.stats)).inFlight, 0)
        })
        yield* Effect.provide(use, CacheLayer.make(Effect.succeed(primitives)))
      }
    })
  )
})

describe("a fast path", () => {
  it.effect("that never tells lets its caller leave, and what it tells then is nobody's", () =>
    Effect.gen(function*() {
      const tells: Array<(exit: Exit.Exit<Lookup>) => void> = []
      const { primitives } = yield* fake(() => ({ fast: { lookup: (_key, _tags, done) => void tells.push(done) } }))
      let loads = 0
      const get = cacheAside({ key: "k:{id}", schema: Schema.Number, ttl: "1 minute" })((_: { readonly id: number }) =>
        Effect.sync(() => ++loads)
      )
      const use = Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(get({ id: 1 }), { startImmediately: true })
        assert.strictEqual(tells.length, 1)
        yield* Fiber.interrupt(fiber)
        tells[0]!(Exit.succeed({ stored: undefined, markers: [] }))
        yield* Effect.yieldNow
        assert.strictEqual(loads, 0)
        const { inFlight, regions } = yield* CacheClient.use((client) => client.stats)
        assert.strictEqual(inFlight, 0)
        assert.deepStrictEqual(
          regions.map(({ hits, misses }) => [hits, misses]),
          regions.map(() => [0, 0])
        )
      })
      yield* Effect.provide(use, CacheLayer.make(Effect.succeed(primitives)))
    })
  )

  it.effect("that tells in place is an answer like any other", () =>
    Effect.gen(function*() {
      // The clock of the test.
      const run = Effect.runSyncExitWith(yield* Effect.context())
      const { primitives } = yield* fake((_, { backend }) => ({
        fast: {
          lookup: (key, _tags, done) => done(Exit.map(run(backend.read(key)), (stored) => ({ stored, markers: [] })))
        }
      }))
      let loads = 0
      const get = cacheAside({ key: "k:{id}", schema: Schema.Number, ttl: "1 minute" })((_: { readonly id: number }) =>
        Effect.sync(() => ++loads)
      )
      const use = Effect.gen(function*() {
        assert.deepStrictEqual([yield* get({ id: 1 }), yield* get({ id: 1 })], [1, 1])
        const { regions } = yield* CacheClient.use((client) => client.stats)
        assert.deepStrictEqual(
          regions.map(({ hits, misses }) => [hits, misses]),
          [[1, 1]]
        )
      })
      yield* Effect.provide(use, CacheLayer.make(Effect.succeed(primitives)))
    })
  )
})

describe("a question that throws", () => {
  const thrown = (): never => {
    throw new URIError("no such key")
  }
  for (const [what, change] of [
    ["of a fast path", { fast: { lookup: thrown } }],
    ["without one", { read: thrown }]
  ] as const) {
    it.effect(`${what} is a defect of who asked, and ends its span`, () =>
      Effect.gen(function*() {
        const { primitives } = yield* fake(() => change)
        const spans: Array<Tracer.Span> = []
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            spans.push(span)
            return span
          }
        })
        const get = cacheAside({ key: "k:{id}", schema: Schema.Number, ttl: "1 minute" })(
          ({ id }: { readonly id: number }) => Effect.succeed(id)
        )
        const use = Effect.gen(function*() {
          assert.isTrue(Exit.hasDies(yield* Effect.exit(get({ id: 1 }))))
          const traced = Effect.provideService(Effect.exit(get({ id: 2 })), Tracer.Tracer, tracer)
          assert.isTrue(Exit.hasDies(yield* traced))
        })
        yield* Effect.provide(use, CacheLayer.make(Effect.succeed(primitives)))
        assert.deepStrictEqual(
          spans.map(({ name, status }) => [name, status._tag]),
          [["cache.read", "Ended"]]
        )
      })
    )
  }
})
