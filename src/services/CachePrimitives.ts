/**
 * What a store is made of: for the author of a backend, and for what is put around one.
 */
import type { CacheBackend } from "./CacheBackend.ts"
import type { LockStore } from "./LockManager.ts"
import type { TagIndex } from "./TagIndex.ts"

/** What a backend is made of. */
export interface CachePrimitives {
  /** Entries, and the leases that fence them. */
  readonly backend: CacheBackend["Service"]
  /** The epoch, and the markers of tags. */
  readonly tags: TagIndex["Service"]
  /** Locks by name, for `LockManager`. */
  readonly locks: LockStore
}

/** The same without locks, as the engine uses it. */
export interface Primitives {
  readonly backend: CacheBackend["Service"]
  readonly tags: TagIndex["Service"]
}
