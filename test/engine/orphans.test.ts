import { assert, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { CacheError, Unavailable } from "../../src/CacheError.ts"
import { Orphans } from "../../src/engine/orphans.ts"
import { makeMemoryPrimitives } from "../../src/stores/memory/primitives.ts"
import { twoHands } from "../support/clocks.ts"

const unavailable = new CacheError({
  reason: new Unavailable({ backend: "test", operation: "release", cause: new Error("this shard is down") })
})

it.effect("a lease that cannot be given back does not hold up the others", () =>
  Effect.gen(function*() {
    const { backend } = yield* makeMemoryPrimitives({})
    const keys = ["bad", "good:1", "good:2"]
    for (const key of keys) yield* backend.acquire(key, `token of ${key}`, 60_000)
    const orphans = new Orphans({
      ...backend,
      release: (key, token, onLost) => (key === "bad" ? Effect.fail(unavailable) : backend.release(key, token, onLost))
    })
    for (const key of keys) yield* orphans.add(key, `token of ${key}`, 60_000)
    yield* TestClock.adjust("2 seconds")
    assert.deepStrictEqual(
      keys.map((key) => backend.local!.holder(key)),
      ["token of bad", undefined, undefined]
    )
    yield* orphans.close
  })
)

it.effect("nothing is started once it is closed", () =>
  Effect.gen(function*() {
    const { backend } = yield* makeMemoryPrimitives({})
    let asked = 0
    const orphans = new Orphans({
      ...backend,
      release: () =>
        Effect.andThen(
          Effect.sync(() => asked++),
          Effect.fail(unavailable)
        )
    })
    yield* orphans.close
    yield* orphans.add("key", "token", 60_000)
    yield* TestClock.adjust("10 seconds")
    assert.strictEqual(asked, 0)
  })
)

it.effect("is given back although the wall clock jumps ahead, and left alone once its lease has ended", () =>
  Effect.gen(function*() {
    const { backend } = yield* makeMemoryPrimitives({})
    const clock = yield* twoHands
    let asked = 0
    let answers = false
    const orphans = new Orphans({
      ...backend,
      release: (key, token, onLost) =>
        Effect.suspend(() => {
          asked++
          return answers ? backend.release(key, token, onLost) : Effect.fail(unavailable)
        })
    })
    const add = (key: string) =>
      Effect.andThen(backend.acquire(key, key, 60_000), orphans.add(key, key, 60_000)).pipe(
        Effect.provideService(Clock.Clock, clock)
      )
    yield* add("a")
    clock.wall += 86_400_000
    answers = true
    yield* TestClock.adjust("1 second")
    assert.isUndefined(backend.local!.holder("a"))
    answers = false
    yield* add("b")
    clock.wall -= 86_400_000
    clock.monotonic += 60_000
    yield* TestClock.adjust("1 second")
    const before = asked
    yield* TestClock.adjust("10 seconds")
    assert.strictEqual(asked, before)
    yield* orphans.close
  })
)
