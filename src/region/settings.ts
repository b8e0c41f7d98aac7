/**
 * The options of a region, as types.
 */
import type { Duration, Schema } from "effect"
import type { ADuration, AKey, AList, AnOnCacheError } from "../internal/strings.ts"
import type { AnyKey, PartsOf, PlaceholderNames } from "../CacheKey.ts"

/** The parameters of a key as `ttl` and `tags` see them, by placeholder name; positional ones by number. */
export type RegionParams<T extends AnyKey> = PartsOf<T, PlaceholderNames<T>>

/** What a pattern does when the cache itself fails: carry on without it, or fail with `CacheError`. */
export type OnCacheError = "bypass" | "fail"

// `& {}` keeps each from swallowing the examples. As it does so only where it is written out, there is a line for each unit.
type Written =
  | (`${number} nano` & {})
  | (`${number} nanos` & {})
  | (`${number} micro` & {})
  | (`${number} micros` & {})
  | (`${number} milli` & {})
  | (`${number} millis` & {})
  | (`${number} second` & {})
  | (`${number} seconds` & {})
  | (`${number} minute` & {})
  | (`${number} minutes` & {})
  | (`${number} hour` & {})
  | (`${number} hours` & {})
  | (`${number} day` & {})
  | (`${number} days` & {})
  | (`${number} week` & {})
  | (`${number} weeks` & {})

/** `Duration.Input`, with examples that editors offer: of a text with a number in it they have nothing to offer otherwise. */
export type DurationInput =
  | "500 millis"
  | "10 seconds"
  | "30 seconds"
  | "1 minute"
  | "5 minutes"
  | "1 hour"
  | "1 day"
  | Written
  | Exclude<Duration.Input, Written>

/**
 * How long entries live, a duration or a function of the value. It must be positive; `"infinity"`-like durations mean no
 * expiry.
 */
export type Ttl<A, T extends AnyKey> = Duration.Input | ((value: A, params: RegionParams<T>) => Duration.Input)

/** The tags of an entry, fixed or a function of the value. */
export type Tags<A, T extends AnyKey> =
  | ReadonlyArray<string>
  | ((value: A, params: RegionParams<T>) => ReadonlyArray<string>)

/** The options of a region, apart from key and schema. */
export interface RegionSettings<A, T extends AnyKey, F extends OnCacheError> {
  /** Put in front of the key, for example `"v2:"`. */
  readonly prefix?: string | undefined
  /** Time to live: `"5 minutes"`, a `Duration`, or a number of **milliseconds**. Default: `CacheConfig.defaultTtl`. Zero and negative durations are rejected (`InvalidOption`). */
  readonly ttl?: DurationInput | ADuration | ((value: A, params: RegionParams<T>) => DurationInput) | undefined
  /** Tags for `invalidateTags`. An entry that lacks a static tag of its region is a miss, so adding one takes effect at once. */
  readonly tags?:
    | ReadonlyArray<string>
    | AList
    | ((value: A, params: RegionParams<T>) => ReadonlyArray<string>)
    | undefined
  /**
   * Shortens each TTL by a random share of up to this fraction, from 0 (default) to 1, so that entries stored together do
   * not expire together.
   */
  readonly jitter?: number | undefined
  /**
   * `"bypass"` (default): a cache failure is recorded and the loader runs. `"fail"`: it fails the call, and the type of
   * the cached function gains `CacheError`. That a full store does not keep a value is none: the call succeeds.
   */
  readonly onCacheError?: F | AnOnCacheError | undefined
  /** Payloads of at least this many bytes are compressed. Default: the layer's setting. `Infinity`: never. */
  readonly compressAbove?: number | undefined
}

/** The options of `CacheRegion.make`, and of a pattern with inline options. */
export interface RegionOptions<T extends AnyKey, A, I, RD, RE, F extends OnCacheError = "bypass">
  extends RegionSettings<NoInfer<A>, NoInfer<T>, F> {
  /** The key template: `"user:{userId}"`, `"items:{0}:{1}"`, `"list:{tenant}:{cursor?}"`, or plain text; or `CacheKey.make`. */
  readonly key: T | AKey
  /** Any codec: values are stored as its JSON form and come back decoded. */
  readonly schema: Schema.Codec<A, I, RD, RE>
}
