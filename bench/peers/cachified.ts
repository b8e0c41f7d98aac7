/**
 * cachified, after "Usage" of its README (an adapter over lru-cache) and of cachified-redis-adapter's (node-redis). Its
 * values pass no check; node-redis' command timer is off, which helps it.
 */
import type { Make, Setup } from "../lib/setup.ts"
import { cachified, totalTtl } from "@epic-web/cachified"
import { redisCacheAdapter } from "cachified-redis-adapter"
import { LRUCache } from "lru-cache"
import { createClient } from "redis"

const reader = (cache: any, { loader, prefix }: Setup, close?: () => Promise<unknown>) => ({
  get: (id: string) =>
    cachified({ key: `${prefix}:item:${id}`, cache, getFreshValue: () => loader.loadAsync(id), ttl: 600_000 }),
  remove: async (id: string) => cache.delete(`${prefix}:item:${id}`),
  ...(close === undefined ? {} : { close })
})

export const memory: Readonly<Record<string, Make>> = {
  cachified: async (setup) => {
    const lru = new LRUCache<string, any>({ max: setup.entries * 2 })
    const adapter = {
      set(key: string, value: any) {
        const ttl = totalTtl(value?.metadata)
        return lru.set(key, value, {
          ttl: ttl === Infinity ? undefined : ttl,
          start: value?.metadata?.createdTime
        } as any)
      },
      get: (key: string) => lru.get(key),
      delete: (key: string) => lru.delete(key)
    }
    return reader(adapter, setup)
  }
}

export const redis: Readonly<Record<string, Make>> = {
  cachified: async (setup) => {
    const client = createClient({ url: setup.url, commandOptions: { timeout: 0 } as any })
    await client.connect()
    return reader(redisCacheAdapter(client as any), setup, () => client.close())
  }
}
