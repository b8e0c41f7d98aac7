/**
 * `effect-cache/testing`: the cache for tests, and tests for backends.
 */
export { type AnyCached, CacheTest, type Fault, type Operation, type TestEntry, UnknownRegion } from "./CacheTest.ts"
export { Conformance, type ConformanceReport } from "./Conformance.ts"
export {
  type ConformanceCase,
  ConformanceFailure,
  type ConformanceGroup,
  type ConformanceStore
} from "./conformance/case.ts"
