/**
 * A miss and the fill, in memory and in Redis.
 */
import { drive } from "../lib/drive.ts"
import { readOne } from "../lib/drive.ts"
import { idsOf, loader } from "../lib/items.ts"
import { each, prefixOf } from "../lib/readers.ts"
import { cachesInMemory, makeReader } from "../lib/subject.ts"
import type { Group, OpenContext, Runner, Workload } from "../lib/workload.ts"

/** Every id is new. A load takes no time, so that what is left is what the cache does. */
const open =
  (store: "memory" | "redis") =>
  async ({ group, subject, url }: OpenContext): Promise<Runner> => {
    const made = loader(150)
    const reader = await makeReader(store, subject, {
      loader: made,
      tags: [],
      url,
      prefix: prefixOf(`${subject} ${group.id}`),
      // Room for 10,000: bounded caches also evict, as they do in life.
      entries: 5_000
    })
    // Each new id is loaded once, and then kept.
    const some = idsOf(100).map((id) => `check${id}`)
    for (let time = 0; time < 2; time++) await each(some, (id) => readOne(reader, id))
    if (made.loads !== some.length) throw new Error(`${subject} loads ${made.loads} times for ${some.length} misses`)
    const run = drive(reader, String, Number(group.params["inFlight"]))
    return {
      kind: "block",
      run: async (count) => {
        const before = made.loads
        await run(count)
        if (made.loads - before !== count)
          throw new Error(`${subject}: ${made.loads - before} loads for ${count} misses`)
      },
      close: async () => reader.close?.()
    }
  }

const memoryGroup: Group = {
  id: "memory-miss/one",
  title: "a new key each time, room for 10,000",
  unit: "ns",
  clock: "cpu",
  floor: "lru-cache get, await, set",
  subjects: [
    "lru-cache get, await, set",
    "lru-cache.fetch",
    "Effect, load in a fiber",
    "effect-cache",
    "effect-cache, runPromise",
    ...cachesInMemory
  ],
  params: { inFlight: 1 }
}

export const memoryMiss: Workload = {
  id: "memory-miss",
  title: "A miss and the fill, in memory",
  text:
    "Look, load, store, where the load takes no time. The floor looks into lru-cache, awaits an async function, and " +
    "stores: no shared load, and nothing that keeps a value out that was invalidated meanwhile. Caches without a " +
    "bound (keyv, cacheable, cache-manager, as they come) need not evict here. `Effect, load in a fiber` is the least " +
    "that a shared load takes in Effect. CPU time of the process.",
  redis: false,
  groups: () => [memoryGroup],
  open: open("memory")
}

const redisGroup = (inFlight: number, floor: string): Group => ({
  id: `redis-miss/${inFlight}`,
  title: `${inFlight === 1 ? "one" : inFlight} in flight`,
  unit: "us",
  clock: "wall",
  floor,
  subjects: [
    floor,
    "raw socket",
    "node-redis",
    "effect-cache",
    "async-cache-dedupe",
    "keyv",
    "cache-manager",
    "cacheable",
    "bentocache",
    "cachified",
    "effect PersistedCache"
  ],
  params: { inFlight },
  blockMillis: 30
})

export const redisMiss: Workload = {
  id: "redis-miss",
  title: "A miss and the fill, in Redis",
  text:
    "A new key each time, a load that takes no time. The floor is GET, then SET with a TTL. effect-cache makes the " +
    "fill one script that also checks that nothing was invalidated since the load began.",
  redis: true,
  groups: (mode) =>
    mode === "short"
      ? [redisGroup(64, "ioredis 6, auto-pipelining")]
      : [redisGroup(64, "ioredis 6, auto-pipelining"), redisGroup(1, "ioredis 6")],
  open: open("redis")
}
