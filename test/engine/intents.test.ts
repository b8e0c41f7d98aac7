/**
 * What a client does with intents: of its writes, and of those that writers left who died.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Ref, Scope } from "effect"
import { TestClock } from "effect/testing"
import { CacheError, InvalidKey, NoRoom } from "../../src/CacheError.ts"
import { makeIntents } from "../../src/engine/intents.ts"
import type { CacheBackend, Intent, Intents } from "../../src/services/CacheBackend.ts"
import { sharedRedis } from "../support/client.ts"
import { eventually, openStore, scoped } from "../stores/redis/support.ts"

const server = sharedRedis()
const every = 10_000

const intentOf = (name: string): Intent => ({ keys: [`${name}:key`], patterns: [`${name}:*`], tags: [name] })

const refusal = (reason: CacheError["reason"]) => Effect.fail(new CacheError({ reason }))
const noRoom = refusal(new NoRoom({ backend: "redis", operation: "intents", cause: new Error("full") }))

/** A store with some of its primitives of intents changed. */
const withIntents = (backend: CacheBackend["Service"], change: (right: Intents) => Partial<Intents>) => ({
  ...backend,
  intents: { ...backend.intents!, ...change(backend.intents!) }
})

const setup = Effect.gen(function*() {
  const store = yield* Effect.flatMap(server, openStore)
  const { backend } = store
  const intents = backend.intents!
  const seen: Array<string> = []
  const hooks = { invalidate: (_: string): Effect.Effect<void, CacheError> => Effect.void }
  const tell = (what: string, names: Iterable<string>) =>
    Effect.suspend(() => {
      const list = [...names]
      if (list.length === 0) return Effect.void
      return Effect.tap(hooks.invalidate(list.join()), () => Effect.sync(() => seen.push(`${what} ${list.join()}`)))
    })
  const client = (changed: CacheBackend["Service"] = backend, sweepMillis: number | undefined = undefined) =>
    makeIntents({
      backend: changed,
      sweepMillis,
      invalidateKeys: (keys) => tell("keys", keys),
      invalidatePattern: (pattern) => tell("pattern", [pattern]),
      invalidateTags: (tags) => tell("tags", tags)
    })
  /** What a writer that died has left, and that it has ended. */
  const died = (key: string, token: string, intent = intentOf(token)) =>
    Effect.andThen(
      intents.put(key, token, intent, 1),
      eventually(Effect.map(intents.ended(key), (ended) => ended.some((one) => one.token === token)))
    )
  const gone = (key: string) => eventually(Effect.map(intents.pending(key), (pending) => !pending))
  const size = Effect.promise(() => store.client.zcard(`${store.namespace}:intents`))
  return { ...store, intents, seen, hooks, client, died, gone, size }
})

const allOf = (name: string) => [`tags ${name}`, `keys ${name}:key`, `pattern ${name}:*`]

describe("the intent of a write", () => {
  it.effect(
    "is put down, renewed, and dropped; of one with nothing to put down there is none",
    scoped(
      Effect.gen(function*() {
        const { client, intents } = yield* setup
        const engine = yield* client()
        const fail = () => Effect.die("told")
        assert.isUndefined(engine.of("k", "w:1", { keys: [], patterns: [], tags: [] }, 1_000, fail))
        const mine = engine.of("k", "w:1", intentOf("a"), 60_000, fail)!
        yield* mine.drop
        assert.isTrue(yield* mine.put)
        assert.isTrue(yield* engine.pending("k"))
        // Lost, as by an eviction: it is put down anew.
        yield* intents.drop("k", "w:1")
        yield* mine.renew
        assert.isTrue(yield* engine.pending("k"))
        yield* mine.renew
        assert.deepStrictEqual(yield* intents.ended("k"), [])
        yield* mine.drop
        assert.isFalse(yield* engine.pending("k"))
      })
    )
  )

  it.effect(
    "that cannot be put down is told of once, and fails nothing",
    scoped(
      Effect.gen(function*() {
        const { backend, client } = yield* setup
        const engine = yield* client(
          withIntents(backend, () => ({
            put: () => noRoom,
            renew: () => noRoom,
            drop: () => noRoom,
            pending: () => noRoom
          }))
        )
        const told = yield* Ref.make(0)
        const mine = engine.of("k", "w:1", intentOf("a"), 60_000, () => Ref.update(told, (n) => n + 1))!
        assert.isFalse(yield* mine.put)
        yield* mine.renew
        yield* mine.drop
        assert.isFalse(yield* engine.pending("k"))
        assert.strictEqual(yield* Ref.get(told), 1)
      })
    )
  )

  it.effect(
    "that was not acknowledged is dropped all the same",
    scoped(
      Effect.gen(function*() {
        const { backend, client, intents } = yield* setup
        const engine = yield* client(
          withIntents(backend, ({ put }) => ({ put: (...args) => Effect.andThen(put(...args), noRoom) }))
        )
        const mine = engine.of("k", "w:1", intentOf("a"), 60_000, () => Effect.void)!
        assert.isFalse(yield* mine.put)
        assert.isTrue(yield* intents.pending("k"))
        yield* mine.drop
        assert.isFalse(yield* intents.pending("k"))
      })
    )
  )

  it.effect("is none on a store that keeps none", () =>
    Effect.gen(function*() {
      const { client, backend } = yield* setup
      const engine = yield* client({ ...backend, intents: undefined }, every)
      assert.isUndefined(engine.of("k", "w:1", intentOf("a"), 1_000, () => Effect.void))
      assert.isFalse(yield* engine.pending("k"))
      yield* engine.granted("k")
    }).pipe(Effect.scoped)
  )
})

