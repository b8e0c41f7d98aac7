/** What is invalidated in a transaction counts as it does outside. */
import { assert, describe } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { CacheClient, CacheMemory, invalidateKeys, invalidateTags } from "effect-cache"
import { buildClient } from "../../support/client.ts"
import { test } from "./setup.ts"

const counted = Effect.map(Metric.snapshot, (series) =>
  series
    .filter(({ id }) => id === "effect_cache_invalidations_total")
    .map(({ attributes, state }) => [
      Object.values(attributes ?? {})[0],
      (state as unknown as { readonly count: number }).count
    ])
)

describe("invalidations in a transaction", () => {
  test(buildClient(CacheMemory.layer()), "are counted by what they name, each once", ({ begin, transaction }) =>
    Effect.gen(function*() {
      yield* begin("a", 1)
      yield* transaction(
        Effect.gen(function*() {
          yield* invalidateKeys(["row:a", "row:b"])
          yield* invalidateTags(["rows"])
          yield* CacheClient.use((client) => client.invalidatePattern("row:*"))
        })
      )
      const found = yield* counted
      assert.deepStrictEqual(found.sort(), [
        ["key", 2],
        ["pattern", 1],
        ["tag", 1]
      ])
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
  )
})
