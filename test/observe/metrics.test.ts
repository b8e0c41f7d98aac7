import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric, Schema } from "effect"
import { cacheAside, invalidateKey } from "effect-cache"
import { inProcess } from "../support/layers.ts"

for (const [name, layer] of inProcess) {
  describe(`metrics on ${name}`, () => {
    it.effect("metrics have bounded labels", () =>
      Effect.gen(function*() {
        const get = cacheAside({ key: "m:{id}", schema: Schema.Number })(({ id }: { readonly id: number }) =>
          Effect.succeed(id)
        )
        yield* get({ id: 1 })
        yield* get({ id: 1 })
        yield* get({ id: 2 })
        yield* invalidateKey("m:1")
        const series = (yield* Metric.snapshot).filter(({ id }) => id.startsWith("effect_cache_"))
        const label = ({ attributes, id }: (typeof series)[number]) =>
          `${id} ${JSON.stringify(Object.entries(attributes ?? {}).sort())}`
        const layerName = name === "bytes" ? "test" : "memory"
        const labels = series.map(label).sort()
        assert.deepStrictEqual(
          labels,
          [
            'effect_cache_invalidations_total [["kind","key"]]',
            `effect_cache_load [["layer","${layerName}"],["region","m:{id}"]]`,
            `effect_cache_requests_total [["layer","${layerName}"],["outcome","hit"],["region","m:{id}"]]`,
            `effect_cache_requests_total [["layer","${layerName}"],["outcome","miss"],["region","m:{id}"]]`
          ]
            .sort()
            .map((text) =>
              text.replace(
                /effect_cache_load (.*)/,
                (_, rest) => labels.find((l) => l.startsWith("effect_cache_load")) ?? rest
              )
            )
        )
      }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()), Effect.provide(layer))
    )
  })
}
