/**
 * The tag section of a stored entry: the number of tags, and for each its length and its text.
 */
import { inOwnWords } from "../internal/ownWords.ts"
import { asciiText, setUint16, uint16, utf8Bytes, utf8Text, writeText } from "./bytes.ts"
import * as Layout from "./layout.ts"

export const noTags: ReadonlyArray<string> = Object.freeze([])

/** The bytes of a number of the section. */
const numberSize = (value: number): number => (value < Layout.LONG_NUMBER ? 1 : 3)

/** Returns where it ends. */
const writeNumber = (target: Uint8Array, at: number, value: number): number => {
  if (value < Layout.LONG_NUMBER) {
    target[at] = value
    return at + 1
  }
  target[at] = Layout.LONG_NUMBER
  setUint16(target, at + 1, value)
  return at + 3
}

/** The number at `at`, or -1 when there is none, or one that is written longer than it must be. */
const readNumber = (bytes: Uint8Array, at: number): number => {
  if (at >= bytes.length) return -1
  const first = bytes[at]!
  if (first < Layout.LONG_NUMBER) return first
  if (at + 3 > bytes.length) return -1
  const value = uint16(bytes, at + 1)
  return value < Layout.LONG_NUMBER ? -1 : value
}

const tooManyTags = () => inOwnWords(new RangeError(`an entry has at most ${Layout.MAX_TAGS} tags`))

const tagTooLong = () => inOwnWords(new RangeError(`a tag has at most ${Layout.MAX_TAG_BYTES} bytes`))

/** The most bytes that the section of these tags can take. Throws when they are too many, or one is clearly too long. */
export const boundOfTags = (tags: ReadonlyArray<string>): number => {
  if (tags.length === 0) return 0
  if (tags.length > Layout.MAX_TAGS) throw tooManyTags()
  let bound = 3
  for (let i = 0; i < tags.length; i++) {
    const { length } = tags[i]!
    if (length > Layout.MAX_TAG_BYTES) throw tagTooLong()
    // An escape has six bytes.
    bound += 3 + length * 6
  }
  return bound
}

/** Writes the section to where there is room for it, and returns where it ends. Without tags there is none. */
export const writeTags = (target: Uint8Array, at: number, tags: ReadonlyArray<string>): number => {
  if (tags.length === 0) return at
  let end = writeNumber(target, at, tags.length)
  for (let i = 0; i < tags.length; i++) end = writeTag(target, end, tags[i]!)
  return end
}

const writeTag = (target: Uint8Array, at: number, tag: string): number => {
  const { length } = tag
  const start = at + numberSize(length)
  let i = 0
  for (; i < length; i++) {
    const code = tag.charCodeAt(i)
    if (code > 127 || code === 0x25) break
    target[start + i] = code
  }
  if (i === length) return writeNumber(target, at, length) + length
  // Rare: what is not plain ASCII, or has to be escaped.
  const text = Layout.tagText(tag)
  const size = writeText(target, text, at + 3)
  if (size > Layout.MAX_TAG_BYTES) throw tagTooLong()
  const end = writeNumber(target, at, size)
  if (end !== at + 3) target.copyWithin(end, at + 3, at + 3 + size)
  return end + size
}

/** Sections up to this size are remembered. */
const KEPT_BYTES = 256

/**
 * Reads tag sections, and remembers the last one: the entries of a region often bear the same tags. A section says itself
 * where it ends, so bytes that begin with those of the last one are that section again.
 */
export class TagReader {
  /** What was read last. Shared by all entries that bear these tags. */
  tags: ReadonlyArray<string> = noTags
  /** The bytes of its section. */
  size = 0
  // A copy, because the bytes of a reply would keep all of the reply alive.
  #kept: Uint8Array | undefined
  #keptSize = 0