describe("who is granted the lease of a key", () => {
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
        yield* engine.granted("k")
        yield* engine.granted("k")
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
        const { client, died, gone, hooks, intents, seen } = yield* setup
        const engine = yield* client()
        yield* died("k", "w:1")
        const asked = yield* Deferred.make<void>()
        hooks.invalidate = () => Effect.andThen(Deferred.succeed(asked, undefined), noRoom)
        yield* engine.granted("k")
        yield* Deferred.await(asked)
        hooks.invalidate = (what) =>
          what === "w:1" ? refusal(new InvalidKey({ key: what, problem: "of a test" })) : Effect.void
        assert.strictEqual((yield* intents.ended("k")).length, 1)
        // The first may be about to end still.
        yield* eventually(
          Effect.andThen(
            engine.granted("k"),
            Effect.map(intents.pending("k"), (pending) => !pending)
          )
        )
        yield* gone("k")
        assert.deepStrictEqual(seen, allOf("w:1").slice(1))
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
        yield* engine.granted("k")
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
          Effect.provideService(Effect.uninterruptible(engine.granted("k")), Lent, "a connection")
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

describe("the sweep", () => {
  it.effect(
    "carries out within its interval what was left beside keys that nobody loads, and forgets it",
    scoped(
      Effect.gen(function*() {
        const { client, died, gone, intents, seen, size } = yield* setup
        yield* client(undefined, every)
        yield* died("k", "w:1")
        yield* died("l", "w:2")
        yield* intents.put("m", "w:live", intentOf("live"), 60_000)
        yield* TestClock.adjust(every * 0.74)
        assert.deepStrictEqual(seen, [])
        yield* TestClock.adjust(every * 0.22)
        yield* gone("k")
        yield* gone("l")
        assert.deepStrictEqual([...seen].sort(), [...allOf("w:1"), ...allOf("w:2")].sort())
        // The living one, and whose turn it is.
        yield* eventually(Effect.map(size, (count) => count === 2))
        assert.isTrue(yield* intents.pending("m"))
      })
    )
  )

  it.effect(
    "goes on at once where there are more than it takes",
    scoped(
      Effect.gen(function*() {
        const { client, intents, seen, size } = yield* setup
        const tokens = Array.from({ length: 250 }, (_, i) => `w:${i}`)
        yield* Effect.forEach(
          tokens,
          (token) => intents.put(token, token, { keys: [], patterns: [], tags: [token] }, 1),
          {
            concurrency: 50
          }
        )
        yield* eventually(Effect.map(intents.ended("w:249"), (ended) => ended.length === 1))
        yield* client(undefined, every)
        yield* TestClock.adjust(every)
        yield* eventually(Effect.map(size, (count) => count <= 1))
        assert.deepStrictEqual([...seen].sort(), tokens.map((token) => `tags ${token}`).sort())
      })
    )
  )

  it.effect(
    "is silent while the store is away, and comes back",
    scoped(
      Effect.gen(function*() {
        const { backend, client, died, gone, seen } = yield* setup
        let away = true
        let asked = 0
        yield* client(
          withIntents(backend, ({ sweep }) => ({
            sweep: (...args) => {
              asked++
              return away ? noRoom : sweep(...args)
            }
          })),
          every
        )
        yield* died("k", "w:1")
        yield* TestClock.adjust(every * 5)
        assert.isAtLeast(asked, 5)
        assert.isAtMost(asked, 6)
        away = false
        yield* TestClock.adjust(every)
        yield* gone("k")
        assert.deepStrictEqual(seen, allOf("w:1"))
      })
    )
  )

  it.effect(
    "stops with the client, and is not there when it is turned off",
    scoped(
      Effect.gen(function*() {
        const { backend, client } = yield* setup
        let asked = 0
        const counting = withIntents(backend, () => ({
          sweep: () =>
            Effect.sync(() => {
              asked++
              return { found: [], waitMillis: 0 }
            })
        }))
        const scope = yield* Scope.make()
        yield* Scope.provide(client(counting, every), scope)
        yield* client(counting)
        yield* TestClock.adjust(every)
        assert.strictEqual(asked, 1)
        yield* Scope.close(scope, Exit.void)
        yield* TestClock.adjust(every * 10)
        assert.strictEqual(asked, 1)
      })
    )
  )
})
