/**
 * Effect's own caches.
 */
import { NodeRedis } from "@effect/platform-node"
import { Cache, Context, Duration, Effect, Layer, ManagedRuntime } from "effect"
import { Persistable, PersistedCache, Persistence } from "effect/persistence"
import { Item } from "../lib/items.ts"
import type { Make, Setup } from "../lib/subject.ts"

const ttl = () => Duration.minutes(10)

const inProcess: Make = async ({ entries, loader }) => {
  const cache = await Effect.runPromise(
    Cache.makeWith((key: string) => Effect.sync(() => loader.load(key.slice("item:".length))), {
      capacity: entries * 2,
      timeToLive: ttl
    })
  )
  return { effect: (id) => Cache.get(cache, `item:${id}`), run: Effect.runPromise as any }
}

// As the module's documentation has it: a class of requests with a primary key and a schema.
class GetItem extends Persistable.Class<{ payload: { id: string } }>()("GetItem", {
  primaryKey: ({ id }) => id,
  success: Item
}) {}

class Items extends Context.Service<Items, PersistedCache.PersistedCache<GetItem>>()("bench/Items") {}

/** Its layer in memory keeps nothing, so that every read is one from Redis, as in all others. */
const persisted: Make = async ({ loader, prefix, url }: Setup) => {
  const layer = Layer.effect(
    Items,
    PersistedCache.make((request: GetItem) => Effect.promise(() => loader.loadAsync(request.id)), {
      storeId: prefix,
      timeToLive: ttl,
      inMemoryTTL: () => Duration.zero
    })
  ).pipe(Layer.provide(Persistence.layerRedis), Layer.provide(NodeRedis.layer({ url })))
  const runtime = ManagedRuntime.make(layer)
  const items = Context.get(await runtime.context(), Items)
  return {
    effect: (id) => items.get(new GetItem({ id })),
    run: (effect) => runtime.runPromise(effect),
    close: () => runtime.dispose()
  }
}

export const memory = { "effect Cache": inProcess }
export const redis = { "effect PersistedCache": persisted }
