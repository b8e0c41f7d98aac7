/**
 * The suites of cached responses in memory.
 */
import { CacheMemory } from "../../../src/index.ts"
import { suites } from "./suites.ts"

for (const each of suites) {
  each("memory", CacheMemory.layer())
  each("memory with copies", CacheMemory.layer({ isolation: "clone" }))
}
