/**
 * Many patterns over escaped keys at once, so that a key is not tried against each of them.
 *
 * A pattern is asked only about keys that begin as it does. Of those that begin alike, one look-up for each length of what they
 * end in tells which are left. So patterns of one star cost next to nothing, whatever their number; one with text between two
 * stars is tried by itself, from left to right and never back.
 */
import { escapeText, shorten } from "./encoding.ts"
import { parse, shortenedHead, visible } from "./pattern.ts"

/** Which of some starts, none of them the start of another, a text begins with. */
class Prefixes {
  private readonly sorted: ReadonlyArray<string>

  constructor(prefixes: Iterable<string>) {
    const kept: Array<string> = []
    // Behind a text come, in their order, all that begin with it.
    for (const prefix of [...new Set(prefixes)].sort(byUnits)) {
      const last = kept.at(-1)
      if (last === undefined || !prefix.startsWith(last)) kept.push(prefix)
    }
    this.sorted = kept
  }

  beginning(text: string): boolean {
    const before = this.sorted[lastUpTo(this.sorted, text)]
    return before !== undefined && text.startsWith(before)
  }
}

const byUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The place of the last text that is not above `text`; -1 when there is none. */
const lastUpTo = (sorted: ReadonlyArray<string>, text: string): number => {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! <= text) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** The patterns that begin with `first`: by what they end in, what they have between. */
class Group {
  readonly first: string
  /** The group with the longest start that this one's begins with. */
  readonly parent: Group | undefined
  private readonly byLength = new Map<number, Map<string, Array<ReadonlyArray<string>>>>()

  constructor(first: string, parent: Group | undefined) {
    this.first = first
    this.parent = parent
  }

  add(middle: ReadonlyArray<string>, last: string): void {
    let ends = this.byLength.get(last.length)
    if (ends === undefined) this.byLength.set(last.length, (ends = new Map()))
    const middles = ends.get(last)
    if (middles === undefined) ends.set(last, [middle])
    else if (middle.length === 0) middles.unshift(middle)
    else middles.push(middle)
  }

  /** A key that begins with `first`. */
  matches(key: string): boolean {
    const room = key.length - this.first.length
    for (const [length, ends] of this.byLength) {
      if (length > room) continue
      const end = key.length - length
      const middles = ends.get(key.slice(end))
      if (middles?.some((middle) => inOrder(middle, key, this.first.length, end))) return true
    }
    return false
  }
}

// The leftmost place for each piece leaves most room for the next, so there is nothing to go back for.
const inOrder = (pieces: ReadonlyArray<string>, key: string, from: number, end: number): boolean => {
  let at = from
  for (const piece of pieces) {
    const found = key.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
    if (at > end) return false
  }
  return true
}

export interface PatternSet {
  /** What every key that matches begins with. */
  readonly start: string
  /** Whether an escaped key matches one of the patterns, as `globs` has it. */
  readonly matches: (escaped: string) => boolean
  /** The most steps that a key may cost. */
  readonly cost: number
}

/** Throws `CacheError` (`InvalidKey`) for an empty pattern. */
export const patternSet = (patterns: ReadonlyArray<string>): PatternSet => {
  const exact = new Set<string>()
  const starts: Array<string> = []
  const heads: Array<string> = []
  const others: Array<{ first: string; middle: ReadonlyArray<string>; last: string }> = []
  for (const pattern of patterns) {
    const parsed = parse(pattern)
    if (parsed === undefined) {
      exact.add(escapeText(shorten(pattern)))
      continue
    }
    const first = escapeText(parsed.first)
    if (parsed.middle.length === 0 && parsed.last === "") starts.push(first)
    else others.push({ first, middle: parsed.middle.map(escapeText), last: escapeText(parsed.last) })
    heads.push(escapeText(visible(parsed.first)))
  }
  const prefixes = new Prefixes(starts)
  const shortened = new Prefixes(heads)

  const groups: Array<Group> = []
  const firsts: Array<string> = []
  let cost = 1
  for (const { first, last, middle } of others.sort((a, b) => byUnits(a.first, b.first))) {
    if (prefixes.beginning(first)) continue
    cost++
    let above = groups.at(-1)
    if (above?.first !== first) {
      while (above !== undefined && !first.startsWith(above.first)) above = above.parent
      groups.push((above = new Group(first, above)))
      firsts.push(first)
    }
    above.add(middle, last)
  }

  const matches = (key: string): boolean => {
    if (exact.has(key) || prefixes.beginning(key)) return true
    // Whatever a key begins with, the last start up to the key begins with, too.
    let group = groups[lastUpTo(firsts, key)]
    for (; group !== undefined; group = group.parent) {
      if (key.startsWith(group.first) && group.matches(key)) return true
    }
    const head = shortenedHead(key)
    return head !== undefined && shortened.beginning(head)
  }
  return { start: commonStart([...exact, ...starts, ...heads, ...firsts]), matches, cost }
}

const commonStart = (texts: ReadonlyArray<string>): string => {
  let common = texts[0] ?? ""
  for (const text of texts) while (!text.startsWith(common)) common = common.slice(0, -1)
  return common
}
