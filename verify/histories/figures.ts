/**
 * Counts what a run has done.
 */
import { type CheckInput, type Fault, pausedMicros } from "./checker.ts"
import type { Event } from "./records.ts"
import { isSet } from "./world.ts"

export interface Figures {
  /** How long it all took, from the first read to the last. */
  readonly seconds: number
  readonly processes: number
  readonly reads: Readonly<Record<string, number>>
  readonly allReads: number
  /** Reads whose value was there before they began. */
  readonly hits: number
  readonly emptyPeeks: number
  /** Reads that were served without the store, because it failed on the way. */
  readonly readsWithoutStore: number
  /** Reads of values that were handed to `set`. */
  readonly readsOfSets: number
  /** Callers that were interrupted, by what they had asked for. */
  readonly left: Readonly<Record<string, number>>
  /** Commands that a full server refused, and how often clients were refused their database. */
  readonly refused: { readonly full: number; readonly select: number }
  /** What was changed in the other database. */
  readonly touched: ReadonlyArray<string>
  readonly loads: number
  readonly commits: number
  readonly acknowledged: Readonly<Record<string, number>>
  /** Failures that the type of the call announces, by kind. */
  readonly typedFailures: Readonly<Record<string, number>>
  readonly faults: Readonly<Record<string, number>>
  /** Calls that failed although they may not. */
  readonly failedCallers: ReadonlyArray<string>
  /** Calls that were never answered. */
  readonly hungCallers: ReadonlyArray<string>
  /** Not counting the time for which their process was paused. */
  readonly longestWait: { readonly millis: number; readonly of: string }
  /** After each failover, until a key of the dead primary was read from the store again. */
  readonly recoveryMillis: ReadonlyArray<number>
}

const bump = (counts: Record<string, number>, name: string): void => {
  counts[name] = (counts[name] ?? 0) + 1
}

/** The failovers, and the first read of each that was served by the new primary. */
const makeRecoveries = (faults: ReadonlyArray<Fault>) => {
  const failovers = faults
    .filter(({ lost }) => lost !== undefined)
    .map(({ lost, start }) => ({ start, keys: new Set(lost!.keys), first: Infinity }))
  return {
    see: (event: Event): void => {
      if (event.type !== "read" || event.degraded) return
      for (const failover of failovers) {
        // A read that began just as the primary was killed may have been served by it.
        if (event.start > failover.start + 1_000_000 && event.end < failover.first && failover.keys.has(event.key)) {
          failover.first = event.end
        }
      }
    },
    millis: () =>
      failovers.filter(({ keys }) => keys.size > 0).map(({ first, start }) => Math.round((first - start) / 1000))
  }
}

export const figuresOf = ({ commits, faults, recordings }: CheckInput, seconds: number): Figures => {
  const reads: Record<string, number> = {}
  const acknowledged: Record<string, number> = {}
  const typedFailures: Record<string, number> = {}
  const suffered: Record<string, number> = {}
  const failedCallers: Array<string> = []
  const hungCallers: Array<string> = []
  let allReads = 0
  let hits = 0
  let emptyPeeks = 0
  let readsWithoutStore = 0
  let readsOfSets = 0
  const left: Record<string, number> = {}
  let loads = 0
  let longest = { micros: 0, of: "" }
  const recoveries = makeRecoveries(faults)

  const count = (who: string, event: Event): void => {
    recoveries.see(event)
    const name = event.type === "load" ? "load" : event.kind
    if (event.type !== "load" && event.end - event.start > longest.micros) {
      const micros = event.end - event.start - pausedMicros(faults, who, event.start, event.end)
      if (micros > longest.micros) longest = { micros, of: `${name} by ${who}` }
    }
    switch (event.type) {
      case "read":
        allReads++
        bump(reads, event.kind)
        if (event.loadedAt < event.start) hits++
        if (event.degraded) readsWithoutStore++
        if (isSet(event.load)) readsOfSets++
        return
      case "load":
        loads++
        return
      case "acknowledged":
        return bump(acknowledged, event.kind)
      case "returned":
        if (event.kind !== "bypass") emptyPeeks++
        else bump(acknowledged, event.kind)
        return
      case "failed":
        if (event.typed) return bump(typedFailures, event.kind)
        return void failedCallers.push(`${who}: ${event.kind} ${event.target}: ${event.reason}`)
      case "left":
        return bump(left, event.kind)
      case "hung":
        return void hungCallers.push(`${who}: ${event.kind} ${event.target}`)
    }
  }
  for (const { events, who } of recordings) for (const event of events()) count(who, event)
  for (const { kind } of faults) bump(suffered, kind)
  const refusedBy = (of: string) =>
    faults.reduce((sum, { kind, refused }) => sum + (kind === of ? (refused ?? 0) : 0), 0)
  return {
    seconds,
    processes: recordings.length,
    reads,
    allReads,
    hits,
    emptyPeeks,
    readsWithoutStore,
    readsOfSets,
    left,
    refused: { full: refusedBy("full"), select: refusedBy("select") },
    touched: faults.flatMap(({ touched }) => touched ?? []),
    loads,
    commits: [...commits.values()].reduce((sum, list) => sum + list.length, 0),
    acknowledged,
    typedFailures,
    faults: suffered,
    failedCallers,
    hungCallers,
    longestWait: { millis: Math.round(longest.micros / 1000), of: longest.of },
    recoveryMillis: recoveries.millis()
  }
}
