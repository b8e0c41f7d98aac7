/**
 * The figures of the cache, as types.
 */
import type { CacheError, CacheErrorReason } from "../CacheError.ts"

/** The counters of one region, in this process since its client was built. */
export interface RegionStats {
  readonly region: string
  readonly hits: number
  readonly misses: number
  /** Hits among all reads, from 0 to 1; 0 before the first read. */
  readonly hitRate: number
  /** Of the misses, those where an entry was found that an invalidation had made stale. */
  readonly stale: number
  /** Of the misses, those answered by a load that another caller of this process had started. */
  readonly shared: number
  readonly loads: number
  readonly loadFailures: number
  /** Time spent in loads, all together, in milliseconds. */
  readonly loadMillis: number
  /**
   * Fills that the fence refused because of an invalidation, a write or a newer load meanwhile; and, while Redis is away, values
   * whose load took longer than they may be kept.
   */
  readonly rejectedFills: number
  /** Cache failures by reason. */
  readonly errors: Readonly<Partial<Record<CacheErrorReason["_tag"], number>>>
}

/** The counters of a client, in all and per region. */
export interface CacheCounters {
  readonly total: Omit<RegionStats, "region">
  readonly regions: ReadonlyArray<RegionStats>
}

/** What the circuit breaker around a store outside this process makes of it. */
export interface BreakerStats {
  /**
   * `"trusted"`: it is asked. `"away"`: it has failed, is left alone, and tried in the background. `"replaying"`: it answers again,
   * and what is in the journal is carried out before it is trusted.
   */
  readonly state: "trusted" | "away" | "replaying"
  /** Invalidations that it has not acknowledged and that are still to be carried out. The whole namespace is one. */
  readonly journal: number
}

/**
 * The figures of `getCacheStats`. Counters are of this process, since its client was built, and are always there. `scope`, `size`,
 * `memoryMb` and `evictions` are the store's to say: where it does not answer they are `undefined`, and `unavailable` says why.
 */
export interface CacheStats extends Omit<RegionStats, "region"> {
  /** The backend: `"memory"`, `"redis"`. */
  readonly backend: string
  /** Of a store outside this process; `undefined` for one in it, which cannot be away. */
  readonly breaker: BreakerStats | undefined
  /** Loads in flight in this process right now, and callers that follow the load of another. */
  readonly inFlight: number
  readonly regions: ReadonlyArray<RegionStats>
  /** Why the store did not say how big it is. `undefined`: it did, and the four below are there. */
  readonly unavailable: CacheError | undefined
  /** Whether `size`, `memoryMb` and `evictions` are of this process, or of the server that others use too. */
  readonly scope: "process" | "server" | undefined
  /** Entries held; on a server, all its keys. */
  readonly size: number | undefined
  /** Memory held, in megabytes of 1,048,576 bytes. */
  readonly memoryMb: number | undefined
  /** Entries dropped to make room. */
  readonly evictions: number | undefined
}
