/**
 * A write-through of a key that is known, where the write itself takes no time: all that is left is what the cache does.
 */
import { Effect, ManagedRuntime } from "effect"
import { CacheMemory, writeThrough } from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { drive } from "../lib/drive.ts"
import { Item, loader } from "../lib/items.ts"
import { prefixOf } from "../lib/readers.ts"
import type { Group, OpenContext, Runner, Workload } from "../lib/workload.ts"

/** Few keys, so that each write replaces an entry. */
const keys = 64

const warmWrites = 5_000

const tags = ["tag0", "tag1", "tag2"]

const open =
  (store: "memory" | "redis") =>
  async ({ group, subject, url }: OpenContext): Promise<Runner> => {
    const made = loader(150)
    const prefix = prefixOf(`${subject} ${group.id}`)
    const options = { key: "item:{id}", schema: Item, ttl: "10 minutes" } as const
    const lists = group.params["lists"] === "tags" ? { invalidateTags: tags } : {}
    const write = writeThrough(options, lists)(({ id }: { readonly id: string }) => Effect.sync(() => made.load(id)))
    const runtime = ManagedRuntime.make(
      store === "memory"
        ? CacheMemory.layer({ maxEntries: 2 * keys, maxBytes: "1 GiB" })
        : CacheRedis.layer({ url, namespace: prefix, timeout: "10 seconds" })
    )
    await runtime.context()
    const reader = {
      effect: (id: string) => write({ id }),
      run: <A>(effect: Effect.Effect<A, unknown, any>): Promise<A> => runtime.runPromise(effect)
    }
    const run = drive(reader, (i) => String(i % keys), Number(group.params["inFlight"]))
    // A write goes through more code than a read, and takes more of them until it is compiled.
    await run(warmWrites)
    return {
      kind: "block",
      run: async (count) => {
        const before = made.loads
        await run(count)
        if (made.loads - before !== count) throw new Error(`${subject}: ${made.loads - before} writes of ${count}`)
      },
      close: () => runtime.dispose()
    }
  }

const group = (store: "memory" | "redis", lists: "key" | "tags", inFlight: number): Group => ({
  id: store === "memory" ? `memory-write/${lists}` : `redis-write/${lists}-${inFlight}`,
  title:
    (lists === "key" ? "its key alone" : "three tags as well, which are put down before") +
    (store === "memory" ? "" : `, ${inFlight === 1 ? "one" : inFlight} in flight`),
  unit: store === "memory" ? "ns" : "us",
  clock: store === "memory" ? "cpu" : "wall",
  subjects: ["effect-cache"],
  params: { inFlight, lists },
  ...(store === "memory" ? {} : { blockMillis: 30 })
})

export const memoryWrite: Workload = {
  id: "memory-write",
  title: "A write-through, in memory",
  text: "A write that takes no time replaces one of 64 entries. CPU time of the process.",
  redis: false,
  groups: () => [group("memory", "key", 1), group("memory", "tags", 1)],
  open: open("memory")
}

export const redisWrite: Workload = {
  id: "redis-write",
  title: "A write-through, in Redis",
  text:
    "A write that takes no time replaces one of 64 entries: the lease is taken over and the entry removed, acknowledged, before it; " +
    "the entry is filled after it. With tags, they are put down before the write, so that others invalidate them if this " +
    "process dies, and invalidated after it.",
  redis: true,
  groups: () => [1, 64].flatMap((inFlight) => [group("redis", "key", inFlight), group("redis", "tags", inFlight)]),
  open: open("redis")
}
