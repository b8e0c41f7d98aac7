/**
 * bentocache, after "Cache drivers" and "Tagging" of its documentation: a store with one layer. Its driver of Redis
 * asks for ioredis 5; auto-pipelining is ours, and helps it.
 */
import type { Make, Setup } from "../lib/setup.ts"
import { BentoCache, bentostore } from "bentocache"
import { memoryDriver } from "bentocache/drivers/memory"
import { redisDriver } from "bentocache/drivers/redis"

const reader = (bento: any, { loader, tags }: Setup) => {
  const options = tags.length > 0 ? { tags: [...tags] } : {}
  return {
    get: (id: string) =>
      bento.getOrSet({ key: `item:${id}`, factory: () => loader.loadAsync(id), ttl: "10m", ...options }),
    remove: (id: string) => bento.delete({ key: `item:${id}` }),
    invalidateTag: (tag: string) => bento.deleteByTag({ tags: [tag] }),
    invalidateAll: () => bento.clear(),
    close: () => bento.disconnectAll()
  }
}

export const memory: Readonly<Record<string, Make>> = {
  bentocache: async (setup) =>
    reader(
      new BentoCache({
        default: "cache",
        stores: { cache: bentostore().useL1Layer(memoryDriver({ maxItems: setup.entries * 2 })) }
      }),
      setup
    )
}

export const redis: Readonly<Record<string, Make>> = {
  bentocache: async (setup) => {
    const { hostname, port } = new URL(setup.url)
    const connection = { host: hostname, port: Number(port), enableAutoPipelining: true }
    return reader(
      new BentoCache({
        default: "cache",
        prefix: setup.prefix,
        stores: { cache: bentostore().useL2Layer(redisDriver({ connection })) }
      }),
      setup
    )
  }
}
