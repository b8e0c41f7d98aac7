/**
 * Metrics of what a client holds, read when somebody looks at the metrics: nothing is counted along, and no timer runs. Series
 * of the same labels, of several clients of a process, are added up.
 */
import { type Context, Effect, Exit, Metric } from "effect"
import type { CacheError } from "../CacheError.ts"
import type { BackendUsage } from "../services/CacheBackend.ts"
import type { BreakerStats } from "../services/CacheStats.ts"
import { hitSeries, type Meter } from "./hitSeries.ts"

type Labels = Readonly<Record<string, string>>

const entries = (attributes: Labels) =>
  Metric.gauge("effect_cache_entries", { description: "Entries held", attributes })
const bytes = (attributes: Labels) => Metric.gauge("effect_cache_bytes", { description: "Bytes held", attributes })
const evictions = (attributes: Labels) =>
  Metric.counter("effect_cache_evictions_total", {
    description: "Entries dropped to make room",
    incremental: true,
    attributes
  })
const breakerState = (attributes: Labels) =>
  Metric.gauge("effect_cache_breaker_state", { description: "Clients whose breaker is in this state", attributes })
const journalLength = (attributes: Labels) =>
  Metric.gauge("effect_cache_journal_length", { description: "Invalidations still to be carried out", attributes })

const states: ReadonlyArray<BreakerStats["state"]> = ["trusted", "away", "replaying"]

type Source = () => number

/** One series, and who is asked for it. */
class Series {
  readonly sources = new Set<Source>()
  /** Of a counter: what those had counted that are gone. */
  kept = 0
  registration: Metric.Registration | undefined = undefined

  sum(): number {
    let sum = this.kept
    for (const source of this.sources) sum += source()
    return sum
  }
}

/**
 * The registry keeps the series, so nothing else has to: it is asked for its value, and the series that is asked says that it is it. It
 * adds nothing up for that, or to open so many clients would take the square of it.
 */
let looking = false
let found: Series | undefined
const seriesOf = <S>(metric: Metric.Metric<number, S>, context: Context.Context<never>): Series | undefined => {
  looking = true
  found = undefined
  try {
    metric.valueUnsafe(context)
  } finally {
    looking = false
  }
  return found
}

/** Adds a source to a series; gives what takes it out. */
const watch = <S extends object>(
  metric: Metric.Metric<number, S>,
  context: Context.Context<never>,
  source: Source,
  stateOf: (sum: number) => S
): (() => Series) => {
  let series = seriesOf(metric, context)
  if (series === undefined) {
    const made = (series = new Series())
    const get = (): S => {
      if (!looking) return stateOf(made.sum())
      found = made
      return stateOf(made.kept)
    }
    made.registration = Metric.registerUnsafe(metric, context, { get, update: ignore, modify: ignore })
  }
  const { sources } = series
  sources.add(source)
  return () => {
    sources.delete(source)
    return series
  }
}

const ignore = () => {}

/** With the last client that has something there is nothing to say of it. */
const gauge = (metric: Metric.Gauge<number>, context: Context.Context<never>, source: Source): (() => void) => {
  const leave = watch(metric, context, source, (value) => ({ value }))
  return () => {
    const { registration, sources } = leave()
    if (sources.size === 0) registration?.remove()
  }
}

/** What was counted stays counted. */
const counter = (metric: Metric.Counter<number>, context: Context.Context<never>, source: Source): (() => void) => {
  const leave = watch(metric, context, source, (count) => ({ count, incremental: true }))
  return () => {
    leave().kept += source()
  }
}

/** A store, as far as it says how much there is. */
export interface Held {
  readonly name: string
  readonly usage: Effect.Effect<BackendUsage, CacheError>
}

/** What there is now in a store of this process, which takes no time to say; the last word of one that does not. */
const usageOf = ({ usage }: Held): (() => BackendUsage) => {
  let last: BackendUsage = { scope: "process", entries: 0, bytes: 0, evictions: 0 }
  return () => {
    const exit = Effect.runSyncExit(usage)
    if (Exit.isSuccess(exit)) last = exit.value
    return last
  }
}

/** A registry that throws has no figures, and keeps no layer from opening or closing. */
const tried = (f: () => void): void => {
  try {
    f()
  } catch {}
}

/**
 * Shows what the stores of a client hold that are in this process, and its breaker, in the registry of this context, until what
 * it gives is called.
 */
export const showFigures = (
  context: Context.Context<never>,
  layer: string,
  stores: ReadonlyArray<Held>,
  breaker: (() => BreakerStats) | undefined
): (() => void) => {
  const shown: Array<() => void> = []
  tried(() => {
    for (const store of stores) {
      const now = usageOf(store)
      const labels = { layer, store: store.name }
      shown.push(
        gauge(entries(labels), context, () => now().entries),
        gauge(bytes(labels), context, () => now().bytes),
        counter(evictions(labels), context, () => now().evictions)
      )
    }
    if (breaker === undefined) return
    shown.push(gauge(journalLength({ layer }), context, () => breaker().journal))
    for (const state of states) {
      shown.push(gauge(breakerState({ layer, state }), context, () => (breaker().state === state ? 1 : 0)))
    }
  })
  return () => shown.forEach(tried)
}

/** Notes what a store outside this process has said of itself, which costs a trip: the last word of whoever asked. */
export const noteUsage = (layer: string, usage: BackendUsage, meter: Meter): void =>
  tried(() => {
    const labels = { layer, store: layer }
    entries(labels).updateUnsafe(usage.entries, meter.context)
    bytes(labels).updateUnsafe(usage.bytes, meter.context)
    // Set, and not added to: it counts by itself.
    hitSeries(evictions(labels), meter).tally.count = usage.evictions
  })
