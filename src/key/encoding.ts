/**
 * How text becomes part of a key, how long keys are shortened, and how keys are escaped for a store.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { Base64Url } from "effect/encoding"
import { CacheError, InvalidKey } from "../CacheError.ts"

/** Keys longer than this, in UTF-8 bytes, are shortened. */
const maxKeyBytes = 512

/** What a shortened key ends in: this mark, then `digestLength` characters of base64url. */
const shortMark = "%~"
const digestLength = 43

/** What stands for a part that is not there: no character's escape, so no text's. */
export const absentPart = "%-"

/** What is left of a long key stays readable up to here. */
const headBytes = maxKeyBytes - shortMark.length - digestLength

/** The longest step by which `headOf` advances: a character of four bytes, each percent-encoded. */
const maxTokenBytes = 12

/** Every shortened key shows at least this much of the key it stands for. */
export const minHeadBytes = headBytes - maxTokenBytes

export const invalidKey = (key: string, problem: string, placeholder?: string | undefined): CacheError =>
  new CacheError({
    reason:
      placeholder === undefined
        ? new InvalidKey({ key: key.slice(0, 200), problem })
        : new InvalidKey({ key: key.slice(0, 200), placeholder, problem })
  })

/**
 * Non-ASCII letters and digits that stay readable. The blocks are listed, and hold no code point that Unicode has yet to
 * assign, because `\p{L}` alone differs from one runtime to the next: two processes would spell one key differently.
 */
const blocks =
  "\\u00aa-\\u0377\\u03a3-\\u052f\\u0531-\\u0556\\u05d0-\\u05ea\\u0620-\\u06ff\\u0900-\\u0983\\u0e01-\\u0e3a" +
  "\\u10d0-\\u10ff\\u1e00-\\u1f15\\u3041-\\u3096\\u30a1-\\u30ff\\u3105-\\u312f\\u3400-\\u4dbf\\u4e00-\\u9ffd" +
  "\\uac00-\\ud7a3\\uff10-\\uff9d"
const letter = new RegExp(`^(?=[${blocks}])[\\p{L}\\p{N}]$`, "u")

/** A table over ASCII: 1 for the characters that stand for themselves. */
export type PlainTable = Uint8Array

const tableOf = (punctuation: string): PlainTable => {
  const table = new Uint8Array(128)
  for (let code = 0; code < 128; code++) {
    if (/[A-Za-z0-9]/.test(String.fromCharCode(code))) table[code] = 1
  }
  for (const char of punctuation) table[char.charCodeAt(0)] = 1
  return table
}

/** What a part of a key holds as it is. */
export const partTable = tableOf("-_.~@")

/** Whether a part could hold this character as it is. */
export const isReadable = (char: string): boolean => {
  const code = char.codePointAt(0)!
  return code < 128 ? partTable[code] === 1 : letter.test(char)
}

/** The part table without some characters. */
export const partTableWithout = (reserved: ReadonlyArray<string>): PlainTable => {
  const table = partTable.slice()
  for (const char of reserved) {
    const code = char.codePointAt(0)!
    if (code < 128) table[code] = 0
  }
  return table
}

/** Whether every character is ASCII and plain. The test of the hit path. */
export const isPlain = (text: string, table: PlainTable): boolean => {
  for (let i = 0; i < text.length; i++) {
    // Beyond ASCII the table has nothing, which is not 1 either.
    if (table[text.charCodeAt(i)] !== 1) return false
  }
  return true
}

const isSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdfff

/** The bytes of a code point in UTF-8; a lone surrogate gives three bytes that no other text gives. */
const bytesOf = (code: number): ReadonlyArray<number> =>
  code < 0x80
    ? [code]
    : code < 0x800
      ? [0xc0 | (code >> 6), 0x80 | (code & 63)]
      : code < 0x10000
        ? [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)]
        : [0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)]

/** Replaces every character that does not stand for itself. */
const replaceWith = (
  text: string,
  table: PlainTable,
  reserved: ReadonlyArray<string>,
  escape: (code: number) => string
): string => {
  let out = ""
  let from = 0
  let i = 0
  while (i < text.length) {
    const code = text.codePointAt(i)!
    const next = i + (code > 0xffff ? 2 : 1)
    const plain =
      code < 128 ? table[code] === 1 : code <= 0xffff && letter.test(text[i]!) && !reserved.includes(text[i]!)
    if (!plain) {
      out += text.slice(from, i) + escape(code)
      from = next
    }
    i = next
  }
  return out + text.slice(from)
}

