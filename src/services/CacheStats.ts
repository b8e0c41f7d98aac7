/**
 * The figures of the cache, as types.
 */
import type { CacheErrorReason } from "../CacheError.ts"

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

/** The figures of `getCacheStats`. Counters are of this process, since its client was built. */
export interface CacheStats extends Omit<RegionStats, "region"> {
  /** The backend: `"memory"`, `"redis"`. */
  readonly backend: string
  /** Whether `size`, `memoryMb` and `evictions` are of this process, or of the server that others use too. */
  readonly scope: "process" | "server"
  /** Entries held; on a server, all its keys. */
  readonly size: number
  /** Memory held, in megabytes of 1,048,576 bytes. */
  readonly memoryMb: number
  /** Entries dropped to make room. */
  readonly evictions: number
  /** Loads in flight in this process right now, and callers that follow the load of another. */
  readonly inFlight: number
  readonly regions: ReadonlyArray<RegionStats>
}
