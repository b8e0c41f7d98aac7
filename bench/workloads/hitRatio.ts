/**
 * How many requests the memory layer's eviction serves, on traces and on Zipf.
 */
import { caseResult } from "../lib/measure.ts"
import type { GroupResult } from "../lib/model.ts"
import type { HitRatio } from "../hitRatio.ts"
import type { Workload } from "../lib/workload.ts"

/** Set by `--trace`. */
export const tracesVariable = "EFFECT_CACHE_BENCH_TRACES"

const group = ({ entries, lru, ours, reference, requests, sieve, trace }: HitRatio): GroupResult => {
  const shares: ReadonlyArray<readonly [string, number | undefined]> = [
    ["effect-cache", ours],
    ["LRU", lru],
    ["SIEVE", sieve],
    ["S3-FIFO, reference", reference]
  ]
  return {
    id: `hit-ratio/${trace.replace(/[^A-Za-z0-9.]+/g, "-")}-${entries}`,
    workload: "hit-ratio",
    title: `${trace}, room for ${entries.toLocaleString("en")}`,
    unit: "share",
    clock: "wall",
    floor: null,
    curve: null,
    cases: shares.flatMap(([subject, value]) =>
      value === undefined ? [] : [caseResult(subject, [{ value, facts: { requests } }], undefined)]
    )
  }
}

export const hitRatio: Workload = {
  id: "hit-ratio",
  title: "Hit ratio",
  text:
    "The share of requests that the memory layer serves, with room for so many entries, beside LRU, SIEVE and a plain " +
    "S3-FIFO. Counted, not timed: the same on every machine. The traces are public ones; `--trace <folder>` says " +
    "where they are.",
  redis: false,
  groups: () => [],
  count: async (mode) => {
    const { hitRatios } = await import("../hitRatio.ts")
    const rows: ReadonlyArray<HitRatio> = await hitRatios({
      full: mode === "full",
      ...(process.env[tracesVariable] === undefined ? {} : { traces: process.env[tracesVariable] })
    })
    return rows.map(group)
  }
}
