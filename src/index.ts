/**
 * `effect-cache`: a typed caching runtime for Effect. See the README.
 */
export { CacheConfig, type CacheEnvironment, type CacheSettings, type CacheSettingsOptions } from "./CacheConfig.ts"
export {
  CacheError,
  type CacheErrorReason,
  EncodeFailed,
  InvalidKey,
  InvalidOption,
  LockLost,
  NoRoom,
  NotReplicated,
  TimedOut,
  Unavailable,
  WaitTimeout
} from "./CacheError.ts"
export type { CacheEntry, Compressor, EntryHeader } from "./CacheEntry.ts"
export {
  type AnyKey,
  type ArgsOf,
  buildCacheKey,
  buildCachePattern,
  CacheKey,
  type KeyParams,
  type KeyPart,
  type ParamsOf,
  type PlaceholderNames
} from "./CacheKey.ts"
export {
  CacheRegion,
  type OnCacheError,
  type RegionOptions,
  type RegionParams,
  type RegionSettings,
  type Tags,
  type Ttl
} from "./CacheRegion.ts"
export type { CacheServices } from "./layers/assemble.ts"
export { CacheFallback, type FallbackOptions } from "./layers/CacheFallback.ts"
export { CacheLayer } from "./layers/CacheLayer.ts"
export { CacheLive } from "./layers/CacheLive.ts"
export { CacheMemory, type MemoryOptions } from "./layers/CacheMemory.ts"
export { CacheNone } from "./layers/CacheNone.ts"
export { cacheAside } from "./patterns/cacheAside.ts"
export type { Pattern } from "./patterns/cached.ts"
export type { Cached, CachedEffect, CachedLoader, Wrap, WrapEffect, WrapFunction } from "./patterns/shape.ts"
export type { Free, FreeOrKeyOf } from "./patterns/fault.ts"
export type { Is, Some } from "./internal/said.ts"
export type { Refused, RefusedList } from "./internal/strings.ts"
export { invalidateKey, invalidateKeys, invalidatePattern } from "./patterns/invalidation.ts"
export { type Memoize, memoize, type WrapMemo } from "./patterns/memoize.ts"
export { type StampedeOptions, type StampedeProtect, stampedeProtect } from "./patterns/stampedeProtect.ts"
export { getCacheStats } from "./patterns/stats.ts"
export { invalidateTags, tagCacheKey } from "./patterns/tags.ts"
export {
  type AroundOptions,
  type KeysOptions,
  type RegionAround,
  type WrapAround,
  type WrapKeys,
  type WrapRegion,
  type WriteAround,
  writeAround
} from "./patterns/writeAround.ts"
export { type CreateOptions, type WriteOptions, type WriteThrough, writeThrough } from "./patterns/writeThrough.ts"
export type { Listed, Lists, WrapAny, WriteCall, WriteOf, Written } from "./patterns/writing.ts"
export {
  type BackendUsage,
  CacheBackend,
  type FastPath,
  type Give,
  type LocalPrimitives,
  type Lookup,
  type Lookups,
  type Stored,
  type TakenOver,
  type Write
} from "./services/CacheBackend.ts"
export { CacheClient, type SetOptions } from "./services/CacheClient.ts"
export type { CachePrimitives } from "./services/CachePrimitives.ts"
export type { BreakerStats, CacheCounters, CacheStats, RegionStats } from "./services/CacheStats.ts"
export { type Lock, LockManager, type LockOptions, type LockStore } from "./services/LockManager.ts"
export { TagIndex } from "./services/TagIndex.ts"
