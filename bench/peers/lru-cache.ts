/**
 * lru-cache, after "Usage" and "Storage Bounds Safety" of its README: `max` and `ttl`. It is no read-through cache but
 * for `fetch`.
 */
import type { Make } from "../lib/setup.ts"
import { LRUCache } from "lru-cache"

const ttl = 600_000

export const memory: Readonly<Record<string, Make>> = {
  "lru-cache.get": async ({ entries, loader }) => {
    const cache = new LRUCache<string, {}>({ max: entries * 2, ttl })
    return {
      sync: (id) => {
        const kept = cache.get(id)
        if (kept !== undefined) return kept
        const item = loader.load(id)
        cache.set(id, item)
        return item
      }
    }
  },
  // "fetch" of its API documentation: one load a key, however many ask.
  "lru-cache.fetch": async ({ entries, loader }) => {
    const cache = new LRUCache<string, {}>({ max: entries * 2, ttl, fetchMethod: (id: string) => loader.loadAsync(id) })
    return { get: (id) => cache.fetch(id) }
  },
  "lru-cache get, await, set": async ({ entries, loader }) => {
    const cache = new LRUCache<string, {}>({ max: entries * 2, ttl })
    return {
      get: async (id) => {
        const key = `item:${id}`
        const kept = cache.get(key)
        if (kept !== undefined) return kept
        const item = await loader.loadAsync(id)
        cache.set(key, item)
        return item
      }
    }
  },
  // Bounded by count and by size, as effect-cache is.
  "lru-cache, max, maxSize, ttl": async ({ entries, loader }) => {
    const sizeCalculation = (item: any) => item.text.length + 150
    const cache = new LRUCache<string, {}>({ max: entries * 2, maxSize: 2 ** 32, sizeCalculation, ttl })
    return {
      sync: (id) => {
        const key = `item:${id}`
        const kept = cache.get(key)
        if (kept !== undefined) return kept
        const item = loader.load(id)
        cache.set(key, item)
        return item
      }
    }
  }
}
