/**
 * A step of a write that went wrong: its token must not stay in the lease.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { CacheError, CacheLayer, Unavailable, writeThrough } from "effect-cache"
import { openMapStore } from "../../examples/custom-backend/mapBackend.ts"
import { buildClient } from "../support/client.ts"

const gone = new CacheError({
  reason: new Unavailable({ backend: "map", operation: "test", cause: new Error("gone") })
})

for (const [what, write] of [
  ["fill", Effect.succeed(1)],
  ["release", Effect.fail("no")]
] as const) {
  it.effect(`a writer whose ${what} fails, and was not carried out, gives its lease back`, () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { backend, locks, tags } = yield* (yield* openMapStore).connect
        let failures = 1
        const once = <A>(step: string, self: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
          Effect.suspend(() => (step === what && failures-- > 0 ? Effect.fail(gone) : self))
        const primitives = {
          locks,
          tags,
          backend: {
            ...backend,
            fill: (...args: Parameters<typeof backend.fill>) => once("fill", backend.fill(...args)),
            release: (...args: Parameters<typeof backend.release>) => once("release", backend.release(...args))
          }
        }
        const client = yield* buildClient(CacheLayer.make(Effect.succeed(primitives)))
        const writing = writeThrough({ key: "row", schema: Schema.Number, ttl: "1 minute" })
        yield* client.run(Effect.exit(writing((): Effect.Effect<number, string> => write)()))
        // In the background, as soon as the store answers.
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* backend.acquire("row", "asks", 10_000), "asks")
      })
    )
  )
}