const hex = (n: number, width: number): string => n.toString(16).toUpperCase().padStart(width, "0")

const percent = (code: number): string =>
  isSurrogate(code)
    ? `%u${hex(code, 4)}`
    : bytesOf(code)
        .map((byte) => `%${hex(byte, 2)}`)
        .join("")

/** The text of a part as it stands in a key. `reserved` characters are escaped although they are readable. */
export const encodePart = (text: string, table: PlainTable, reserved: ReadonlyArray<string>): string =>
  isPlain(text, table) ? text : replaceWith(text, table, reserved, percent)

/** The length in UTF-8 bytes. */
const byteLength = (text: string): number => {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x80) continue
    if (code < 0x800) bytes += 1
    // A pair is two units and four bytes; a lone surrogate counts three.
    else if (code >= 0xd800 && code < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      bytes += 2
      i++
    } else bytes += 2
  }
  return bytes
}

// One character as a reader sees it: a whole percent-encoded one, another escape, or a code point.
const token =
  /%u[0-9A-F]{4}|%(?:[CD][0-9A-F]%|E[0-9A-F](?:%[89AB][0-9A-F]){1}%|F[0-7](?:%[89AB][0-9A-F]){2}%)[89AB][0-9A-F]|%[0-9A-F]{2}|%[-.~]|[^]/uy

/** What is a character of one byte by itself: ASCII, but for what begins an escape. */
const wholeTable: PlainTable = Uint8Array.from({ length: 128 }, (_, code) => (code === 37 ? 0 : 1))

/** The longest start of `key` of at most `limit` bytes that ends between two characters, and not inside an escape. */
export const headOf = (key: string, limit: number): string => {
  const plain = key.slice(0, limit)
  if (isPlain(plain, wholeTable)) return plain
  let bytes = 0
  let end = 0
  token.lastIndex = 0
  for (let match = token.exec(key); match !== null; match = token.exec(key)) {
    bytes += byteLength(match[0])
    if (bytes > limit) break
    end = token.lastIndex
  }
  return key.slice(0, end)
}

/** The bytes that are hashed: UTF-8, extended so that lone surrogates stay apart. */
const hashedBytes = (key: string): Uint8Array => {
  if (!/\p{Surrogate}/u.test(key)) return new TextEncoder().encode(key)
  const bytes: Array<number> = []
  for (const char of key) bytes.push(...bytesOf(char.codePointAt(0)!))
  return Uint8Array.from(bytes)
}

/** Whether a key is too long; the length in characters decides nearly always. */
export const isLong = (key: string): boolean =>
  key.length > maxKeyBytes / 3 && (key.length > maxKeyBytes || byteLength(key) > maxKeyBytes)

/** A long key shortened: a readable head, then the hash of all of it. Other keys as they are. */
export const shorten = (key: string): string =>
  isLong(key) ? headOf(key, headBytes) + shortMark + Base64Url.encode(sha256(hashedBytes(key))) : key

const shortened = /%~[-0-9A-Za-z_]{43}$/

/** What a shortened key shows of the key it stands for; `undefined` when `key` does not look like one. */
export const headOfShortened = (key: string): string | undefined => {
  const end = key.length - shortMark.length - digestLength
  return end >= 0 && key.charCodeAt(end) === 37 && shortened.test(key) ? key.slice(0, end) : undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// Keys as a store sees them
// ---------------------------------------------------------------------------------------------------------------------

// `%` is written `%%`, everything else that is not plain as `%` and three octal digits a byte. The digits are characters
// that never stand for themselves. So text that begins at a character can be found in an escaped key only where a
// character begins, and a glob over escaped keys means what the pattern means over keys. With hex digits, the glob
// `*01` would also find the escape of a control character.
const digits = "!#$<>^|`"
const storeTable = tableOf("-_.~@:/\"&'()+,;=")

const octal = (code: number): string =>
  code === 37
    ? "%%"
    : bytesOf(code)
        .map((b) => `%${digits[b >> 6]!}${digits[(b >> 3) & 7]!}${digits[b & 7]!}`)
        .join("")

/** Any string, injectively, in characters that mean nothing to a store. */
export const escapeText = (text: string): string =>
  isPlain(text, storeTable) ? text : replaceWith(text, storeTable, [], octal)
