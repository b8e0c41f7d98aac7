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

/** Looked up, and not an alias: that the compiler would print by its name. */
interface Sentences {
  readonly list: RefusedList<"a list of strings, not a string: write [text], or [String(n)]">
  readonly duration: Refused<`no duration: write "5 minutes", a number of milliseconds, or a Duration`>
  readonly key: Refused<"no key: write a template, or make one of a function with CacheKey.make(template, function)">
}

/** What the compiler says where a list is wanted, as in `Strings | AList`. */
export type AList = Sentences["list"]

/** What it says where a duration is. */
export type ADuration = Sentences["duration"]

/** What it says where a key is. */
export type AKey = Sentences["key"]
