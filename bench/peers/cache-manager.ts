/**
 * cache-manager, after "Quick start" and ".wrap" of its README.
 */
import type { Make, Setup } from "../lib/setup.ts"
import { createKeyv } from "@keyv/redis"
import { createCache } from "cache-manager"

const ttl = 600_000

const reader = (cache: any, { loader }: Setup) => ({
  get: (id: string) => cache.wrap(`item:${id}`, () => loader.loadAsync(id), ttl),
  getMany: (ids: ReadonlyArray<string>) => cache.mget(ids.map((id) => `item:${id}`)),
  remove: (id: string) => cache.del(`item:${id}`),
  invalidateAll: () => cache.clear(),
  close: () => cache.disconnect()
})

export const memory: Readonly<Record<string, Make>> = {
  "cache-manager": async (setup) => reader(createCache(), setup)
}

export const redis: Readonly<Record<string, Make>> = {
  "cache-manager": async (setup) =>
    reader(createCache({ stores: [createKeyv(setup.url, { namespace: setup.prefix }) as any] }), setup)
}
