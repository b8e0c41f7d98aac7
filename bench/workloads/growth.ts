/**
 * How cost grows.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { drive, inOrder } from "../lib/drive.ts"
import type { Mode } from "../lib/model.ts"
import { checkHits, filledReader } from "../lib/readers.ts"
import { zipf } from "../lib/zipf.ts"
import type { Group, OpenContext, Runner, Workload } from "../lib/workload.ts"

const curve = (
  id: string,
  label: string,
  points: ReadonlyArray<number>,
  make: (x: number) => Omit<Group, "id" | "curve" | "title">
): ReadonlyArray<Group> =>
  points.map((x) => ({
    ...make(x),
    id: `growth/${id}-${x}`,
    title: `${label}: ${x.toLocaleString("en")}`,
    rounds: 5,
    curve: { id, label, x }
  }))

const inMemory = (keys: number, tags: number) =>
  ({
    unit: "ns",
    clock: "cpu",
    floor: "async over Map.get",
    subjects: ["async over Map.get", "effect-cache"],
    params: { store: "memory", keys, tags, bytes: 150, inFlight: 1, processes: 1 }
  }) as const

const inRedis = (params: { keys?: number; tags?: number; bytes?: number; inFlight?: number; processes?: number }) =>
  ({
    unit: "us",
    clock: "wall",
    floor: "ioredis 6, auto-pipelining",
    subjects: ["ioredis 6, auto-pipelining", "effect-cache"],
    params: { store: "redis", keys: 10_000, tags: 0, bytes: 150, inFlight: 64, processes: 1, ...params },
    blockMillis: 30
  }) as const

const groups = (mode: Mode): ReadonlyArray<Group> =>
  mode === "short"
    ? []
    : [
        ...curve("memory-entries", "entries in memory", [1_000, 10_000, 100_000, 1_000_000], (x) => inMemory(x, 0)),
        ...curve("redis-entries", "entries in Redis", [1_000, 10_000, 100_000], (x) => inRedis({ keys: x })),
        ...curve("memory-tags", "tags an entry, in memory", [0, 1, 2, 4, 8, 16, 32], (x) => inMemory(10_000, x)),
        ...curve("redis-tags", "tags an entry, in Redis", [0, 1, 2, 4, 8, 16, 32], (x) => ({
          ...inRedis({ tags: x }),
          subjects: ["effect-cache", "ioredis 6, auto-pipelining"]
        })),
        ...curve("redis-bytes", "bytes a value", [100, 1_000, 10_000, 100_000, 1_000_000], (x) =>
          inRedis({ bytes: x, inFlight: 8, keys: x >= 100_000 ? 50 : 1_000 })
        ),
        ...curve("redis-in-flight", "callers in flight", [1, 2, 4, 8, 16, 32, 64, 128, 256, 512], (x) =>
          inRedis({ inFlight: x })
        ),
        ...curve("redis-processes", "processes", [1, 2, 3, 4], (x) => inRedis({ processes: x, keys: 1_000 }))
      ]

const file = fileURLToPath(new URL("../lib/growthChild.ts", import.meta.url))

const reply = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    child.once("message", (message: { readonly error?: string }) =>
      message.error === undefined ? resolve() : reject(new Error(message.error))
    )
    child.once("exit", (code, signal) => reject(new Error(`a process ended (${signal ?? code})`)))
  })

/** All processes do the same number of reads at the same time; the time of all by the reads of all. */
const together = async (context: OpenContext, processes: number): Promise<Runner> => {
  const setup = JSON.stringify({ subject: context.subject, url: context.url, keys: context.group.params["keys"] })
  const children = Array.from({ length: processes }, () => fork(file, [setup], { execArgv: process.execArgv }))
  await Promise.all(children.map(reply))
  return {
    kind: "block",
    run: async (count) => {
      const replies = children.map(reply)
      for (const child of children) child.send(Math.ceil(count / processes))
      await Promise.all(replies)
      for (const child of children) child.removeAllListeners("exit")
    },
    close: async () => {
      for (const child of children) {
        child.removeAllListeners("exit")
        child.disconnect()
      }
    }
  }
}

export const growth: Workload = {
  id: "growth",
  title: "How cost grows",
  text:
    "One thing is changed at a time; the exponent is the slope of a straight line through the points on logarithmic " +
    "scales. A hit, 64 in flight in Redis (8 for large values), beside the floor with the same values. In memory, " +
    "what grows is the share of reads that miss the processor's caches; a bare Map grows alike. Over processes: the " +
    "time of all by the reads of all, on as many cores as the machine has.",
  redis: true,
  fresh: true,
  groups,
  open: async (context) => {
    const { group, subject, url } = context
    const { bytes, inFlight, keys, processes, store, tags } = group.params
    if (Number(processes) > 1) return together(context, Number(processes))
    const wanted = { store: store as "memory" | "redis", subject, keys: Number(keys), bytes: Number(bytes), url }
    const filled = await filledReader({ ...wanted, tags: Number(tags) })
    await checkHits(subject, filled)
    const order = zipf({ keys: Number(keys), exponent: 0.99, draws: 65_536, seed: 1 })
    return { kind: "block", run: drive(filled.reader, inOrder(filled.ids, order), Number(inFlight)) }
  }
}