  /** Reads the section at `at`. `false`: there is none. */
  read(bytes: Uint8Array, at: number): boolean {
    if (this.#keptSize > 0 && this.#isKept(bytes, at)) return true
    this.#keptSize = 0
    const count = readNumber(bytes, at)
    // Before an array is made: a count that the bytes cannot hold costs nothing.
    if (count < 1 || count > bytes.length - at) return false
    const tags = new Array<string>(count)
    let end = at + numberSize(count)
    for (let i = 0; i < count; i++) {
      const length = readNumber(bytes, end)
      if (length < 0) return false
      const start = end + numberSize(length)
      end = start + length
      if (end > bytes.length) return false
      const tag = readTag(bytes, start, end)
      if (tag === undefined) return false
      tags[i] = tag
    }
    this.tags = tags
    this.size = end - at
    this.#keep(bytes, at)
    return true
  }

  /** Lets go of tags that are not remembered: what an entry of somebody else's holds must not stay. */
  release(): void {
    if (this.#keptSize === 0) this.tags = noTags
  }

  #isKept(bytes: Uint8Array, at: number): boolean {
    const kept = this.#kept!
    const size = this.#keptSize
    if (at + size > bytes.length) return false
    for (let i = 0; i < size; i++) if (kept[i] !== bytes[at + i]) return false
    return true
  }

  #keep(bytes: Uint8Array, at: number): void {
    const { size } = this
    if (size > KEPT_BYTES) return
    const kept = (this.#kept ??= new Uint8Array(KEPT_BYTES))
    for (let i = 0; i < size; i++) kept[i] = bytes[at + i]!
    this.#keptSize = size
  }
}

/** Tags up to this size are remembered. */
const KNOWN_BYTES = 64
// Tags read before, each at the place of its hash: to compare one costs less than to make it. Two that share a place cost
// time and nothing else.
const knownTags = new Array<string>(1024).fill("")

const readTag = (bytes: Uint8Array, start: number, end: number): string | undefined => {
  if (end - start > KNOWN_BYTES) return makeTag(bytes, start, end)
  let hash = 0
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if (byte > 127 || byte === 0x25) return makeTag(bytes, start, end)
    hash = Math.imul(hash, 31) + byte
  }
  const place = (hash ^ (hash >>> 10)) & 1023
  const known = knownTags[place]!
  return isText(known, bytes, start, end) ? known : (knownTags[place] = asciiText(bytes, start, end))
}

const isText = (text: string, bytes: Uint8Array, start: number, end: number): boolean => {
  if (text.length !== end - start) return false
  for (let i = start; i < end; i++) if (text.charCodeAt(i - start) !== bytes[i]) return false
  return true
}

const makeTag = (bytes: Uint8Array, start: number, end: number): string | undefined => {
  try {
    return Layout.tagOfText(utf8Text(bytes, start, end))
  } catch {
    return undefined
  }
}

/**
 * The section of the tags that were there and those of `more` that were not, given the bytes of the one that was there
 * (none: empty). `undefined` when that adds nothing.
 */
export const withTags = (
  section: Uint8Array,
  tags: ReadonlyArray<string>,
  more: ReadonlyArray<string>
): Uint8Array | undefined => {
  const known = new Set(tags)
  const added: Array<Uint8Array> = []
  let extra = 0
  for (const tag of more) {
    if (known.has(tag)) continue
    known.add(tag)
    const text = utf8Bytes(Layout.tagText(tag))
    if (text.length > Layout.MAX_TAG_BYTES) throw tagTooLong()
    added.push(text)
    extra += numberSize(text.length) + text.length
  }
  if (added.length === 0) return undefined
  const count = tags.length + added.length
  if (count > Layout.MAX_TAGS) throw tooManyTags()
  const kept = section.subarray(tags.length === 0 ? 0 : numberSize(tags.length))
  const out = new Uint8Array(numberSize(count) + kept.length + extra)
  let at = writeNumber(out, 0, count)
  out.set(kept, at)
  at += kept.length
  for (const text of added) {
    at = writeNumber(out, at, text.length)
    out.set(text, at)
    at += text.length
  }
  return out
}
