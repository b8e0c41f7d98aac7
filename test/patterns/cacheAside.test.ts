import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { buildCachePattern, cacheAside, getCacheStats, invalidatePattern, invalidateTags } from "effect-cache"
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

    it.effect("a part with a ? may be absent: one entry, and another than that of any text", () =>
      Effect.gen(function*() {
        let loads = 0
        const spec = {
          key: "list:{tenant}:{cursor?}",
          schema: Schema.Number,
          ttl: "1 minute",
          tags: (_: number, { cursor, tenant }: { readonly tenant: unknown; readonly cursor?: unknown }) => [
            `${tenant} ${cursor ?? "first"}`
          ]
        } as const
        const list = cacheAside(spec)((_: { readonly tenant: string; readonly cursor?: string | undefined }) =>
          Effect.sync(() => ++loads)
        )
        assert.strictEqual(yield* list({ tenant: "1" }), 1)
        assert.strictEqual(yield* list({ tenant: "1", cursor: undefined }), 1)
        assert.strictEqual(yield* list({ tenant: "1", cursor: "" }), 2)
        assert.strictEqual(yield* list({ tenant: "1", cursor: "%-" }), 3)
        yield* invalidateTags(["1 first"])
        assert.strictEqual(yield* list({ tenant: "1" }), 4)
        yield* list.invalidate({ tenant: "1" })
        assert.strictEqual(yield* list({ tenant: "1" }), 5)
        assert.strictEqual(yield* list({ tenant: "1", cursor: "" }), 2)
        yield* invalidatePattern(buildCachePattern("list:{tenant}:{cursor?}", { params: { tenant: "1" } }))
        assert.strictEqual(yield* list({ tenant: "1" }), 6)
        assert.strictEqual(yield* list({ tenant: "1", cursor: "" }), 7)

        const all = cacheAside({ key: "all:{cursor?}", schema: Schema.Number })(
          (_?: { readonly cursor?: string | undefined }) => Effect.sync(() => ++loads)
        )
        assert.strictEqual(yield* all(), 8)
        assert.strictEqual(yield* all({}), 8)
        const page = cacheAside({ key: "page:{0}:{1?}", schema: Schema.Number })((_: string, _at?: number) =>
          Effect.sync(() => ++loads)
        )
        assert.strictEqual(yield* page("a"), 9)
        assert.strictEqual(yield* page("a", undefined), 9)
        assert.strictEqual(yield* page("a", 0), 10)
        yield* page.clear
        assert.strictEqual(yield* page("a"), 11)
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
