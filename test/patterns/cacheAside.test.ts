import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { cacheAside, getCacheStats } from "effect-cache"
import { inProcess } from "../support/layers.ts"

for (const [name, layer] of inProcess) {
  describe(`cacheAside on ${name}`, () => {
    it.effect("a part that cannot be in a key bypasses, or fails where asked to", () =>
      Effect.gen(function*() {
        let loads = 0
        const load = (_: { readonly id: number }) => Effect.sync(() => ++loads)
        const spec = { key: "n:{id}", schema: Schema.Number } as const
        const bypass = cacheAside(spec)(load)
        assert.strictEqual(yield* bypass({ id: Number.NaN }), 1)
        assert.strictEqual(yield* bypass({ id: Number.NaN }), 2)
        assert.strictEqual(yield* bypass(null as never), 3)
        const error = yield* Effect.flip(cacheAside({ ...spec, onCacheError: "fail" })(load)({ id: Number.NaN }))
        assert.strictEqual(error.reason._tag, "InvalidKey")
        assert.include(error.message, "{id}")
        assert.strictEqual((yield* Effect.flip(bypass.invalidate({ id: Number.NaN }))).reason._tag, "InvalidKey")
        assert.strictEqual((yield* getCacheStats).errors.InvalidKey, 4)
      }).pipe(Effect.provide(layer))
    )

    it.effect("a value that is not of the schema is returned, and not stored", () =>
      Effect.gen(function*() {
        if (name === "bytes") return // CacheTest makes it a defect
        const spec = { key: "n", schema: Schema.Number } as const
        const wrong = Effect.succeed("text" as never).pipe(cacheAside(spec))
        assert.strictEqual<unknown>(yield* wrong, "text")
      }).pipe(Effect.provide(layer))
    )
  })
}
