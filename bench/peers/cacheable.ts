/**
 * cacheable, after "GetOrSet" and "Tag Based Invalidation" of its README. Its primary store is memory; over Redis it is
 * Redis, so that every read is one from there, as in all others.
 */
import type { Make, Setup } from "../lib/setup.ts"
import { createKeyv } from "@keyv/redis"
import { Cacheable } from "cacheable"

const reader = (cache: any, { loader, tags }: Setup, close?: () => Promise<unknown>) => {
  // `getOrSet` knows no tags, so that tagged entries are set by hand.
  const get =
    tags.length === 0
      ? (id: string) => cache.getOrSet(`item:${id}`, () => loader.loadAsync(id), { ttl: "10m" })
      : async (id: string) => {
          const kept = await cache.get(`item:${id}`)
          if (kept !== undefined) return kept
          const item = await loader.loadAsync(id)
          await cache.set(`item:${id}`, item, { ttl: "10m", tags: [...tags] })
          return item
        }
  return {
    get,
    getMany: (ids: ReadonlyArray<string>) => cache.getMany(ids.map((id) => `item:${id}`)),
    invalidateAll: () => cache.clear(),
    remove: (id: string) => cache.delete(`item:${id}`),
    invalidateTag: (tag: string) => cache.tags.invalidateTag(tag),
    ...(close === undefined ? {} : { close })
  }
}

const options = ({ tags }: Setup) => (tags.length > 0 ? { tags: true } : {})

export const memory: Readonly<Record<string, Make>> = {
  cacheable: async (setup) => reader(new Cacheable(options(setup)), setup)
}

export const redis: Readonly<Record<string, Make>> = {
  cacheable: async (setup) => {
    const primary = createKeyv(setup.url, { namespace: setup.prefix })
    return reader(new Cacheable({ primary: primary as any, ...options(setup) }), setup, () => primary.disconnect())
  }
}
