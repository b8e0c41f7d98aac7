/**
 * Lists of texts, as types. A string is an `Iterable<string>` too, of its characters, which are nobody's keys and nobody's tags:
 * an invalidation of them would succeed and invalidate nothing. So it is refused.
 */

/** Several strings: an array, a `Set`, whatever else is iterable; not one string. */
export interface Strings extends Iterable<string> {
  readonly charAt?: never
}

/** What the compiler says of a string where a list is wanted: `Strings | AList`, spelled out, because it prints an alias by name. */
export type AList = "a list, not a string: write [text]"
