import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { CacheError, Unavailable } from "../../src/CacheError.ts"
import { Orphans } from "../../src/engine/orphans.ts"
import { makeMemoryPrimitives } from "../../src/stores/memory/primitives.ts"

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
