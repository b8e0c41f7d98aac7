import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { cacheAside, getCacheStats, invalidateTags } from "effect-cache"
import { inProcess } from "../support/layers.ts"

for (const [name, layer] of inProcess) {
  describe(`getCacheStats on ${name}`, () => {
    it.effect("statistics say what happened, in all and per region", () =>
      Effect.gen(function*() {
        const get = cacheAside({ key: "n:{id}", schema: Schema.Number, tags: ["n"] })(
          ({ id }: { readonly id: number }) => (id < 0 ? Effect.fail("negative") : Effect.succeed(id))
        )
        yield* get({ id: 1 })
        yield* get({ id: 1 })
        yield* get({ id: 1 })
        yield* Effect.flip(get({ id: -1 }))
        yield* invalidateTags(["n"])
        yield* get({ id: 1 })
        const stats = yield* getCacheStats
        assert.deepInclude(stats, {
          scope: "process",
          hits: 2,
          misses: 3,
          stale: 1,
          hitRate: 0.4,
          loads: 3,
          loadFailures: 1,
          inFlight: 0,
          size: 1
        })
        assert.isAbove(stats.memoryMb!, 0)
        assert.isUndefined(stats.unavailable)
        assert.deepInclude(stats.regions[0], { region: "n:{id}", hits: 2, misses: 3 })
      }).pipe(Effect.provide(layer))
    )
  })
}
