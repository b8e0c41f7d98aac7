import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { CacheClient, writeThrough } from "effect-cache"
import { inProcess } from "../support/layers.ts"

for (const [name, layer] of inProcess) {
  describe(`writeThrough on ${name}`, () => {
    it.effect("a write with a bad key, a bad list or a list that throws still invalidates the rest", () =>
      Effect.gen(function*() {
        const cache = yield* CacheClient
        const Lists = { key: "item:{id}", schema: Schema.Number } as const
        const set = (key: string, tags: ReadonlyArray<string> = []) =>
          cache.set(key, 1, { schema: Schema.Number, tags })
        const gone = (key: string) => Effect.map(cache.get(key, Schema.Number), Option.isNone)
        const put = writeThrough(Lists, {
          invalidateKeys: ["list"],
          invalidatePatterns: ["lists:*"],
          invalidateTags: ["t"]
        })
        const write = put(({ id }: { readonly id: number }) => Effect.succeed(id))
        yield* Effect.all([set("list"), set("lists:1"), set("tagged", ["t"])])
        assert.isNaN(yield* write({ id: Number.NaN }))
        assert.deepStrictEqual([yield* gone("list"), yield* gone("lists:1"), yield* gone("tagged")], [true, true, true])

        yield* set("list")
        const some = writeThrough(Lists, { invalidateKeys: () => ["", "list"] })(({ id }: { readonly id: number }) =>
          Effect.succeed(id)
        )
        yield* some({ id: 1 })
        assert.isTrue(yield* gone("list"))

        yield* set("lists:1")
        const throwing = writeThrough(Lists, {
          invalidateKeys: () => {
            throw new Error("bug")
          },
          invalidatePatterns: ["lists:*"]
        })(({ id }: { readonly id: number }) => Effect.succeed(id))
        assert.strictEqual((yield* Effect.exit(throwing({ id: 1 })))._tag, "Failure")
        assert.isTrue(yield* gone("lists:1"))

        yield* set("list")
        yield* Effect.exit(put((_: { readonly id: number }) => Effect.fail("no answer"))({ id: 1 }))
        assert.isTrue(yield* gone("list"))

        const strict = writeThrough({ ...Lists, onCacheError: "fail" })(({ id }: { readonly id: number }) =>
          Effect.die(String(id))
        )
        assert.strictEqual((yield* Effect.flip(strict({ id: Number.NaN }))).reason._tag, "InvalidKey")
      }).pipe(Effect.provide(layer))
    )
  })
}
