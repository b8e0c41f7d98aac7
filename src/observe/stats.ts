/**
 * What the client counts, per region: plain numbers for `getCacheStats`, and Effect metrics with bounded labels.
 */
import { type Context, Duration, Metric } from "effect"
import type { CacheError, CacheErrorReason } from "../CacheError.ts"
import type { RegionStats } from "../services/CacheStats.ts"
import { type HitSeries, hitSeries, type Meter } from "./hitSeries.ts"
import type { Said } from "./warnings.ts"

/** How a read ended. `stale`: there was an entry, but an invalidation had overtaken it; it counts as a miss too. */
export type Outcome = "hit" | "miss" | "stale"

type Counts = { -readonly [K in keyof Omit<RegionStats, "region" | "hitRate" | "errors">]: number }

const loadBoundaries = Metric.exponentialBoundaries({ start: 1, factor: 2, count: 14 })

/** The most region labels a client keeps; regions beyond it are counted together as `"(other)"`. */
const maxRegions = 1_000
/** The most that metrics have, of all clients together: a registry keeps what it was told of, and clients come and go. */
const maxLabels = 10_000

const other = "(other)"

const labels = new Set<string>()

const labelOf = (region: string): string => {
  if (labels.has(region)) return region
  if (labels.size >= maxLabels) return other
  labels.add(region)
  return region
}

export class RegionCounters {
  readonly region: string
  readonly counts: Counts = {
    hits: 0,
    misses: 0,
    stale: 0,
    shared: 0,
    loads: 0,
    loadFailures: 0,
    loadMillis: 0,
    rejectedFills: 0
  }
  readonly errors: Partial<Record<CacheErrorReason["_tag"], number>> = {}
  /** Of what people were warned, once there was something. */
  said: Said | undefined = undefined
  /** The fingerprint of the schema that came first; another word once there was a second, which is said once. */
  schema: string | undefined = undefined
  /** It was said that its TTL is short. */
  short = false
  readonly #layer: string
  /** What metrics call it. */
  readonly #label: string
  /** Where hits were counted last, and calls that share a load. */
  #hits: HitSeries | undefined = undefined
  #sharing: HitSeries | undefined = undefined
  // One metric instance per attribute set: a shared one would look its series up again on each update.
  readonly #hit: Metric.Counter<number>
  readonly #miss: Metric.Counter<number>
  readonly #stale: Metric.Counter<number>
  readonly #load: Metric.Metric<Duration.Duration, unknown>
  /** Made when there is something to count: most regions of a process never have it. */
  #shared: Metric.Counter<number> | undefined = undefined
  #refused: Metric.Counter<number> | undefined = undefined

  constructor(region: string, layer: string) {
    this.region = region
    this.#layer = layer
    const label = (this.#label = labelOf(region))
    const requests = (outcome: Outcome) =>
      Metric.counter("effect_cache_requests_total", {
        description: "Reads by outcome",
        incremental: true,
        attributes: { region: label, outcome, layer }
      })
    this.#hit = requests("hit")
    this.#miss = requests("miss")
    this.#stale = requests("stale")
    this.#load = Metric.timer("effect_cache_load", {
      description: "Duration of loads",
      boundaries: loadBoundaries,
      attributes: { region: label, layer }
    })
  }

  hit(moment: Meter): void {
    this.counts.hits++
    let hits = this.#hits
    if (hits === undefined || !hits.isOf(moment)) this.#hits = hits = hitSeries(this.#hit, moment)
    hits.tally.count++
  }

  miss(found: "miss" | "stale" | "unsettled", context: Context.Context<never>): void {
    this.counts.misses++
    if (found !== "miss") {
      this.counts.stale++
      this.#stale.updateUnsafe(1, context)
    } else {
      this.#miss.updateUnsafe(1, context)
    }
  }

  /** A call is given the load of another. */
  shared(moment: Meter): void {
    this.counts.shared++
    let sharing = this.#sharing
    if (sharing === undefined || !sharing.isOf(moment)) {
      this.#shared ??= this.#counter("effect_cache_shared_loads_total", "Calls that were given the load of another")
      this.#sharing = sharing = hitSeries(this.#shared, moment)
    }
    sharing.tally.count++
  }

  /** What was loaded or written was not stored. Throws nothing: it comes behind writes that are done. */
  refused(context: Context.Context<never>): void {
    this.counts.rejectedFills++
    try {
      this.#refused ??= this.#counter("effect_cache_refused_fills_total", "Fills that the fence refused")
      this.#refused.updateUnsafe(1, context)
    } catch {}
  }

  #counter(name: string, description: string): Metric.Counter<number> {
    return Metric.counter(name, {
      description,
      incremental: true,
      attributes: { region: this.#label, layer: this.#layer }
    })
  }

  load(millis: number, failed: boolean, context: Context.Context<never>): void {
    this.counts.loads++
    this.counts.loadMillis += millis
    if (failed) this.counts.loadFailures++
    this.#load.updateUnsafe(Duration.millis(millis), context)
  }

  error(error: CacheError, context: Context.Context<never>): void {
    const reason = error.reason._tag
    this.errors[reason] = (this.errors[reason] ?? 0) + 1
    Metric.counter("effect_cache_errors_total", {
      description: "Cache failures by reason",
      incremental: true,
      attributes: { region: this.#label, reason, layer: this.#layer }
    }).updateUnsafe(1, context)
  }

  snapshot(): RegionStats {
    return { region: this.region, hitRate: rate(this.counts), ...this.counts, errors: { ...this.errors } }
  }
}

const rate = (counts: { readonly hits: number; readonly misses: number }): number =>
  counts.hits === 0 ? 0 : counts.hits / (counts.hits + counts.misses)

/** The counters of all regions of one client. */
export class Counters {
  readonly #regions = new Map<string, RegionCounters>()
  readonly #layer: string
  /** Reads of one region come in runs. */
  #last: RegionCounters | undefined

  constructor(layer: string) {
    this.#layer = layer
  }

  of(region: string): RegionCounters {
    const last = this.#last
    return last !== undefined && last.region === region ? last : this.#find(region)
  }

  #find(region: string): RegionCounters {
    let found = this.#regions.get(region)
    if (found === undefined) {
      const label = this.#regions.size < maxRegions ? region : other
      found = this.#regions.get(label) ?? new RegionCounters(label, this.#layer)
      this.#regions.set(label, found)
    }
    this.#last = found
    return found
  }

  snapshot(): { readonly total: Omit<RegionStats, "region">; readonly regions: Array<RegionStats> } {
    const total = new RegionCounters("", this.#layer)
    const regions = [...this.#regions.values()].map((counters) => {
      for (const name of Object.keys(total.counts) as Array<keyof Counts>) total.counts[name] += counters.counts[name]
      for (const [reason, count] of Object.entries(counters.errors) as Array<[CacheErrorReason["_tag"], number]>) {
        total.errors[reason] = (total.errors[reason] ?? 0) + count
      }
      return counters.snapshot()
    })
    const { region: _, ...whole } = total.snapshot()
    return { total: whole, regions }
  }
}
