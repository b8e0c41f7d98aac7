import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { guard, guardDefaults } from "../../../src/stores/guard/guard.ts"
import { makeMemoryPrimitives } from "../../../src/stores/memory/primitives.ts"

for (const as of ["write", "set", "refresh"] as const) {
  it.effect(`a take-over of a ${as} has as long as it may take`, () =>
    Effect.gen(function*() {
      const { backend, tags } = yield* makeMemoryPrimitives({})
      const primary = {
        tags,
        backend: {
          ...backend,
          local: undefined,
          fast: undefined,
          replicationMillis: 1_000,
          // A set that finds writes waits for replicas, as `stores/redis/backend.ts` does.
          takeOver: (...args: Parameters<typeof backend.takeOver>) =>
            Effect.andThen(
              Effect.sleep(guardDefaults.timeoutMillis + (as === "refresh" ? -100 : 500)),
              backend.takeOver(...args)
            )
        }
      }
      const made = yield* guard(primary, guardDefaults, Effect.void)
      const fiber = yield* Effect.forkChild(Effect.exit(made.backend.takeOver("k", "t", 1_000, as)), {
        startImmediately: true
      })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Success")
    }).pipe(Effect.scoped)
  )
}
