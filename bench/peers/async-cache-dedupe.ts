/**
 * async-cache-dedupe, after "Example" and "createCache(opts)" of its README: a function defined on a cache, its TTL in
 * seconds. Tags are its references, which "Invalidation" says to enable.
 */
import type { Make, Setup } from "../lib/setup.ts"
import { createCache } from "async-cache-dedupe"
import { Redis } from "ioredis"

const define = (storage: object, { loader, prefix, tags }: Setup) => {
  const cache: any = createCache({ ttl: 600, storage: storage as any })
  const references = tags.length > 0 ? { references: () => [...tags] } : {}
  cache.define(prefix, references, (id: string) => loader.loadAsync(id))
  return cache
}

export const memory: Readonly<Record<string, Make>> = {
  "async-cache-dedupe": async (setup) => {
    const invalidation = setup.tags.length > 0
    const cache = define({ type: "memory", options: { size: setup.entries * 2, invalidation } }, setup)
    return { get: (id) => cache[setup.prefix](id), invalidateTag: (tag) => cache.invalidateAll(tag) }
  }
}

export const redis: Readonly<Record<string, Make>> = {
  "async-cache-dedupe": async (setup) => {
    // "createCache(opts)": an ioredis client; auto-pipelining is ours, and helps it.
    const client = new Redis(setup.url, { enableAutoPipelining: true })
    const invalidation = setup.tags.length > 0 ? { invalidation: { referencesTTL: 600 } } : {}
    const cache = define({ type: "redis", options: { client, ...invalidation } }, setup)
    return {
      get: (id) => cache[setup.prefix](id),
      invalidateTag: (tag) => cache.invalidateAll(tag),
      close: async () => client.disconnect()
    }
  }
}
