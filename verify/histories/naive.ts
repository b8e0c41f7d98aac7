/**
 * The control: cache-aside as it is usually written. GET; on a miss load and SET; on a change DEL.
 *
 * A load that saw the row before a change stores it after the DEL, and it stays. The harness must find that, or what it
 * says of anything else means nothing.
 */
import { Redis } from "ioredis"
import { type Answer, notYet, type Row, type Source, type Subject } from "./subject.ts"
import { bearers, endMicros, keyOf, keysOf } from "./world.ts"

const ttlMillis = 60_000

export const makeNaive = (options: { readonly url: string; readonly namespace: string }, source: Source): Subject => {
  const redis = new Redis(options.url, { commandTimeout: 300, maxRetriesPerRequest: 0, enableOfflineQueue: false })
  redis.on("error", () => {})
  const name = (key: string) => `${options.namespace}:${key}`
  const store = (row: Row) => redis.set(name(row.key), JSON.stringify(row), "PX", ttlMillis)
  const remove = async (keys: ReadonlyArray<string>) => void (await redis.del(...keys.map(name)))
  const got = (row: Row | undefined, degraded: boolean): Answer => ({ row, degraded })
  const onlyLooks = (kind: string) => kind === "peek" || kind === "get"
  return {
    read: async (kind, family, id) => {
      try {
        const found = kind === "refresh" ? null : await redis.get(name(keyOf(family, id)))
        if (found !== null) return got(JSON.parse(found) as Row, false)
        if (onlyLooks(kind)) return got(undefined, false)
      } catch (error) {
        if (onlyLooks(kind)) throw error
        return got(await source.load(family, id), true)
      }
      const row = await source.load(family, id)
      await store(row).catch(() => {})
      return got(row, false)
    },
    invalidateKey: (key) => remove([key]),
    invalidateKeys: remove,
    invalidateFamily: (family) => remove(keysOf(family)),
    invalidateTag: (tag) => remove(bearers[tag]!),
    write: async (policy, family, id) => {
      const row = await source.write(family, id)
      const stored = store(row)
      await (policy === "fail" ? stored : stored.catch(() => {}))
      return row
    },
    set: async (_family, _id, row) => {
      await store(row.loadedAt === notYet ? { ...row, loadedAt: endMicros() } : row)
    },
    // All that can fail here is Redis.
    isTyped: () => true,
    close: async () => redis.disconnect()
  }
}
