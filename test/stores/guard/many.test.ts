/**
 * Calls of many keys or tags: parts with a deadline each, and what of them was not acknowledged.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger } from "effect"
import { TestClock } from "effect/testing"
import { CacheError, NotReplicated, Unavailable } from "effect-cache"
import { guard, guardDefaults, type GuardOptions } from "../../../src/stores/guard/guard.ts"
import { makeMemoryPrimitives } from "../../../src/stores/memory/primitives.ts"
import { ticking } from "../../support/ticking.ts"

const gone = new CacheError({
  reason: new Unavailable({ backend: "fake", operation: "test", cause: new Error("gone") })
})
const lagging = new CacheError({
  reason: new NotReplicated({ backend: "fake", replicas: 1, acknowledged: 0, millis: 1 })
})

type Answer = (part: number) => Effect.Effect<void, CacheError>

/** A store outside this process, as far as the guard can tell. */
const guarded = (options: Partial<GuardOptions> = {}, replicationMillis = 0) =>
  Effect.gen(function*() {
    const { backend, tags } = yield* makeMemoryPrimitives({})
    const calls: Array<ReadonlyArray<string>> = []
    let cleared = 0
    const state: { answer: Answer } = { answer: () => Effect.void }
    const asked = (list: ReadonlyArray<string>) =>
      Effect.suspend(() => {
        calls.push(list)
        return state.answer(calls.length)
      })
    const clear = Effect.sync(() => {
      cleared++
    })
    const primary = {
      backend: {
        ...backend,
        local: undefined,
        fast: undefined,
        replicationMillis,
        clear,
        remove: (keys: ReadonlyArray<string>) => Effect.as(asked(keys), keys.length)
      },
      tags: { ...tags, invalidate: asked }
    }
    const logged: Array<string> = []
    const logger = Logger.layer([
      Logger.make<unknown, void>(({ logLevel, message }) => {
        if (logLevel === "Warn") logged.push(String([message].flat()[0]))
      })
    ])
    const made = yield* Effect.provide(guard(primary, { ...guardDefaults, ...options }, Effect.void), logger)
    const run = Effect.provide(logger)
    return { ...made, calls, logged, run, state, cleared: () => cleared }
  })

const items = Array.from({ length: 5_000 }, (_, i) => `item:${i}`)

const kinds = ["keys", "tags"] as const

describe("a call of many", () => {
  for (const kind of kinds) {
    it.effect(`${kind}: goes in parts, and lets others run between them`, () =>
      Effect.gen(function*() {
        const made = yield* guarded()
        const turns = yield* ticking((ticks) =>
          Effect.gen(function*() {
            if (kind === "keys") assert.strictEqual(yield* made.backend.remove(items), items.length)
            else yield* made.tags.invalidate(items)
            return ticks()
          })
        )
        assert.deepStrictEqual(made.calls.flat(), items)
        assert.isAtMost(Math.max(...made.calls.map(({ length }) => length)), 512)
        assert.isAtLeast(turns, made.calls.length - 1)
      }).pipe(Effect.scoped)
    )

    it.effect(`${kind}: has as long for each part as others have for all`, () =>
      Effect.gen(function*() {
        const made = yield* guarded()
        made.state.answer = () => Effect.sleep(guardDefaults.timeoutMillis - 1)
        const call = kind === "keys" ? Effect.asVoid(made.backend.remove(items)) : made.tags.invalidate(items)
        const fiber = yield* Effect.forkChild(call, { startImmediately: true })
        yield* TestClock.adjust("5 minutes")
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(made.calls.flat(), items)
      }).pipe(Effect.scoped)
    )

    it.effect(`${kind}: what was not acknowledged is made up for, and nothing else`, () =>
      Effect.gen(function*() {
        const made = yield* guarded()
        made.state.answer = (part) => (part === 4 ? Effect.fail(gone) : Effect.void)
        const call = kind === "keys" ? Effect.asVoid(made.backend.remove(items)) : made.tags.invalidate(items)
        assert.deepStrictEqual(yield* Effect.exit(made.run(call)), Exit.fail(gone))
        const acknowledged = made.calls.slice(0, 3).flat()
        made.calls.length = 0
        made.state.answer = () => Effect.void
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual([...acknowledged, ...made.calls.flat()], items)
        assert.strictEqual(made.cleared(), 0)
        assert.isEmpty(made.logged.filter((line) => line.includes("too many")))
      }).pipe(Effect.scoped)
    )

    it.effect(`${kind}: is carried out to its end also where replicas are late, and says so`, () =>
      Effect.gen(function*() {
        const made = yield* guarded({}, 1_000)
        const many = [...items, ...items.map((item) => `${item}:x`)]
        made.state.answer = () => Effect.fail(lagging)
        const call = kind === "keys" ? Effect.asVoid(made.backend.remove(many)) : made.tags.invalidate(many)
        assert.deepStrictEqual(yield* Effect.exit(call), Exit.fail(lagging))
        assert.deepStrictEqual(made.calls.flat(), many)
        // Each part may wait for replicas, so there are few.
        assert.isAtMost(made.calls.length, 2)
      }).pipe(Effect.scoped)
    )

    it.effect(
      `${kind}: with more left over than may be written down the namespace is cleared, and a warning says so`,
      () =>
        Effect.gen(function*() {
          const made = yield* guarded({ journalLimit: 1_000 })
          made.state.answer = () => Effect.fail(gone)
          const call = kind === "keys" ? Effect.asVoid(made.backend.remove(items)) : made.tags.invalidate(items)
          yield* Effect.exit(made.run(call))
          yield* Effect.exit(made.run(call))
          assert.lengthOf(
            made.logged.filter((line) => line.includes("too many invalidations to write down")),
            1
          )
          yield* TestClock.adjust("10 seconds")
          assert.strictEqual(made.cleared(), 1)
        }).pipe(Effect.scoped)
    )

    it.effect(`${kind}: is seen to its end when its caller leaves in the middle`, () =>
      Effect.gen(function*() {
        const made = yield* guarded()
        made.state.answer = () => Effect.sleep("100 millis")
        const call = kind === "keys" ? Effect.asVoid(made.backend.remove(items)) : made.tags.invalidate(items)
        const fiber = yield* Effect.forkChild(call, { startImmediately: true })
        yield* TestClock.adjust("250 millis")
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(made.calls.flat(), items)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("what is no pattern is refused, and not written down: it could never be carried out", () =>
    Effect.gen(function*() {
      const made = yield* guarded()
      const error = yield* Effect.flip(made.backend.removeMatching(""))
      assert.strictEqual(error.reason._tag, "InvalidKey")
      // It is no outage.
      assert.strictEqual(yield* made.backend.remove(["k"]), 1)
      assert.deepStrictEqual(made.logged, [])
    })
  )
})
