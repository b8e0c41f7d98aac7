import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Tracer } from "effect"
import { cacheAside, CacheRegion, writeThrough } from "effect-cache"
import { inProcess } from "../support/layers.ts"

for (const [name, layer] of inProcess) {
  describe(`spans on ${name}`, () => {
    it.effect("spans are opened where a tracer looks", () =>
      Effect.gen(function*() {
        const spans: Array<Tracer.Span> = []
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            spans.push(span)
            return span
          }
        })
        const Numbers = CacheRegion.make({ key: "s:{id}", schema: Schema.Number })
        const get = cacheAside(Numbers)(({ id }: { readonly id: number }) => Effect.succeed(id))
        const put = writeThrough(Numbers)(({ id }: { readonly id: number }) => Effect.succeed(id))
        yield* Effect.all([get({ id: 1 }), put({ id: 1 }), get.refresh({ id: 1 }), get.invalidate({ id: 1 })]).pipe(
          Effect.provideService(Tracer.Tracer, tracer)
        )
        const names = new Set(spans.map((span) => span.name))
        for (const expected of ["cache.load", "cache.write", "cache.refresh", "cache.invalidate"])
          assert.isTrue(names.has(expected), expected)
        const load = spans.find((span) => span.name === "cache.load")!
        assert.strictEqual(load.attributes.get("cache.region"), "s:{id}")
        assert.strictEqual(load.attributes.get("cache.key"), "s:1")
      }).pipe(Effect.provide(layer))
    )
  })
}
