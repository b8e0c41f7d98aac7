/**
 * Hit ratios of the memory layer's policy, beside LRU and SIEVE, on seeded Zipf requests and on public traces.
 *
 * The traces are not part of the repository: `node --conditions=effect-cache-source bench/hitRatio.ts --trace <folder>`
 * reads every `*.txt.gz` in a folder. Every entry weighs the same and none expires.
 */
import { existsSync, readdirSync } from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { S3Fifo } from "../src/stores/memory/s3fifo.ts"
import { zipf } from "./lib/zipf.ts"
import { readTrace, type Trace } from "./traces.ts"

export interface HitRatio {
  readonly trace: string
  /** The room. */
  readonly entries: number
  readonly requests: number
  /** In percent, as are those that follow. */
  readonly ours: number
  readonly lru: number
  readonly sieve: number
  /** What a plain S3-FIFO reached in a reference simulator; `undefined` where that was not measured. */
  readonly reference: number | undefined
}

/** By file: the sizes to measure, with the figures of the reference simulator. */
const traces: Record<string, ReadonlyArray<readonly [entries: number, reference: number | undefined]>> = {
  oltp: [
    [500, 32.6],
    [1000, 40.8]
  ],
  web07: [[300, 46.6]],
  glimpse: [[1000, 35.1]]
}

const synthetic = [
  { exponent: 0.99, keys: 100_000, draws: 2_000_000, entries: 1000, reference: 58.4, full: false },
  { exponent: 1, keys: 1_000_000, draws: 5_000_000, entries: 10_000, reference: 66.0, full: true }
]

/** A ring of keys, closed by one number more than there are keys: its `newer` is the oldest, its `older` the newest. */
class Ring {
  readonly end: number
  readonly newer: Uint32Array
  readonly older: Uint32Array
  readonly has: Uint8Array
  size = 0

  constructor(keys: number) {
    this.end = keys
    this.newer = new Uint32Array(keys + 1).fill(keys)
    this.older = new Uint32Array(keys + 1).fill(keys)
    this.has = new Uint8Array(keys)
  }

  push(key: number): void {
    const newest = this.older[this.end]!
    this.older[key] = newest
    this.newer[key] = this.end
    this.newer[newest] = key
    this.older[this.end] = key
    this.has[key] = 1
    this.size++
  }

  remove(key: number): void {
    this.newer[this.older[key]!] = this.newer[key]!
    this.older[this.newer[key]!] = this.older[key]!
    this.has[key] = 0
    this.size--
  }
}

const lru = ({ keys, requests }: Trace, entries: number): number => {
  const ring = new Ring(keys)
  let hits = 0
  for (const key of requests) {
    if (ring.has[key] === 1) {
      hits++
      ring.remove(key)
    } else if (ring.size === entries) ring.remove(ring.newer[ring.end]!)
    ring.push(key)
  }
  return hits
}

/** Zhang, Yang, Yue, Vigfusson, Rashmi: "SIEVE is simpler than LRU", NSDI 2024. */
const sieve = ({ keys, requests }: Trace, entries: number): number => {
  const ring = new Ring(keys)
  const visited = new Uint8Array(keys)
  let hand = ring.end
  let hits = 0
  for (const key of requests) {
    if (ring.has[key] === 1) {
      hits++
      visited[key] = 1
      continue
    }
    if (ring.size === entries) {
      // From the oldest to the newest, and from the start again.
      if (hand === ring.end) hand = ring.newer[ring.end]!
      while (visited[hand] === 1) {
        visited[hand] = 0
        hand = ring.newer[hand]!
        if (hand === ring.end) hand = ring.newer[ring.end]!
      }
      const next = ring.newer[hand]!
      ring.remove(hand)
      hand = next
    }
    visited[key] = 0
    ring.push(key)
  }
  return hits
}

const ours = ({ keys, requests }: Trace, entries: number): number => {
  const names = Array.from({ length: keys }, (_, key) => `key:${key}`)
  const cache = new S3Fifo<object>({ maxEntries: entries, maxWeight: entries, onLeave: () => {} })
  const value = {}
  let hits = 0
  for (const key of requests) {
    if (cache.get(names[key]!, 0) !== undefined) hits++
    else cache.set(names[key]!, value, 1, Infinity, 0)
  }
  return hits
}

const row = (name: string, trace: Trace, entries: number, reference: number | undefined): HitRatio => {
  const percent = (hits: number) => (100 * hits) / trace.requests.length
  return {
    trace: name,
    entries,
    requests: trace.requests.length,
    ours: percent(ours(trace, entries)),
    lru: percent(lru(trace, entries)),
    sieve: percent(sieve(trace, entries)),
    reference
  }
}

/** Seconds of work. Without `full`, only the smaller of the Zipf workloads; without `traces`, a folder, no files. */
export const hitRatios = (options: {
  readonly traces?: string | undefined
  readonly full: boolean
}): ReadonlyArray<HitRatio> => {
  const rows: Array<HitRatio> = []
  if (options.traces !== undefined) {
    const folder = options.traces
    const files = readdirSync(folder).filter((file) => file.endsWith(".txt.gz"))
    for (const file of files.sort()) {
      const name = file.slice(0, -".txt.gz".length)
      const trace = readTrace(path.join(folder, file))
      const sizes = Object.hasOwn(traces, name) ? traces[name]! : [[1000, undefined] as const]
      for (const [entries, reference] of sizes) rows.push(row(name, trace, entries, reference))
    }
  }
  for (const { draws, entries, exponent, full, keys, reference } of synthetic) {
    if (full && !options.full) continue
    const requests = zipf({ draws, exponent, keys, seed: 1 })
    const name = `Zipf ${exponent}, ${keys.toLocaleString("en")} keys`
    rows.push(row(name, { requests, keys }, entries, reference))
  }
  return rows
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { trace: { type: "string" }, full: { type: "boolean", default: false } } })
  if (values.trace !== undefined && !existsSync(values.trace)) {
    console.error(`--trace: there is no folder ${values.trace}`)
    process.exit(2)
  }
  const shown = hitRatios({ traces: values.trace, full: values.full }).map((row) => ({
    ...row,
    ours: row.ours.toFixed(1),
    lru: row.lru.toFixed(1),
    sieve: row.sieve.toFixed(1),
    reference: row.reference?.toFixed(1) ?? ""
  }))
  console.table(shown)
}
