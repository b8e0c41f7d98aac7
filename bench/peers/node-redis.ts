/**
 * node-redis, after "Usage" of its README, but without its timer for every command (`commandOptions.timeout`), which
 * costs it more than half.
 */
import type { Make } from "../lib/setup.ts"
import { createClient } from "redis"

export const redis: Readonly<Record<string, Make>> = {
  "node-redis": async ({ loader, prefix, url }) => {
    const client = createClient({ url, commandOptions: { timeout: 0 } as any })
    await client.connect()
    const key = (id: string) => `${prefix}:item:${id}`
    return {
      get: async (id) => {
        const text = await client.get(key(id))
        if (text !== null) return JSON.parse(text as string)
        const item = await loader.loadAsync(id)
        await client.set(key(id), JSON.stringify(item), { expiration: { type: "PX", value: 600_000 } } as any)
        return item
      },
      getMany: async (ids) => (await client.mGet(ids.map(key))).map((text) => JSON.parse(text as string)),
      remove: (id) => client.unlink(key(id)),
      close: () => client.close()
    }
  }
}
