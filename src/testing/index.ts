/**
 * `effect-cache/testing`: the cache for tests.
 */
export { CacheTest, type Fault, type Operation, type TestEntry } from "./CacheTest.ts"
