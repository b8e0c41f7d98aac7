/**
 * Lists of texts, as types, and what the compiler says of what it refuses. A string is an `Iterable<string>` too, of its characters,
 * which are nobody's keys and nobody's tags: an invalidation of them would succeed and invalidate nothing. So it is refused.
 */

/** Several strings: an array, a `Set`, whatever else is iterable; not one string. */
export interface Strings extends Iterable<string> {
  readonly charAt?: never
}

declare const sentence: unique symbol
/** A sentence that the compiler prints of what it refuses. No value has this type, and no editor offers it as a text to write. */
export interface Refused<Sentence extends string> {
  readonly [sentence]: Sentence
}

/** Iterable, as what is meant, for who writes a client of his own. */
export interface RefusedList<Sentence extends string> extends Refused<Sentence>, Iterable<string> {}

/**
 * A loader where options are wanted. That it can be called makes it what the compiler compares a function with, in a union of whatever
 * options; that it has a `pipe`, an effect.
 */
export interface RefusedLoader<Sentence extends string> extends Refused<Sentence> {
  (...args: never): unknown
  readonly pipe: unknown
}

/** Adds nothing to the options that it stands beside. The compiler prints its sentence of one that is not among them. */
export interface Beside<Sentence extends string> {
  readonly [sentence]?: Refused<Sentence> | undefined
}

/** Looked up, and not an alias: that the compiler would print by its name. */
interface Sentences {
  readonly list: RefusedList<"a list of strings, not a string: write [text], or [String(n)]">
  readonly duration: Refused<`no duration: write "5 minutes", a number of milliseconds, or a Duration`>
  readonly key: Refused<"no key: write a template, or make one of a function with CacheKey.make(template, function)">
  readonly onCacheError: Refused<'write "bypass", to carry on without the cache, or "fail", to fail with CacheError'>
  readonly onTimeout: Refused<'write "load", to load without storing, or "fail", to fail with CacheError'>
  readonly ignore: Refused<'a list: write ["name"], or [1] for argument 1'>
  readonly keyOf: Refused<"keyOf gives the parts of the key, of what was written: an object by name, or a list by position">
  readonly region: RefusedLoader<"a loader without a region: write pattern(region)(loader), or pattern(loader, region)">
  readonly beside: Beside<"ttl, tags and the like are of the region: give them to CacheRegion.make, or write { ...region, ttl }">
}

/** What the compiler says where a list is wanted, as in `Strings | AList`. */
export type AList = Sentences["list"]

/** What it says where a duration is. */
export type ADuration = Sentences["duration"]

/** What it says where a key is. */
export type AKey = Sentences["key"]

/** What it says where `onCacheError` is, and `onTimeout`, `ignore` and `keyOf`. */
export type AnOnCacheError = Sentences["onCacheError"]
export type AnOnTimeout = Sentences["onTimeout"]
export type AnIgnore = Sentences["ignore"]
export type AKeyOf = Sentences["keyOf"]

/** What it says of a loader where a region is wanted. */
export type ARegion = Sentences["region"]

/** What it says of an option of the region beside one. */
export type BesideRegion = Sentences["beside"]
