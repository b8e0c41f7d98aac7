/**
 * Patterns over keys: in them `*` is any run of characters, and everything else is itself.
 */
import { describe } from "../internal/invalidOption.ts"
import { escapeText, headOf, headOfShortened, invalidKey, minHeadBytes, shorten } from "./encoding.ts"

interface Pattern {
  /** What a key begins with, what follows in order, and what it ends in. */
  readonly first: string
  readonly middle: ReadonlyArray<string>
  readonly last: string
}

/** The pieces between the stars; `undefined` when there is no star. */
export const parse = (pattern: string): Pattern | undefined => {
  if (typeof pattern !== "string") throw invalidKey(describe(pattern), "a pattern is a string")
  if (pattern === "") throw invalidKey(pattern, "a pattern needs at least one character")
  const pieces = pattern.split("*")
  return pieces.length === 1
    ? undefined
    : {
        first: pieces[0]!,
        middle: pieces.slice(1, -1).filter((piece) => piece !== ""),
        last: pieces[pieces.length - 1]!
      }
}

// The leftmost place for each piece leaves most room for the next, so there is nothing to go back for.
const matchPieces = ({ first, last, middle }: Pattern, key: string): boolean => {
  const end = key.length - last.length
  if (end < first.length || !key.startsWith(first) || !key.endsWith(last)) return false
  let at = first.length
  for (const piece of middle) {
    const found = key.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
    if (at > end) return false
  }
  return true
}

/**
 * What the head of a shortened key must begin with to stand, perhaps, for a key that matches. The rest of the pattern may
 * lie in what was cut off, so it is not asked for: matching too much costs a miss, too little a stale read.
 */
export const visible = (first: string): string => headOf(first, minHeadBytes)

export const matcher = (pattern: string): ((key: string) => boolean) => {
  const parsed = parse(pattern)
  if (parsed === undefined) {
    const key = shorten(pattern)
    return (candidate) => candidate === key
  }
  const head = visible(parsed.first)
  const ofShortened = (key: string): boolean => headOfShortened(key)?.startsWith(head) === true
  if (!/\p{Surrogate}/u.test(pattern)) return (key) => matchPieces(parsed, key) || ofShortened(key)
  // Half of a pair is not found inside a whole one; escaped, it has a form of its own.
  const escaped: Pattern = {
    first: escapeText(parsed.first),
    middle: parsed.middle.map(escapeText),
    last: escapeText(parsed.last)
  }
  return (key) => matchPieces(escaped, escapeText(key)) || ofShortened(key)
}

// The dash comes first: stores read `_-]` as a range.
const shortenedTail = escapeText("%~") + "[-0-9A-Za-z_]".repeat(43)

const escapedTail = /%%~[-0-9A-Za-z_]{43}$/

/** What comes before that in an escaped key; `undefined` when it does not end so. */
export const shortenedHead = (escaped: string): string | undefined =>
  escapedTail.test(escaped) ? escaped.slice(0, -46) : undefined

/** The globs over escaped keys that together mean the pattern. */
export const globs = (pattern: string): ReadonlyArray<string> => {
  const parsed = parse(pattern)
  if (parsed === undefined) return [escapeText(shorten(pattern))]
  const { first, last, middle } = parsed
  const direct = [first, ...middle, last].map(escapeText).join("*")
  const everything = first === "" && last === "" && middle.length === 0
  // A prefix that is not cut finds shortened keys by itself.
  const covers = last === "" && middle.length === 0 && visible(first) === first
  return everything || covers ? [direct] : [direct, `${escapeText(visible(first))}*${shortenedTail}`]
}
