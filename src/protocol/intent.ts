/**
 * What an intent says, as text: how much of it is put down, and what is made of a text that anybody may have written.
 */
import type { Intent } from "../services/CacheBackend.ts"

/** What an intent may hold: so many items, in so many characters of its text. */
export const maxItems = 1_000
export const maxText = 64 * 1024

/** JSON that is ASCII, so that its characters are its bytes, and no half of a surrogate pair is lost on the way. */
export const asciiJson = (value: unknown): string => {
  const text = JSON.stringify(value)
  return isAscii.test(text) ? text : text.replace(/[^ -~]/g, asEscape)
}

const isAscii = /^[ -~]*$/
const asEscape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`

/** `[[],[],[]]` */
const emptyLength = 10

/**
 * As much of an intent, which nobody changes any more, as is put down; `undefined`: there is nothing. Tags come first, then patterns,
 * then keys: one tag may stand for any number of entries.
 */
export const bounded = (intent: Intent): Intent | undefined => {
  let kept = known.get(intent)
  if (kept === undefined) known.set(intent, (kept = keptOf(intent)))
  return kept === nothing ? undefined : kept
}

/** That of a pattern is the same for each of its writes. */
const known = new WeakMap<Intent, Intent>()
const texts = new WeakMap<Intent, string>()

const nothing: Intent = { keys: [], patterns: [], tags: [] }

const keptOf = ({ keys, patterns, tags }: Intent): Intent => {
  let items = maxItems
  let text = maxText - emptyLength
  const take = (list: ReadonlyArray<string>): ReadonlyArray<string> =>
    list.filter((item) => {
      // A long one is not made into text to see that it is too long.
      const size = items === 0 || item.length > text ? Infinity : asciiJson(item).length + 1
      if (size > text) return false
      items--
      text -= size
      return true
    })
  const kept = { tags: take(tags), patterns: take(patterns), keys: take(keys) }
  return items === maxItems ? nothing : kept
}

export const intentText = (intent: Intent): string => {
  let text = texts.get(intent)
  if (text === undefined) texts.set(intent, (text = asciiJson([intent.keys, intent.patterns, intent.tags])))
  return text
}

const isTexts = (list: unknown): list is ReadonlyArray<string> =>
  Array.isArray(list) && list.every((item) => typeof item === "string")

const parsed = (text: string, maxLength: number): unknown => {
  if (text.length > maxLength) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A text that is none is an intent of nothing. */
export const parseIntent = (text: string): Intent => {
  const found = parsed(text, maxText)
  if (!Array.isArray(found) || found.length !== 3 || !found.every(isTexts)) return nothing
  const [keys, patterns, tags] = found as ReadonlyArray<ReadonlyArray<string>>
  return keys!.length + patterns!.length + tags!.length > maxItems
    ? nothing
    : { keys: keys!, patterns: patterns!, tags: tags! }
}

/** Where an intent is, as text. */
export const placeText = (key: string, token: string): string => asciiJson([key, token])

export const parsePlace = (text: string): readonly [key: string, token: string] | undefined => {
  const found = parsed(text, Infinity)
  return isTexts(found) && found.length === 2 ? [found[0]!, found[1]!] : undefined
}
