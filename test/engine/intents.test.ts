/**
 * What a client does with intents: of its writes, and of those that writers left who died.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Ref, Scope } from "effect"
import { InvalidKey } from "../../src/CacheError.ts"
import { eventually, scoped } from "../stores/redis/support.ts"
import { sharedRedis } from "../support/client.ts"
import { allOf, every, intentOf, noRoom, refusal, setupOf, withIntents } from "./intentsSetup.ts"

const setup = setupOf(sharedRedis())

describe("the intent of a write", () => {
  it.effect(
    "is put down, renewed, and dropped; of one with nothing to put down there is none",
    scoped(
      Effect.gen(function*() {
        const { client, gone, intents, standsBeside } = yield* setup
        const engine = yield* client()
        const fail = () => Effect.die("told")
        assert.isUndefined(engine.of("k", "w:1", { keys: [], patterns: [], tags: [] }, 1_000, fail))
        const mine = engine.of("k", "w:1", intentOf("a"), 60_000, fail)!
        yield* mine.drop
        assert.isTrue(yield* mine.put)
        assert.isTrue(yield* standsBeside("k"))
        // Lost, as by an eviction: it is put down anew.
        yield* intents.drop([{ key: "k", token: "w:1" }])
        yield* mine.renew
        assert.isTrue(yield* standsBeside("k"))
        yield* mine.renew
        assert.deepStrictEqual(yield* intents.ended("k"), [])
        yield* mine.drop
        yield* gone("k")
        // A renewal that was about to begin.
        yield* mine.renew
        assert.isFalse(yield* standsBeside("k"))
      })
    )
  )

  it.effect(
    "that cannot be put down is told of once, and fails nothing",
    scoped(
      Effect.gen(function*() {
        const { backend, client, gone } = yield* setup
        const engine = yield* client(
          withIntents(backend, () => ({
            put: () => noRoom,
            renew: () => noRoom,
            drop: () => noRoom
          }))
        )
        const told = yield* Ref.make(0)
        const mine = engine.of("k", "w:1", intentOf("a"), 60_000, () => Ref.update(told, (n) => n + 1))!
        assert.isFalse(yield* mine.put)
        yield* mine.renew
        yield* mine.drop
        yield* gone("k")
        assert.strictEqual(yield* Ref.get(told), 1)
      })
    )
  )

  it.effect(
    "that replaces another and cannot be put down is put down when it is renewed",
    scoped(
      Effect.gen(function*() {
        const { backend, client, intents } = yield* setup
        let isFull = false
        const engine = yield* client(
          withIntents(backend, ({ put }) => ({ put: (...args) => (isFull ? noRoom : put(...args)) }))
        )
        const of = (name: string) => engine.of("k", "w:1", intentOf(name), 1, () => Effect.void)!
        assert.isTrue(yield* of("a").put)
        const later = of("b")
        isFull = true
        assert.isFalse(yield* later.put)
        yield* later.renew
        isFull = false
        yield* later.renew
        yield* eventually(Effect.map(intents.ended("k"), (ended) => ended.length === 1))
        assert.deepStrictEqual(
          (yield* intents.ended("k")).map(({ intent }) => intent),
          [intentOf("b")]
        )
      })
    )
  )

  it.effect(
    "that was not acknowledged is dropped all the same",
    scoped(
      Effect.gen(function*() {
        const { backend, client, gone, standsBeside } = yield* setup
        const engine = yield* client(
          withIntents(backend, ({ put }) => ({ put: (...args) => Effect.andThen(put(...args), noRoom) }))
        )
        const mine = engine.of("k", "w:1", intentOf("a"), 60_000, () => Effect.void)!
        assert.isFalse(yield* mine.put)
        assert.isTrue(yield* standsBeside("k"))
        yield* mine.drop
        yield* gone("k")
      })
    )
  )

  it.effect("is none on a store that keeps none", () =>
    Effect.gen(function*() {
      const { backend, client, standsBeside } = yield* setup
      const engine = yield* client({ ...backend, intents: undefined }, every)
      assert.isUndefined(engine.of("k", "w:1", intentOf("a"), 1_000, () => Effect.void))
      assert.isFalse(yield* standsBeside("k"))
      engine.intended("k")
    }).pipe(Effect.scoped)
  )
})

describe("who fills a key", () => {
  it.effect(
    "carries out what has ended beside it, and nothing else, behind the caller's back",
    scoped(
      Effect.gen(function*() {
        const { client, died, hooks, intents, seen } = yield* setup
        const engine = yield* client()
        yield* died("k", "w:1")
        yield* died("k", "w:2")
        yield* died("l", "w:3")
        yield* intents.put("k", "w:live", intentOf("live"), 60_000)
        const gate = yield* Deferred.make<void>()
        hooks.invalidate = () => Deferred.await(gate)
        engine.intended("k")
        engine.intended("k")
        assert.deepStrictEqual(seen, [])
        yield* Deferred.succeed(gate, undefined)
        yield* eventually(Effect.map(intents.ended("k"), (ended) => ended.length === 0))
        assert.deepStrictEqual([...seen].sort(), [...allOf("w:1"), ...allOf("w:2")].sort())
        assert.isTrue(yield* intents.renew("k", "w:live", 60_000))
        assert.strictEqual((yield* intents.ended("l")).length, 1)
      })
    )
  )

  it.effect(
    "leaves what could not be carried out to the next, and settles what never can be",
    scoped(
      Effect.gen(function*() {
        const { client, died, gone, hooks, intents, seen, standsBeside } = yield* setup
        const engine = yield* client()
        yield* died("k", "w:1")
        const asked = yield* Deferred.make<void>()
        hooks.invalidate = () => Effect.andThen(Deferred.succeed(asked, undefined), noRoom)
        engine.intended("k")
        yield* Deferred.await(asked)
        hooks.invalidate = (what) =>
          what === "w:1:*" ? refusal(new InvalidKey({ key: what, problem: "of a test" })) : Effect.void
        assert.strictEqual((yield* intents.ended("k")).length, 1)
        // The first may be about to end still.
        yield* eventually(
          Effect.andThen(
            Effect.sync(() => engine.intended("k")),
            Effect.map(standsBeside("k"), (stands) => !stands)
          )
        )
        yield* gone("k")
        assert.deepStrictEqual(seen, allOf("w:1").slice(0, 2))
      })
    )
  )

  it.effect(
    "keeps one whose tags are refused, because the epoch is at its end",
    scoped(
      Effect.gen(function*() {
        const { client, died, gone, hooks, intents, seen, standsBeside } = yield* setup
        const engine = yield* client()
        yield* died("k", "w:1")
        const asked = yield* Deferred.make<void>()
        const refused = refusal(new InvalidKey({ key: "epoch", problem: "it is at its end" }))
        hooks.invalidate = (what) =>
          what === "w:1" ? Effect.andThen(Deferred.succeed(asked, undefined), refused) : Effect.void
        engine.intended("k")
        yield* Deferred.await(asked)
        assert.strictEqual((yield* intents.ended("k")).length, 1)
        hooks.invalidate = () => Effect.void
        yield* eventually(
          Effect.andThen(
            Effect.sync(() => engine.intended("k")),
            Effect.map(standsBeside("k"), (stands) => !stands)
          )
        )
        yield* gone("k")
        assert.deepStrictEqual(seen, allOf("w:1"))
      })
    )
  )

  it.effect(
    "does not settle what its writer has put down anew meanwhile",
    scoped(
      Effect.gen(function*() {
        const { client, died, hooks, intents } = yield* setup
        const engine = yield* client()
        yield* died("k", "w:1")
        const [asked, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        hooks.invalidate = () => Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(gate))
        engine.intended("k")
        yield* Deferred.await(asked)
        assert.isTrue(yield* intents.renew("k", "w:1", 60_000))
        yield* Deferred.succeed(gate, undefined)
        const settled = eventually(Effect.map(intents.ended("k"), (ended) => ended.length === 0))
        yield* settled
        assert.isTrue(yield* intents.renew("k", "w:1", 60_000))
      })
    )
  )

  it.effect(
    "sees to so many keys at once, also of one turn, and leaves more to the sweep",
    scoped(
      Effect.gen(function*() {
        const { backend, client } = yield* setup
        let asked = 0
        const ended = () =>
          Effect.suspend(() => {
            asked++
            return Effect.never
          })
        const engine = yield* client(withIntents(backend, () => ({ ended })))
        for (let i = 0; i < 200; i++) engine.intended(`k${i}`)
        for (let i = 0; i < 10; i++) yield* Effect.yieldNow
        assert.strictEqual(asked, 64)
      })
    )
  )

  it.effect(
    "uses nothing of the caller's, and stops with the client",
    scoped(
      Effect.gen(function*() {
        const { client, died, hooks, intents } = yield* setup
        class Lent extends Context.Service<Lent, string>()("effect-cache/test/Lent") {}
        const scope = yield* Scope.make()
        const engine = yield* Scope.provide(client(), scope)
        yield* died("k", "w:1")
        const asked = yield* Deferred.make<boolean>()
        const stopped = yield* Deferred.make<void>()
        hooks.invalidate = () =>
          Effect.withFiber((fiber) => {
            const lent = Context.getOption(fiber.context, Lent)._tag === "Some"
            const goesOn = Effect.andThen(Deferred.succeed(asked, lent), Effect.never)
            return Effect.onExit(goesOn, () => Deferred.succeed(stopped, undefined))
          })
        const caller = yield* Effect.forkChild(
          Effect.provideService(Effect.uninterruptible(Effect.sync(() => engine.intended("k"))), Lent, "a connection")
        )
        yield* Fiber.join(caller)
        assert.isFalse(yield* Deferred.await(asked))
        yield* Scope.close(scope, Exit.void)
        yield* Deferred.await(stopped)
        assert.strictEqual((yield* intents.ended("k")).length, 1)
      })
    )
  )
})
