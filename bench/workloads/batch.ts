/**
 * Many keys in one call.
 */
import type { Mode } from "../lib/model.ts"
import { checkHits, filledReader } from "../lib/readers.ts"
import type { Group, Workload } from "../lib/workload.ts"

const subjects = [
  "ioredis 6",
  "node-redis",
  "raw socket",
  "effect-cache",
  "effect-cache, one by one",
  "keyv",
  "cache-manager",
  "cacheable",
  "async-cache-dedupe",
  "bentocache",
  "cachified"
]

const few = ["ioredis 6", "node-redis", "effect-cache", "effect-cache, one by one", "keyv", "cacheable", "bentocache"]

/** 2,000 in the short set, where filling would take most of the time. */
const keysOf = (mode: Mode): number => (mode === "full" ? 10_000 : 2_000)

const group = (size: number, subjects: ReadonlyArray<string>): Group => ({
  id: `batch/${size}`,
  title: `${size.toLocaleString("en")} keys`,
  unit: "us",
  clock: "wall",
  floor: "ioredis 6",
  subjects,
  params: { size },
  blockMillis: 30
})

export const batch: Workload = {
  id: "batch",
  title: "Batches from Redis",
  text:
    "Time of one batch, one batch after the other. The floor is MGET and JSON.parse. Caches without a call for many " +
    "keys (async-cache-dedupe, bentocache, cachified) are asked for all keys at once.",
  redis: true,
  groups: (mode) => (mode === "short" ? [group(100, few)] : [10, 100, 1_000].map((size) => group(size, subjects))),
  open: async ({ group, mode, subject, url }) => {
    const keys = keysOf(mode)
    const size = Number(group.params["size"])
    const filled = await filledReader({ store: "redis", subject, keys, bytes: 150, tags: 0, url })
    await checkHits(subject, filled)
    const { ids, loader, reader } = filled
    const getMany = reader.getMany ?? ((some) => Promise.all(some.map((id) => reader.get!(id))))
    let next = 0
    // Strides through the keys, so that no batch is neighbours only.
    const some = () => Array.from({ length: size }, () => ids[(next += 7) % keys]!)
    const asked = some()
    const values = await getMany(asked)
    if (values.length !== size || values.some((value: any, i) => value?.id !== asked[i])) {
      throw new Error(`${subject} gives ${JSON.stringify(values)?.slice(0, 200)} for ${asked.slice(0, 3)}...`)
    }
    return {
      kind: "block",
      run: async (count) => {
        const loads = loader.loads
        for (let i = 0; i < count; i++) await getMany(some())
        if (loader.loads !== loads) throw new Error(`${subject} loads what it should have kept`)
      }
    }
  }
}
