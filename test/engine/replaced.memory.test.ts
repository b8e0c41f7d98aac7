import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import { CacheLayer, CacheMemory, writeAround, writeThrough } from "effect-cache"
import { openMapStore } from "../../examples/custom-backend/mapBackend.ts"
import { around } from "../../src/stores/around.ts"
import { makeMemoryPrimitives } from "../../src/stores/memory/primitives.ts"
import { replaced } from "./replaced.ts"

describe("what a write replaces, in a process", () => {
  replaced("memory", Effect.succeed(CacheMemory.layer()))
  replaced("copies", Effect.succeed(CacheMemory.layer({ isolation: "clone" })))
  replaced("bytes", Effect.succeed(CacheLayer.make(Effect.flatMap(openMapStore, ({ connect }) => connect))))

  it.effect("is asked for only by who wants it", () =>
    Effect.gen(function*() {
      const asked: Array<unknown> = []
      const layer = CacheLayer.make(
        Effect.map(makeMemoryPrimitives({}), (made) => ({
          ...made,
          ...around(made, (call, self) => {
            if (call.operation === "takeOver") asked.push(call.args[4])
            return self
          })
        }))
      )
      const region = { key: "row:{id}", schema: Schema.Number } as const
      const write = ({ id }: { readonly id: number }) => Effect.succeed(id)
      const nothing = () => []
      yield* Effect.gen(function*() {
        yield* writeThrough(region)(write)({ id: 1 })
        yield* writeThrough(region, { invalidateTags: ["t"] })(write)({ id: 1 })
        yield* writeAround(region, { invalidateTags: ["t"] })(write)({ id: 1 })
        yield* writeAround({ keys: ["row:1"], invalidateTags: nothing })(write)({ id: 1 })
        yield* writeThrough(region, { invalidateOwnTags: true })(write)({ id: 1 })
        yield* writeAround({ keys: ["row:1"], invalidateOwnTags: true, invalidateTags: nothing })(write)({ id: 1 })
        yield* writeAround(region, { invalidateTags: nothing })(write)({ id: 1 })
        yield* writeThrough(region, { invalidateOwnTags: true, invalidateTags: nothing })(write)({ id: 1 })
      }).pipe(Effect.provide(layer))
      const [no, header, entry] = [undefined, "header", "entry"]
      assert.deepStrictEqual(asked, [no, no, no, no, header, header, entry, entry])
    })
  )

  it.effect("a copy of it is handed out where callers share nothing", () =>
    Effect.gen(function*() {
      const List = Schema.Array(Schema.String)
      const mutable: Array<string> = ["a"]
      const region = { key: "list:{id}", schema: List } as const
      const seen: Array<ReadonlyArray<string>> = []
      const write = writeThrough(region, {
        invalidateTags: ({ previous }) => {
          if (Option.isSome(previous)) seen.push(previous.value)
          return []
        }
      })((_: { readonly id: number }) => Effect.succeed(mutable as ReadonlyArray<string>))
      yield* write({ id: 1 })
      yield* write({ id: 1 })
      assert.deepStrictEqual(seen, [["a"]])
      assert.notStrictEqual(seen[0], mutable)
    }).pipe(Effect.provide(Layer.fresh(CacheMemory.layer({ isolation: "clone" }))))
  )

  it("checks the option", () => {
    const region = { key: "row:{id}", schema: Schema.Number } as const
    for (const make of [
      () => writeThrough(region, { invalidateOwnTags: "yes" as never }),
      () => writeAround({ keys: [], invalidateOwnTags: 1 as never })
    ]) {
      assert.throws(make, "invalidateOwnTags")
    }
  })
})
