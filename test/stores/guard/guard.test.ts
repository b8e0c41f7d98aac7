/**
 * When a primary is trusted, and what makes up for invalidations that failed: as users of `CacheFallback` see it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger, References, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import {
  cacheAside,
  CacheClient,
  CacheFallback,
  CacheMemory,
  type CacheServices,
  invalidateKey,
  invalidatePattern,
  invalidateTags
} from "effect-cache"
import { CacheTest, type Fault } from "effect-cache/testing"
import { Other, layer, counted, down, up } from "../../support/fallback.ts"

describe("the guard of a primary", () => {
  it.effect("stops asking a primary that keeps failing", () =>
    Effect.gen(function*() {
      const get = cacheAside({ key: "u:{id}", schema: Schema.Number })(({ id }: { readonly id: number }) =>
        Effect.succeed(id)
      )
      const test = yield* CacheTest
      yield* down
      for (let id = 0; id < 50; id++) yield* get({ id })
      assert.strictEqual(yield* test.calls("read"), 3)
      yield* up
      yield* get({ id: 1 })
      assert.strictEqual(yield* test.calls("read"), 5) // the look, and the one beside the lease
    }).pipe(Effect.provide(layer({ failureThreshold: 3 })))
  )

  it.effect("an invalidation that fails is in force before the primary is trusted again, by key, tag and pattern", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      for (const invalidate of [invalidateKey("n:1"), invalidateTags(["n"]), invalidatePattern("n:*")]) {
        const { get, state } = counted()
        yield* CacheClient.use((cache) => cache.clear)
        yield* get({ id: 1 })
        yield* down
        assert.strictEqual((yield* Effect.flip(invalidate)).reason._tag, "Unavailable")
        // Back, but not made up for: not one read goes to the primary.
        yield* test.heal
        assert.strictEqual(yield* get({ id: 1 }), 2)
        yield* up
        assert.strictEqual(yield* get({ id: 1 }), 3)
        assert.strictEqual(yield* get({ id: 1 }), 3)
        assert.strictEqual(state.loads, 3)
      }
    }).pipe(Effect.provide(layer()))
  )

  it.effect("says once that it is away, at Info where the backend says it itself, and once that it is back", () => {
    const lines: Array<string> = []
    const logger = Logger.layer([
      Logger.make(({ logLevel, message }) => {
        lines.push(`${logLevel}: ${String(message)}`)
      })
    ])
    const outage = (fault: Fault) =>
      Effect.gen(function*() {
        const test = yield* CacheTest
        yield* test.inject("*", fault)
        const failed = yield* Effect.forkChild(Effect.exit(invalidateKey("n:1")))
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(failed)
        yield* up
        return lines.splice(0).filter((line) => /away|back/.test(line))
      })
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* outage({ fail: true }), [
        "Info: effect-cache: test is away, carrying on without it: Unavailable: remove on test failed: injected by the test",
        "Info: effect-cache: test is back"
      ])
      assert.deepStrictEqual(yield* outage({ delay: "1 minute" }), [
        "Warn: effect-cache: test is away, carrying on without it: TimedOut: remove on test took longer than 1000 ms",
        "Info: effect-cache: test is back"
      ])
    }).pipe(Effect.provide(layer()), Effect.provide(logger), Effect.provideService(References.MinimumLogLevel, "Debug"))
  })

  it.effect("a journal that overflows clears the namespace", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const { get } = counted()
      yield* get({ id: 7 })
      yield* down
      for (let id = 0; id < 20; id++) yield* Effect.flip(invalidateKey(`other:${id}`))
      yield* up
      assert.isUndefined(yield* test.entry("n:7"))
    }).pipe(Effect.provide(layer({ journalLimit: 10 })))
  )

  it.effect("a replay that fails half way is done again", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const { get } = counted()
      yield* get({ id: 1 })
      yield* down
      yield* Effect.flip(invalidateTags(["n"]))
      yield* test.heal
      yield* test.inject("invalidate", { fail: true, times: 2 })
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* get({ id: 1 }), 2)
      assert.isDefined(yield* test.entry("n:1"))
    }).pipe(Effect.provide(layer()))
  )

  it.effect("invalidations during a long replay go to the primary, so that the replay ends", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const { get, state } = counted()
      yield* down
      yield* Effect.flip(invalidatePattern("list:*"))
      yield* test.heal
      yield* test.inject("removeMatching", { delay: "900 millis" })
      // One invalidation a second, each of them slower to replay than the next is to come.
      const acknowledged = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 20 }),
          () => Effect.andThen(Effect.sleep("1 second"), Effect.result(invalidatePattern("list:*"))),
          { concurrency: "unbounded" }
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust("60 seconds")
      const last = (yield* Fiber.join(acknowledged)).at(-1)!
      assert.strictEqual(last._tag, "Success")
      yield* get({ id: 1 })
      assert.isDefined(yield* test.entry("n:1"))
      assert.strictEqual(state.loads, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("an answer that was on its way when the trust ended counts as well", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const values = { current: "v1" }
      const get = cacheAside({ key: "s:{id}", schema: Schema.String })((_: { readonly id: number }) =>
        Effect.sync(() => values.current)
      )
      const { other } = yield* Other
      yield* test.inject("read", { delay: "100 millis", times: 1 })
      const early = yield* Effect.forkChild(get({ id: 2 }), { startImmediately: true })
      yield* test.inject("read", { delay: "200 millis", times: 1 })
      const late = yield* Effect.forkChild(get({ id: 1 }), { startImmediately: true })
      yield* test.inject("remove", { fail: true, times: 1 })
      yield* Effect.flip(invalidateKey("x"))
      yield* TestClock.adjust("150 millis")
      yield* Fiber.join(early)
      assert.strictEqual(yield* get({ id: 1 }), "v1")
      // Another process stores the new value, and the read on its way sees it.
      values.current = "v2"
      yield* Effect.provideContext(get({ id: 1 }), other)
      yield* TestClock.adjust("50 millis")
      assert.strictEqual(yield* Fiber.join(late), "v2")
      assert.strictEqual(yield* get({ id: 1 }), "v2")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("an invalidation that runs while the client is closed is carried out", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const scope = yield* Scope.make()
      const services = yield* Scope.provide(
        Layer.build(
          CacheFallback.layer({
            primary: Layer.succeedContext(yield* Effect.context<CacheServices>()),
            fallback: CacheMemory.layer()
          })
        ),
        scope
      )
      yield* test.inject("remove", { delay: "500 millis" })
      const fiber = yield* Effect.forkChild(Effect.provideContext(invalidateKey("k"), services), {
        startImmediately: true
      })
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      yield* Fiber.join(closing)
      // Closed: what a write that is still running invalidates is carried out too.
      yield* test.heal
      yield* Effect.provideContext(invalidateKey("k"), services)
      assert.strictEqual(yield* test.calls("remove"), 2)
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("an invalidation whose caller does not wait is seen to its end", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      const { get } = counted()
      yield* get({ id: 1 })
      yield* test.inject("remove", { delay: "500 millis", times: 1 })
      const fiber = yield* Effect.forkChild(get.invalidate({ id: 1 }), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 second")
      assert.isUndefined(yield* test.entry("n:1"))
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a scan may take longer than one command", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      yield* test.inject("removeMatching", { delay: "5 seconds" })
      const fiber = yield* Effect.forkChild(invalidatePattern("a:*"), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("both passes of a pattern are seen to their end, also when the caller leaves during the first", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      yield* test.inject("removeMatching", { delay: "5 seconds" })
      const fiber = yield* Effect.forkChild(invalidatePattern("a:*"), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* test.calls("removeMatching"), 2)
    }).pipe(Effect.provide(layer()))
  )
})
