import { CacheMemory } from "effect-cache"
import { CacheTest } from "effect-cache/testing"

/** Two caches within this process: one holds values as they are, the other bytes, as a store outside would. */
export const inProcess = [
  ["memory", CacheMemory.layer()],
  ["bytes", CacheTest.layer]
] as const
