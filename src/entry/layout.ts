/**
 * Where things stand in a stored entry. The layout itself is described in `CacheEntry.ts`; the numbers live here so
 * that the Lua script which adds tags to an entry inside Redis and the TypeScript codec cannot drift apart.
 *
 * Offsets count from 0, as in a `DataView`; a Lua string counts from 1. Numbers are big-endian.
 */

/** First byte of every entry. It is no character of UTF-8 text, JSON or a compressed stream. */
export const MAGIC = 0xec
/**
 * The two upper bits of the second byte; the others are flags. Another layout gets another number, and the readers of this one
 * see a miss. (In version 1, the second byte was 1.)
 */
export const VERSION = 0b10_000000
export const VERSION_MASK = 0b11_000000

/** uint8 {@link MAGIC}. */
export const MAGIC_OFFSET = 0
/** uint8 {@link VERSION} and the flags below. */
export const FLAGS_OFFSET = 1
/** uint56, at most 2^53 - 1. */
export const BORN_OFFSET = 2
/** uint48, milliseconds. */
export const CREATED_AT_OFFSET = 9
/** uint32, from createdAt to freshUntil: milliseconds, {@link FRESH_SECONDS} and seconds, or {@link FRESH_FOR_EVER}. */
export const FRESH_FOR_OFFSET = 15
/** uint16, the upper half of a float32. */
export const LOAD_MILLIS_OFFSET = 19
/** The fingerprint, then the tag section, then what undoes the compression, as far as the flags say so; then the payload. */
export const HEAD_BYTES = 21

/** Bits 0 and 1 of the flags: {@link CODEC_UNDEFINED}, {@link CODEC_JSON} or {@link CODEC_JSON_ASCII}. */
export const CODEC_MASK = 0b11
/** There is no payload, and the value is `undefined`. */
export const CODEC_UNDEFINED = 0
/** The payload is JSON in UTF-8. */
export const CODEC_JSON = 1
/** The payload is JSON in ASCII: the same text, but it can be read without decoding UTF-8. */
export const CODEC_JSON_ASCII = 2

/** Bits 2 and 3 of the flags. Neither bit: no fingerprint. */
export const FINGERPRINT_MASK = 0b1100
/** {@link FINGERPRINT_BYTES} bytes, which are base64url of {@link FINGERPRINT_CHARS} characters. */
export const FINGERPRINT_HASH = 0b0100
/** Any other text: uint8 length, and ASCII. */
export const FINGERPRINT_TEXT = 0b1000
export const FINGERPRINT_CHARS = 12
export const FINGERPRINT_BYTES = 9

/** There is a tag section: the number of tags, at least 1, and for each its length and the bytes of {@link tagText}. */
export const TAGGED = 0b10000
/** Before the payload stand the id of the compressor, uint8, and the length before compression, uint32, both not 0. */
export const COMPRESSED = 0b100000
export const COMPRESSION_BYTES = 5

/** In the tag section a number below this is one byte; any other is this byte and a uint16. */
export const LONG_NUMBER = 0xff
/** From here on the duration is in seconds, because in milliseconds it would not be below this. */
export const FRESH_SECONDS = 2 ** 31
/** In place of a duration: it never stops being fresh. */
export const FRESH_FOR_EVER = 2 ** 32 - 1
/** The most milliseconds of createdAt, in the year 10889. */
export const MAX_CREATED_AT = 2 ** 48 - 1
/** The upper half of a float32 from here on is no finite number that is 0 or more. */
export const LOAD_MILLIS_END = 0x7f80

/** The most bytes of one tag, encoded. */
export const MAX_TAG_BYTES = 0xffff
/** The most tags of one entry. */
export const MAX_TAGS = 0xffff
/** The most bytes of a payload before compression: 64 MiB. What claims more is not an entry. */
export const MAX_PAYLOAD_BYTES = 64 * 1024 * 1024

const encoder = new TextEncoder()

// With the `u` flag a pair of surrogates is one character, so `\p{Cs}` finds only those that stand alone.
const special = /[%\p{Cs}]/gu
const escapes = /%(?:25|u(D[89A-F][0-9A-F]{2}))/g
const replaceSpecial = (char: string) => (char === "%" ? "%25" : `%u${char.charCodeAt(0).toString(16).toUpperCase()}`)
const replaceEscape = (_: string, surrogate: string | undefined) =>
  surrogate === undefined ? "%" : String.fromCharCode(Number.parseInt(surrogate, 16))

/**
 * The text of a tag that has a UTF-8 form: `%` becomes `%25`, a lone surrogate becomes `%uD800` (uppercase hex), and
 * everything else stays. Injective, because `%` appears in the output only where an escape starts.
 */
export const tagText = (tag: string): string => tag.replace(special, replaceSpecial)

/** Undoes {@link tagText}; `undefined` when the text is not its output. */
export const tagOfText = (text: string): string | undefined => {
  if (text.indexOf("%") < 0) return text
  const tag = text.replace(escapes, replaceEscape)
  return tagText(tag) === text ? tag : undefined
}

/** The bytes of a tag in the tag section, without its length: {@link tagText} in UTF-8. */
export const encodeTag = (tag: string): Uint8Array => encoder.encode(tagText(tag))
