/**
 * A program that makes its schemas, regions and cached functions anew for each request: what this package keeps of them is
 * bounded. Sizes of tables are looked at, not the heap.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric, Schema } from "effect"
import { cacheAside, CacheClient, CacheMemory, memoize } from "../../src/index.ts"
import { stamps } from "../../src/internal/stamp.ts"
import { MemoryState } from "../../src/stores/memory/state.ts"
import { buildClient } from "../support/client.ts"
import { collect } from "../support/collect.ts"
import { rounds } from "../support/rounds.ts"

describe("made for each request", () => {
  it.live(
    "cached functions by the ten thousand, each of a region and a name of its own, and many of a schema of their own",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const registry: Map<string, unknown> = new Map()
          const { run } = yield* buildClient(CacheMemory.layer({ maxEntries: 100 }))
          const longLived = cacheAside({ key: "kept", schema: Schema.Struct({ n: Schema.Number }) })(
            Effect.succeed({ n: 1 })
          )
          const kept = yield* run(longLived)
          for (let chunk = 0; chunk < rounds(5); chunk++) {
            const requests = Effect.gen(function*() {
              for (let i = chunk * 5_000; i < (chunk + 1) * 5_000; i++) {
                assert.strictEqual(yield* memoize({ name: `m${i}` })(() => Effect.succeed(i))(), i)
                // To tell the shape of a schema takes a while.
                if (i % 5 !== 0) continue
                const get = cacheAside({ key: `k${i}:{id}`, schema: Schema.Literal(`kind-${i}`), ttl: "1 minute" })(
                  (_: { readonly id: number }) => Effect.succeed(`kind-${i}` as const)
                )
                assert.strictEqual(yield* get({ id: 1 }), `kind-${i}`)
                assert.strictEqual(yield* get({ id: 1 }), `kind-${i}`)
                assert.strictEqual(yield* longLived, kept)
              }
            })
            yield* run(requests).pipe(Effect.provideService(Metric.MetricRegistry, registry as never))
            yield* collect
            assert.isAtMost(stamps.size, 15_000)
          }
          const { regions } = yield* run(CacheClient.use((client) => client.stats))
          assert.isAtMost(regions.length, 1_001)
          assert.strictEqual(
            regions.reduce((sum, { hits }) => sum + hits, 0),
            2 * rounds(5_000)
          )
          assert.isAtMost(registry.size, 3 * 1_001)
        })
      ),
    120_000
  )

  it.live("clients of which each has its regions: metrics have bounded labels", () =>
    Effect.gen(function*() {
      const registry: Map<string, { readonly attributes: { readonly region?: string } | undefined }> = new Map()
      for (let i = 0; i < 12; i++) {
        const requests = Effect.gen(function*() {
          for (let j = 0; j < 1_000; j++) yield* memoize({ name: `client ${i} ${j}` })(() => Effect.succeed(j))()
          const { regions } = yield* CacheClient.use((client) => client.stats)
          assert.strictEqual(regions.length, 1_000)
        })
        yield* Effect.scoped(Effect.flatMap(buildClient(CacheMemory.layer()), ({ run }) => run(requests))).pipe(
          Effect.provideService(Metric.MetricRegistry, registry as never)
        )
      }
      const labels = new Set([...registry.values()].map(({ attributes }) => attributes?.region))
      assert.isTrue(labels.has("(other)"))
      assert.isAtMost(labels.size, 10_001)
    })
  )

  it("a memory remembers some kinds of entries, and finds all of them", () => {
    const state = new MemoryState(200_000, Infinity)
    const entry = (i: number) => ({
      born: 1,
      createdAt: 0,
      freshUntil: Infinity,
      loadMillis: 0,
      fingerprint: `f${i}`,
      tags: [],
      value: i
    })
    for (let i = 0; i < 100_000; i++) state.store(`k${i}`, entry(i), Infinity, 0)
    assert.isAtMost(state.entries.kinds, 1_000)
    for (let i = 0; i < 100_000; i++) {
      assert.strictEqual(state.entries.pick(`k${i}`, stamps.of(`f${i}`).number, 0), i)
    }
  })
})
