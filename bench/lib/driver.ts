/**
 * A reader over ioredis, of whichever version: GET and JSON.parse.
 */
import type { Make } from "./setup.ts"
import { scanAndUnlink } from "./scan.ts"

export const overIoredis =
  (Client: any, enableAutoPipelining: boolean): Make =>
  async ({ loader, prefix, url }) => {
    const client = new Client(url, { enableAutoPipelining })
    const key = (id: string) => `${prefix}:item:${id}`
    return {
      get: async (id) => {
        const text: string | null = await client.get(key(id))
        if (text !== null) return JSON.parse(text)
        const item = await loader.loadAsync(id)
        await client.set(key(id), JSON.stringify(item), "PX", 600_000)
        return item
      },
      getMany: async (ids) => (await client.mget(ids.map(key))).map((text: string) => JSON.parse(text)),
      remove: (id) => client.unlink(key(id)),
      invalidateAll: () => scanAndUnlink((name, ...args) => client.call(name!, ...args), `${prefix}:item:*`),
      close: async () => client.disconnect()
    }
  }
