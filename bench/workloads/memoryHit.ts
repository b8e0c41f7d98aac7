/**
 * A hit in memory.
 */
import { drive, inOrder } from "../lib/drive.ts"
import type { Mode } from "../lib/model.ts"
import { checkHits, filledReader } from "../lib/readers.ts"
import { cachesInMemory } from "../lib/subject.ts"
import { zipf } from "../lib/zipf.ts"
import type { Group, Workload } from "../lib/workload.ts"

const floor = "async over Map.get"

const subjects = [
  floor,
  "Map.get",
  "async over Map.get, key built",
  "Effect over Map.get",
  "lru-cache.get",
  "lru-cache.fetch",
  "effect-cache",
  "effect-cache, runPromise",
  ...cachesInMemory
]

const tagged = [floor, "effect-cache", "effect-cache, runPromise", "async-cache-dedupe", "cacheable", "bentocache"]

const common = { unit: "ns", clock: "cpu", floor } as const

// What tells most, so that the short set stays short.
const few = [
  floor,
  "Effect over Map.get",
  "lru-cache.fetch",
  "effect-cache",
  "effect Cache",
  "async-cache-dedupe",
  "cacheable"
]

const groups = (mode: Mode): ReadonlyArray<Group> => [
  {
    ...common,
    id: "memory-hit/zipf",
    title: "one of 10,000 keys, Zipf 0.99",
    subjects,
    params: { keys: 10_000, hot: 0, tags: 0 }
  },
  {
    ...common,
    id: "memory-hit/hot",
    title: "always the same of 10,000 keys",
    subjects: mode === "short" ? few : subjects,
    params: { keys: 10_000, hot: 1, tags: 0 }
  },
  {
    ...common,
    id: "memory-hit/tagged",
    title: "an entry with two tags, one of 10,000, Zipf 0.99",
    subjects: tagged,
    params: { keys: 10_000, hot: 0, tags: 2 }
  }
]

export const memoryHit: Workload = {
  id: "memory-hit",
  title: "A hit in memory",
  text:
    "The whole call, as users write it: keys are built, a promise is awaited or an effect is yielded in one fiber. " +
    "The floor is an async function that looks into a `Map` by an id it is given. `Effect over Map.get` is the least " +
    "that a cache in Effect does: a key, a look-up, a TTL. CPU time of the process.",
  redis: false,
  fresh: true,
  groups,
  open: async ({ group, subject, url }) => {
    const keys = Number(group.params["keys"])
    const filled = await filledReader({
      store: "memory",
      subject,
      keys,
      bytes: 150,
      tags: Number(group.params["tags"]),
      url
    })
    const draws = 65_536
    const order =
      group.params["hot"] === 1
        ? new Uint32Array(draws).fill(Math.floor(keys / 2))
        : zipf({ keys, exponent: 0.99, draws, seed: 1 })
    await checkHits(subject, filled)
    return { kind: "block", run: drive(filled.reader, inOrder(filled.ids, order), 1) }
  }
}
