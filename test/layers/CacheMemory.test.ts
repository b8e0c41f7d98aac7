import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { CacheMemory, getCacheStats } from "effect-cache"

it.effect("options out of range fail the layer", () =>
  Effect.gen(function*() {
    for (const options of [{ maxEntries: 0 }, { maxEntries: 1.5 }, { maxBytes: 0 }, { isolation: "x" as never }]) {
      const error = yield* Effect.flip(getCacheStats.pipe(Effect.provide(CacheMemory.layer(options))))
      assert.strictEqual(error.reason._tag, "InvalidOption")
    }
  })
)
