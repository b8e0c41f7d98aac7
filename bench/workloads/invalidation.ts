/**
 * Invalidation of many entries at once, by tag and by pattern.
 */
import { type Reader, readOne } from "../lib/drive.ts"
import { idsOf, type Loader, loader } from "../lib/items.ts"
import { multiply, observe } from "../lib/observe.ts"
import { each, prefixOf } from "../lib/readers.ts"
import { RawRedis } from "../lib/resp.ts"
import { makeReader } from "../lib/subject.ts"
import type { Group, OpenContext, Runner, Workload } from "../lib/workload.ts"

/** It keeps sets of keys for each tag, which no copy of an entry is in. */
const fillsByHand = new Set(["async-cache-dedupe"])

const tagSubjects = (entries: number) => [
  "effect-cache",
  "bentocache",
  "cacheable",
  // Its time grows with the entries, to seconds.
  ...(entries > 10_000 ? [] : ["async-cache-dedupe"])
]

const patternSubjects = ["ioredis 6", "effect-cache", "keyv", "cache-manager", "cacheable", "bentocache"]

const group = (by: "tag" | "pattern", entries: number): Group => ({
  id: `invalidation/${by}-${entries}`,
  title: `by ${by}, ${entries.toLocaleString("en")} entries`,
  unit: "ms",
  clock: "wall",
  ...(by === "pattern" ? { floor: "ioredis 6" } : {}),
  subjects: by === "tag" ? tagSubjects(entries) : patternSubjects,
  params: { by, entries },
  rounds: entries >= 1_000_000 ? 3 : 5,
  curve: { id: `invalidation-by-${by}`, label: "entries", x: entries }
})

const sizes = { tag: [1_000, 10_000, 100_000, 1_000_000], pattern: [1_000, 10_000, 100_000, 1_000_000] } as const
const shortSizes = { tag: [1_000, 100_000], pattern: [10_000] } as const

interface Store {
  readonly client: RawRedis
  readonly entries: number
  readonly loader: Loader
  readonly prefix: string
  readonly reader: Reader
  readonly subject: string
}

/** Empties the server and fills it with as many entries as are wanted, all of them valid. */
const fill = async ({ client, entries, loader, prefix, reader, subject }: Store): Promise<void> => {
  await client.send("FLUSHALL")
  if (fillsByHand.has(subject)) await each(idsOf(entries), (id) => readOne(reader, id))
  else {
    await readOne(reader, "0")
    await multiply(client, prefix, entries)
  }
  const loads = loader.loads
  for (const id of ["1", String(entries - 1)]) await readOne(reader, id)
  if (loader.loads !== loads) throw new Error(`${subject} does not hit the entries it was filled with`)
}

const open = async ({ group, subject, url }: OpenContext): Promise<Runner> => {
  const entries = Number(group.params["entries"])
  const byTag = group.params["by"] === "tag"
  const client = await RawRedis.connect(url)
  const made = loader(150)
  const prefix = prefixOf(`${subject} ${group.id}`)
  const tags = byTag ? ["tag0", "tag1"] : []
  const reader = await makeReader("redis", subject, { loader: made, tags, url, prefix, entries })
  const invalidate = byTag ? () => reader.invalidateTag!("tag0") : () => reader.invalidateAll!()
  const store: Store = { client, entries, loader: made, prefix, reader, subject }
  return {
    kind: "sample",
    sample: async () => {
      await fill(store)
      const { commands, millis, slowestMillis } = await observe(client, invalidate)
      // One miss, and then a hit again.
      const loads = made.loads
      for (let read = 0; read < 3; read++) {
        await readOne(reader, "1")
        if (made.loads !== loads + 1) throw new Error(`${subject}: ${made.loads - loads} loads after the invalidation`)
      }
      return { value: millis, facts: { commands, "slowest command, ms": slowestMillis } }
    },
    close: async () => {
      await client.send("FLUSHALL")
      await client.close()
      await reader.close?.()
    }
  }
}

export const invalidation: Workload = {
  id: "invalidation",
  title: "Invalidation",
  text:
    "One tag that every entry has, and one pattern that every key matches. By tag, effect-cache, bentocache and " +
    "cacheable write one marker, whatever the number of entries; async-cache-dedupe deletes each. By pattern, the " +
    "floor is one overlapped pass of SCAN and UNLINK; effect-cache passes twice, so that what was filled meanwhile is " +
    "also found. Commands are counted by the server (inside scripts, too), and so is the slowest. After each " +
    "invalidation, the first read loads once.",
  redis: true,
  groups: (mode) => [
    ...(mode === "full" ? sizes : shortSizes).tag.map((entries) => group("tag", entries)),
    ...(mode === "full" ? sizes : shortSizes).pattern.map((entries) => group("pattern", entries))
  ],
  open
}
