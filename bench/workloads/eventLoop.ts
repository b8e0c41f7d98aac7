/**
 * What is left for other work of the process while a cache is busy.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { drive, inOrder } from "../lib/drive.ts"
import { checkHits, filledReader } from "../lib/readers.ts"
import { zipf } from "../lib/zipf.ts"
import type { Workload } from "../lib/workload.ts"

export const eventLoop: Workload = {
  id: "event-loop",
  title: "Delay of the event loop under load",
  text:
    "64 callers hit Redis; the 99th percentile of how late a timer of one millisecond fires meanwhile. Beside it, how " +
    "many reads were served: a client that does more in a second also has more to do in a turn.",
  redis: true,
  groups: () => [
    {
      id: "event-loop/64",
      title: "64 callers hit Redis",
      unit: "us",
      clock: "wall",
      floor: "ioredis 6, auto-pipelining",
      subjects: [
        "ioredis 6, auto-pipelining",
        "node-redis",
        "effect-cache",
        "async-cache-dedupe",
        "cacheable",
        "bentocache"
      ],
      params: {},
      rounds: 3
    }
  ],
  open: async ({ mode, subject, url }) => {
    const keys = mode === "full" ? 10_000 : 2_000
    const filled = await filledReader({ store: "redis", subject, keys, bytes: 150, tags: 0, url })
    await checkHits(subject, filled)
    const run = drive(filled.reader, inOrder(filled.ids, zipf({ keys, exponent: 0.99, draws: 65_536, seed: 1 })), 64)
    const millis = mode === "full" ? 1_000 : 300
    await run(5_000)
    return {
      kind: "sample",
      sample: async () => {
        const delay = monitorEventLoopDelay({ resolution: 1 })
        delay.enable()
        const startedAt = performance.now()
        let reads = 0
        while (performance.now() - startedAt < millis) {
          await run(1_000)
          reads += 1_000
        }
        delay.disable()
        // The histogram holds whole intervals, of which one millisecond was asked for.
        const late = (percentile: number) => Math.max(0, delay.percentile(percentile) / 1e3 - 1e3)
        return {
          value: late(99),
          facts: { p50: late(50), "reads a second": (reads / (performance.now() - startedAt)) * 1e3 }
        }
      }
    }
  }
}
