import { Context, Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { cacheAside, CacheFallback, CacheMemory, CacheRegion, type CacheServices } from "effect-cache"
import { CacheTest } from "effect-cache/testing"

/** What another process sees that shares the primary. */
export class Other extends Context.Service<Other, { readonly other: Context.Context<CacheServices> }>()("Other") {}

/** A fallback over a primary that a test can break; the handle is the primary's. */
export const layer = (options?: { readonly journalLimit?: number; readonly failureThreshold?: number }) =>
  Layer.unwrap(
    Effect.map(Layer.build(CacheTest.layer), (primary) =>
      Layer.merge(
        CacheFallback.layer({
          primary: Layer.succeedContext(primary),
          fallback: CacheMemory.layer({ maxEntries: 100 }),
          ...options
        }),
        Layer.succeedContext(Context.add(Context.pick(CacheTest)(primary), Other, { other: primary }))
      )
    )
  )

export const Numbers = CacheRegion.make({ key: "n:{id}", schema: Schema.Number, ttl: "1 hour", tags: ["n"] })

export const counted = () => {
  const state = { loads: 0 }
  const get = cacheAside(Numbers)((_: { readonly id: number }) => Effect.sync(() => ++state.loads))
  return { state, get }
}

export const down = CacheTest.use((test) => test.inject("*", { fail: true }))
export const up = Effect.andThen(
  CacheTest.use((test) => test.heal),
  TestClock.adjust("10 seconds")
)
