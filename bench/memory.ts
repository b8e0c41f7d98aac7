/**
 * Hits and misses in memory, beside what Effect and a bare map cost.
 */
import { Cache, Duration, Effect, Exit, Schema } from "effect"
import { cacheAside, CacheMemory } from "effect-cache"
import { type Case, measure, report } from "./measure.ts"

const Item = Schema.Struct({ id: Schema.String, name: Schema.String })
const load = ({ id }: { readonly id: string }) => Effect.succeed({ id, name: `item ${id}` })

const getItem = cacheAside({ key: "item:{id}", schema: Item, ttl: "10 minutes" })(load)
const getTagged = cacheAside({ key: "tagged:{id}", schema: Item, ttl: "10 minutes", tags: ["item", "tenant"] })(load)
const single = Effect.succeed(1).pipe(cacheAside({ key: "single", schema: Schema.Number, ttl: "10 minutes" }))

const each =
  <R>(operation: (i: number) => Effect.Effect<unknown, unknown, R>): Case<R>["run"] =>
  (count) =>
    Effect.gen(function*() {
      for (let i = 0; i < count; i++) yield* operation(i)
    })

const one = Exit.succeed(1)
const ids = Array.from({ length: 1_000 }, (_, i) => ({ id: String(i) }))

export const memory = Effect.gen(function*() {
  const map = new Map(ids.map(({ id }) => [`item:${id}`, Exit.succeed(id)]))
  const effectCache = yield* Cache.makeWith((id: string) => load({ id }), {
    capacity: 10_000,
    timeToLive: () => Duration.minutes(10)
  })
  for (const id of ids) {
    yield* getItem(id)
    yield* getTagged(id)
    yield* Cache.get(effectCache, id.id)
  }
  yield* single

  report(
    "memory, a hit on one of 1,000 keys",
    yield* measure(
      [
        { name: "yield* a finished effect (the floor)", run: each(() => one) },
        { name: "Map.get in withFiber", run: each((i) => Effect.withFiber(() => map.get(`item:${i % 1_000}`)!)) },
        { name: "effect Cache.get with a TTL", run: each((i) => Cache.get(effectCache, ids[i % 1_000]!.id)) },
        { name: "cacheAside, a function", run: each((i) => getItem(ids[i % 1_000]!)) },
        { name: "cacheAside, a function with two tags", run: each((i) => getTagged(ids[i % 1_000]!)) },
        { name: "cacheAside, an effect", run: each(() => single) }
      ],
      { count: 100_000, clock: "cpu" }
    )
  )

  let next = 0
  const small = yield* Cache.makeWith((id: string) => load({ id }), {
    capacity: 10_000,
    timeToLive: () => Duration.minutes(10)
  })
  report(
    "memory, a miss and the fill",
    yield* measure(
      [
        { name: "effect Cache.get", run: each(() => Cache.get(small, `k${next++}`)) },
        { name: "cacheAside", run: each(() => getItem({ id: `k${next++}` })) }
      ],
      { count: 10_000, clock: "cpu" }
    )
  )
}).pipe(Effect.provide(CacheMemory.layer({ maxEntries: 10_000 })))
