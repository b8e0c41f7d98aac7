/**
 * effect-cache, as its README shows it.
 */
import type { Make, Setup } from "../lib/setup.ts"
import { Array as Arr, Effect, type Layer, ManagedRuntime } from "effect"
import { CacheClient, cacheAside, CacheMemory, invalidatePattern, invalidateTags, stampedeProtect } from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { Item } from "../lib/items.ts"

const pattern = ({ loader, protect, tags }: Setup) => {
  const options = { key: "item:{id}", schema: Item, ttl: "10 minutes", ...(tags.length > 0 ? { tags } : {}) } as const
  const load = ({ id }: { readonly id: string }) =>
    loader.delay > 0 ? Effect.promise(() => loader.loadAsync(id)) : Effect.sync(() => loader.load(id))
  return protect === true ? stampedeProtect(options)(load) : cacheAside(options)(load)
}

/**
 * In a fiber, as an application in Effect calls it; or awaited at the edge, as any other application would.
 */
const reader =
  (
    layer: (setup: Setup) => Layer.Layer<any, any>,
    edge: "fiber" | "promise",
    batch: "together" | "one by one" = "together"
  ): Make =>
  async (setup) => {
    const getItem = pattern(setup)
    const runtime = ManagedRuntime.make(layer(setup))
    await runtime.context()
    const keyOf = (id: string) => getItem.key({ id })
    const run = <A>(effect: Effect.Effect<A, unknown, any>): Promise<A> => runtime.runPromise(effect)
    const controls = {
      getMany: (ids: ReadonlyArray<string>) =>
        batch === "together"
          ? run(
              Effect.map(
                CacheClient.use((cache) => cache.getMany(ids.map(keyOf), Item)),
                Arr.getSomes
              )
            )
          : run(Effect.forEach(ids, (id) => getItem({ id }), { concurrency: "unbounded" })),
      remove: (id: string) => run(getItem.invalidate({ id })),
      invalidateTag: (tag: string) => run(invalidateTags([tag])),
      invalidateAll: () => run(invalidatePattern("item:*")),
      close: () => runtime.dispose()
    }
    return edge === "fiber"
      ? { effect: (id) => getItem({ id }), run, ...controls }
      : { get: (id) => run(getItem({ id })), ...controls }
  }

const inMemory = ({ entries }: Setup) => CacheMemory.layer({ maxEntries: entries * 2, maxBytes: "4 GiB" })
const inRedis = ({ prefix, url }: Setup) => CacheRedis.layer({ url, namespace: prefix, timeout: "10 seconds" })

export const memory = {
  "effect-cache": reader(inMemory, "fiber"),
  "effect-cache, runPromise": reader(inMemory, "promise")
}

export const redis = {
  "effect-cache": reader(inRedis, "fiber"),
  "effect-cache, one by one": reader(inRedis, "fiber", "one by one"),
  "effect-cache, runPromise": reader(inRedis, "promise")
}
