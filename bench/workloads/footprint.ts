/**
 * Bytes an entry takes, in the heap and in Redis.
 */
import { readOne } from "../lib/drive.ts"
import { idsOf, loader } from "../lib/items.ts"
import { each, tagsOf } from "../lib/readers.ts"
import { RawRedis } from "../lib/resp.ts"
import { cachesInMemory, makeReader } from "../lib/subject.ts"
import type { Group, OpenContext, Runner, Workload } from "../lib/workload.ts"

/** From 50 to 400 bytes of JSON, so that no allocator's steps favour anyone. */
const bytes = (id: string): number => 50 + ((Number(id) * 37) % 351)

const collect = () => {
  const gc = (globalThis as { gc?: () => void }).gc
  if (gc === undefined) throw new Error("memory is measured with --expose-gc")
  for (let i = 0; i < 3; i++) gc()
}

const heap = async ({ group, subject, url }: OpenContext): Promise<Runner> => {
  const entries = Number(group.params["entries"])
  const ids = idsOf(entries)
  const kept: Array<unknown> = []
  const make = () => makeReader("memory", subject, { entries, loader: loader(bytes), prefix: "pl", tags: [], url })
  // Code and its caches are there before it counts.
  const first = await make()
  for (const id of ids.slice(0, 1_000)) await readOne(first, id)
  await first.close?.()
  const used = () => {
    collect()
    const { arrayBuffers, heapUsed } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  return {
    kind: "sample",
    sample: async () => {
      kept.length = 0
      const before = used()
      const reader = await make()
      for (const id of ids) await readOne(reader, id)
      const value = (used() - before) / entries
      kept.push(reader)
      await reader.close?.()
      return { value }
    }
  }
}

const inRedis = async ({ group, subject, url }: OpenContext): Promise<Runner> => {
  const entries = Number(group.params["entries"])
  const ids = idsOf(entries)
  const client = await RawRedis.connect(url)
  const used = async () => Number(/^used_memory:(\d+)/m.exec(await client.send("INFO", "memory"))![1])
  return {
    kind: "sample",
    sample: async () => {
      await client.send("FLUSHALL")
      const reader = await makeReader("redis", subject, {
        entries,
        loader: loader(bytes),
        prefix: "pl",
        tags: tagsOf(Number(group.params["tags"])),
        url
      })
      // Connections and buffers are there before it counts.
      await each(["0"], (id) => readOne(reader, id))
      const before = await used()
      await each(ids, (id) => readOne(reader, id))
      const value = ((await used()) - before) / entries
      await reader.close?.()
      return { value }
    },
    close: () => client.close()
  }
}

const heapSubjects = ["lru-cache, max, maxSize, ttl", "values alone", "effect-cache", ...cachesInMemory]

const redisSubjects = [
  "plain SET",
  "effect-cache",
  "async-cache-dedupe",
  "cache-manager",
  "cachified",
  "keyv",
  "cacheable",
  "bentocache"
]

const groups = (entries: number, rounds: number): ReadonlyArray<Group> => [
  {
    id: "footprint/heap",
    title: `heap of a process for each of ${entries.toLocaleString("en")} entries, values included`,
    unit: "bytes",
    clock: "wall",
    floor: "lru-cache, max, maxSize, ttl",
    subjects: heapSubjects,
    params: { entries },
    rounds
  },
  ...[0, 2].map(
    (tags): Group => ({
      id: `footprint/redis-${tags}tags`,
      title: `memory of Redis for each of ${entries.toLocaleString("en")} entries, ${tags === 0 ? "no tags" : "two tags"}`,
      unit: "bytes",
      clock: "wall",
      floor: "plain SET",
      subjects:
        tags === 0 ? redisSubjects : ["plain SET", "effect-cache", "async-cache-dedupe", "cacheable", "bentocache"],
      params: { entries, tags },
      rounds
    })
  )
]

export const footprint: Workload = {
  id: "footprint",
  title: "Memory",
  text:
    "Values of 50 to 400 bytes of JSON. The heap after collection, beside lru-cache with `max`, `maxSize` and `ttl` " +
    "for the same values. Redis' own count of its memory, beside `SET key json PX` with the same keys. cacheable, " +
    "keyv and bentocache keep text in memory, which is smaller than objects, and parse it on each hit.",
  redis: true,
  groups: (mode) => (mode === "full" ? groups(100_000, 3) : groups(10_000, 1)),
  open: (context) => (context.group.id === "footprint/heap" ? heap(context) : inRedis(context))
}
