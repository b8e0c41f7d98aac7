/**
 * What people are warned of, in memory, and of a store of bytes that holds what nobody wrote.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import { cacheAside, CacheClient, CacheError, CacheLayer, CacheMemory, NotReplicated, writeThrough } from "effect-cache"
import { CacheTest } from "effect-cache/testing"
import { makeBytesBackend } from "../support/bytesBackend.ts"
import { reports } from "./reports.ts"
import { warnings } from "./withoutSchema.ts"

describe("warnings in memory", () => {
  const layer = CacheMemory.layer({ isolation: "clone" })
  reports((test) => Effect.provide(test, Layer.fresh(layer)))
})

describe("warnings of a store", () => {
  it.effect("too few replicas are told, where nobody else hears of them; that it is away is its guard's to say", () => {
    const { layer, texts } = warnings()
    const reason = new NotReplicated({ backend: "test", replicas: 2, acknowledged: 1, millis: 1_000 })
    return Effect.gen(function*() {
      const test = yield* CacheTest
      const write = writeThrough({ key: "few:{id}", schema: Schema.Number })(({ id }: { readonly id: number }) =>
        Effect.succeed(id)
      )
      yield* test.inject("takeOver", { fail: new CacheError({ reason }) })
      for (let i = 0; i < 3; i++) assert.strictEqual(yield* write({ id: i }), i)
      assert.strictEqual(texts.length, 1, texts.join("\n"))
      assert.include(texts[0], String.raw`1 of 2 replicas of test had what was invalidated or written in \"few:{id}\"`)
      yield* test.inject("*", { fail: true })
      yield* write({ id: 1 })
      assert.strictEqual(texts.filter((text) => text.includes("few:{id}")).length, 1, texts.join("\n"))
    }).pipe(Effect.provide(Layer.merge(CacheTest.layer, layer)))
  })
})

describe("warnings of what is stored", () => {
  it.effect("an entry whose payload was changed is a miss, and one line a minute", () =>
    Effect.gen(function*() {
      const store = yield* makeBytesBackend
      const { layer, texts } = warnings()
      yield* Effect.gen(function*() {
        let loads = 0
        const find = cacheAside({ key: "bytes:{id}", schema: Schema.String })((_: { readonly id: number }) =>
          Effect.sync(() => `load ${++loads}`)
        )
        for (let i = 0; i < 5; i++) {
          yield* find({ id: 1 })
          const bytes = store.entries.get("bytes:1")!
          // Its closing quote.
          bytes[bytes.length - 1] = 0
        }
        assert.strictEqual(loads, 5)
        assert.strictEqual(texts.length, 1)
        assert.include(texts[0], String.raw`a stored entry of \"bytes:{id}\" is not used`)
        assert.include(texts[0], "its payload is cut or no JSON")
        // Bytes that are no entry at all, and entries of another schema, are as on any deploy.
        store.entries.set("bytes:1", new Uint8Array([1, 2, 3]))
        yield* find({ id: 1 })
        const client = yield* CacheClient
        assert.isTrue(Option.isNone(yield* client.get("bytes:1", Schema.Number)))
        assert.strictEqual(texts.length, 1)
      }).pipe(Effect.provide(Layer.merge(CacheLayer.make(Effect.succeed(store.primitives)), layer)))
    }).pipe(Effect.scoped)
  )
})
