/**
 * What nothing can be faster than: a Map, and a socket without a client.
 */
import type { Make, Setup } from "../lib/setup.ts"
import { idsOf } from "../lib/items.ts"
import { RawRedis } from "../lib/resp.ts"
import { scanAndUnlink } from "../lib/scan.ts"

const filled = ({ entries, loader }: Setup) => new Map(idsOf(entries).map((id) => [`item:${id}`, loader.load(id)]))

/** Keyed by the bare id: its hash is known, and no key is built. The lowest there is. */
const bare = ({ entries, loader }: Setup) => new Map(idsOf(entries).map((id) => [id, loader.load(id)]))

export const memory: Readonly<Record<string, Make>> = {
  "Map.get": async (setup) => {
    const map = bare(setup)
    return { sync: (id) => map.get(id) }
  },
  "async over Map.get": async (setup) => {
    const map = bare(setup)
    return { get: async (id) => map.get(id) }
  },
  "async over Map.get, key built": async (setup) => {
    const map = filled(setup)
    return { get: async (id) => map.get(`item:${id}`) }
  },
  // Nothing but the values: what the memory of a cache is compared with.
  "values alone": async ({ loader }) => {
    const values: Array<unknown> = []
    return { sync: (id) => (values[Number(id)] ??= loader.load(id)) }
  }
}

const raw: Make = async ({ loader, prefix, url }) => {
  const client = await RawRedis.connect(url)
  return {
    get: async (id) => {
      const text: string | null = await client.send("GET", `${prefix}:item:${id}`)
      if (text !== null) return JSON.parse(text)
      const item = await loader.loadAsync(id)
      await client.send("SET", `${prefix}:item:${id}`, JSON.stringify(item), "PX", "600000")
      return item
    },
    getMany: async (ids) => {
      const texts: ReadonlyArray<string> = await client.send("MGET", ...ids.map((id) => `${prefix}:item:${id}`))
      return texts.map((text) => JSON.parse(text))
    },
    remove: (id) => client.send("UNLINK", `${prefix}:item:${id}`),
    invalidateAll: () => scanAndUnlink(client.send.bind(client), `${prefix}:item:*`),
    close: () => client.close()
  }
}

export const redis: Readonly<Record<string, Make>> = { "raw socket": raw, "plain SET": raw }
