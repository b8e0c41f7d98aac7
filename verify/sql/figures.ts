/**
 * Counts what a run has done.
 */
import type { CheckInput } from "./checker.ts"
import { nothing } from "./records.ts"

type Counts = Readonly<Record<string, number>>

export interface Figures {
  readonly processes: number
  readonly killed: number
  /** Reads outside transactions, and inside; of those the ones that had to see a write of their own. */
  readonly reads: number
  readonly readsInside: number
  readonly readsOfOwn: number
  readonly loads: number
  readonly commits: number
  /** Calls by how they ended. */
  readonly acknowledged: Counts
  readonly rolled: Counts
  readonly unknown: Counts
  readonly left: Counts
  /** Steps of transactions, by form. */
  readonly steps: Counts
  readonly failedCallers: ReadonlyArray<string>
  readonly hungCallers: ReadonlyArray<string>
  readonly longestWait: { readonly millis: number; readonly of: string }
}

const bump = (counts: Record<string, number>, name: string): void => {
  counts[name] = (counts[name] ?? 0) + 1
}

export const figuresOf = ({ deaths, recordings, written }: CheckInput): Figures => {
  const counts = { acknowledged: {}, rolled: {}, unknown: {}, left: {}, steps: {} }
  const failedCallers: Array<string> = []
  const hungCallers: Array<string> = []
  let reads = 0
  let readsInside = 0
  let readsOfOwn = 0
  let loads = 0
  let longestWait = { millis: 0, of: "" }
  for (const { events, who } of recordings) {
    for (const event of events()) {
      const millis = Math.round((event.end - event.start) / 1000)
      if ("kind" in event && millis > longestWait.millis) longestWait = { millis, of: `${event.kind} by ${who}` }
      switch (event.type) {
        case "read":
          if (event.tx === nothing) reads++
          else readsInside++
          if (event.expected !== nothing) readsOfOwn++
          break
        case "load":
          loads++
          break
        case "step":
          bump(counts.steps, event.form)
          break
        case "failed":
          failedCallers.push(`${who}: ${event.kind} ${event.tx}: ${event.reason}`)
          break
        case "hung":
          hungCallers.push(`${who}: ${event.kind} ${event.tx}`)
          break
        case "acknowledged":
        case "rolled":
        case "unknown":
        case "left":
          bump(counts[event.type], event.kind)
      }
    }
  }
  return {
    ...{ ...counts, failedCallers, hungCallers, reads, readsInside, readsOfOwn, loads, longestWait },
    ...{ processes: recordings.length, killed: deaths.size, commits: written.places.size }
  }
}
