/**
 * keyv, after "Usage" of its README and "Using the createKeyv function" of @keyv/redis'. It has no read-through: get,
 * and set what was missing.
 */
import type { Make, Setup } from "../lib/setup.ts"
import { createKeyv } from "@keyv/redis"
import { Keyv } from "keyv"

const reader = (keyv: any, { loader }: Setup) => ({
  get: async (id: string) => {
    const kept = await keyv.get(`item:${id}`)
    if (kept !== undefined) return kept
    const item = await loader.loadAsync(id)
    await keyv.set(`item:${id}`, item, 600_000)
    return item
  },
  getMany: (ids: ReadonlyArray<string>) => keyv.get(ids.map((id) => `item:${id}`)),
  remove: (id: string) => keyv.delete(`item:${id}`),
  invalidateAll: () => keyv.clear(),
  close: () => keyv.disconnect()
})

export const memory: Readonly<Record<string, Make>> = {
  keyv: async (setup) => reader(new Keyv(), setup)
}

export const redis: Readonly<Record<string, Make>> = {
  keyv: async (setup) => reader(createKeyv(setup.url, { namespace: setup.prefix }), setup)
}
