/**
 * A hit in Redis.
 */
import { drive, inOrder, latencies } from "../lib/drive.ts"
import type { Mode } from "../lib/model.ts"
import { checkHits, filledReader } from "../lib/readers.ts"
import { quantile } from "../lib/statistics.ts"
import { zipf } from "../lib/zipf.ts"
import type { Group, Workload } from "../lib/workload.ts"

const floor = "ioredis 6, auto-pipelining"

const drivers = [
  floor,
  "ioredis 6",
  "ioredis 5, auto-pipelining",
  "ioredis 5",
  "node-redis",
  "raw socket",
  "redis-benchmark",
  "Effect over MGET"
]

const peers = ["async-cache-dedupe", "keyv", "cache-manager", "cacheable", "bentocache", "cachified"]
const subjects = [...drivers, "effect-cache", "effect-cache, runPromise", ...peers, "effect PersistedCache"]
// What tells most, so that the short set stays short.
const few = [
  floor,
  "ioredis 6",
  "node-redis",
  "raw socket",
  "Effect over MGET",
  "effect-cache",
  "async-cache-dedupe",
  "keyv",
  "cacheable",
  "bentocache",
  "cachified",
  "effect PersistedCache"
]
const tagged = [floor, "raw socket", "effect-cache", "async-cache-dedupe", "cacheable", "bentocache"]
const large = [floor, "node-redis", "raw socket", "effect-cache", ...peers]

const group = (
  inFlight: number,
  tags: number,
  bytes: number,
  subjects: ReadonlyArray<string>,
  title: string
): Group => ({
  id: `redis-hit/${inFlight}-${tags}tags-${bytes}B`,
  title,
  unit: "us",
  clock: "wall",
  floor: inFlight === 1 ? "ioredis 6" : floor,
  subjects,
  // Large values: fewer, so that they fit.
  params: { inFlight, tags, bytes, keys: bytes > 50_000 ? 200 : bytes > 1_000 ? 2_000 : 10_000 },
  blockMillis: 30
})

const groups = (mode: Mode): ReadonlyArray<Group> => {
  const read = mode === "short" ? few : subjects
  const always = [
    group(1, 0, 150, read, "one in flight, the median of single reads"),
    group(64, 0, 150, read, "64 in flight"),
    group(64, 2, 150, tagged, "64 in flight, two tags")
  ]
  // Filling takes most of the time, and Redis looks among 2,000 keys as it does among 10,000.
  if (mode === "short") return always.map((group) => ({ ...group, params: { ...group.params, keys: 2_000 } }))
  return [
    ...always,
    group(512, 0, 150, subjects, "512 in flight"),
    group(64, 1, 150, tagged, "64 in flight, one tag"),
    group(64, 5, 150, tagged, "64 in flight, five tags"),
    group(64, 0, 4_096, large, "64 in flight, 4 KB"),
    group(64, 0, 102_400, large, "64 in flight, 100 KB")
  ]
}

/** One in flight makes few calls a second, and engines compile by calls. */
const warmUpMillis = 1_500

export const redisHit: Workload = {
  id: "redis-hit",
  title: "A hit in Redis",
  text:
    "Every read is one from Redis; nothing is kept in memory. One of 10,000 keys, Zipf 0.99 (2,000 in the short set; " +
    "2,000 of 4 KB, 200 of 100 KB). The floor is the driver's GET and JSON.parse; effect-cache also checks " +
    "the value with its schema. `Effect over MGET` is the least that a cache in Effect does over the driver: the reads of a turn as one " +
    "command, and JSON.parse. Wall time an operation; with one in flight, the median of single reads, and the floor is ioredis without " +
    "pipelining.",
  redis: true,
  groups,
  open: async ({ group, mode, subject, url }) => {
    const [inFlight, tags, bytes, keys] = ["inFlight", "tags", "bytes", "keys"].map((name) =>
      Number(group.params[name])
    )
    if (subject === "redis-benchmark") {
      const { redisBenchmark } = await import("../subjects/redisBenchmark.ts")
      return redisBenchmark({ url, keys: keys!, bytes: bytes!, inFlight: inFlight! })
    }
    const filled = await filledReader({ store: "redis", subject, keys: keys!, bytes: bytes!, tags: tags!, url })
    await checkHits(subject, filled)
    const idAt = inOrder(filled.ids, zipf({ keys: keys!, exponent: 0.99, draws: 65_536, seed: 1 }))
    if (inFlight !== 1) return { kind: "block", run: drive(filled.reader, idAt, inFlight!) }
    const count = mode === "full" ? 2_000 : 800
    const read = () => latencies(filled.reader, idAt, count)
    for (const end = performance.now() + warmUpMillis; performance.now() < end; ) await read()
    return {
      kind: "sample",
      sample: async () => {
        const millis = await read()
        return { value: quantile(millis, 0.5) * 1e3, facts: { p99: quantile(millis, 0.99) * 1e3 } }
      }
    }
  }
}
