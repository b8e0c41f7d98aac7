/**
 * Where things stand in a stored entry. The layout itself is described in `CacheEntry.ts`; the numbers live here so
 * that the Lua script which adds tags to an entry inside Redis and the TypeScript codec cannot drift apart.
 *
 * Offsets count from 0, as in a `DataView`; a Lua string counts from 1.
 */

/** First byte of every entry. It is no character of UTF-8 text, JSON or a compressed stream. */
export const MAGIC = 0xec
/** Second byte. Another layout gets another number, and the readers of this one see a miss. */
export const VERSION = 1

/** uint8 {@link MAGIC}. */
export const MAGIC_OFFSET = 0
/** uint8 {@link VERSION}. */
export const VERSION_OFFSET = 1
/** uint8, one of {@link CODEC_UNDEFINED}, {@link CODEC_JSON}, {@link CODEC_JSON_ASCII}. */
export const CODEC_OFFSET = 2
/** uint8, the id of the compressor; 0 for none. */
export const COMPRESSOR_OFFSET = 3
/** float64 BE. */
export const BORN_OFFSET = 4
/** float64 BE. */
export const CREATED_AT_OFFSET = 12
/** float64 BE. */
export const FRESH_UNTIL_OFFSET = 20
/** float32 BE. */
export const LOAD_MILLIS_OFFSET = 28
/** uint8, the length of the fingerprint in bytes. */
export const FINGERPRINT_LENGTH_OFFSET = 32
/** The bytes of the fingerprint. The tag section starts where they end: at `33 + fingerprintLength`. */
export const FINGERPRINT_OFFSET = 33

/** In the tag section: uint32 BE, how many bytes of the section follow this field. */
export const TAG_SECTION_LENGTH_SIZE = 4
/** Then: uint16 BE, the number of tags. */
export const TAG_COUNT_SIZE = 2
/** Then for each tag: uint16 BE, its length in bytes, and the bytes of {@link encodeTag}. */
export const TAG_LENGTH_SIZE = 2
/** After the tag section: uint32 BE, the length of the payload before compression. The payload fills the rest. */
export const PAYLOAD_LENGTH_SIZE = 4

/** The shortest entry there is: no fingerprint, no tags, no payload. */
export const MIN_ENTRY_BYTES = FINGERPRINT_OFFSET + TAG_SECTION_LENGTH_SIZE + TAG_COUNT_SIZE + PAYLOAD_LENGTH_SIZE
/** The most bytes of one tag, encoded. */
export const MAX_TAG_BYTES = 0xffff
/** The most tags of one entry. */
export const MAX_TAGS = 0xffff
/** The most bytes of a payload before compression: 64 MiB. What claims more is not an entry. */
export const MAX_PAYLOAD_BYTES = 64 * 1024 * 1024

/** The payload is empty and stands for `undefined`. */
export const CODEC_UNDEFINED = 0
/** The payload is JSON in UTF-8. */
export const CODEC_JSON = 1
/** The payload is JSON in ASCII: the same text, but it can be read without decoding UTF-8. */
export const CODEC_JSON_ASCII = 2

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

/** Where the tag section starts. The caller has checked that there are at least {@link MIN_ENTRY_BYTES}. */
export const tagSectionOffset = (bytes: Uint8Array): number =>
  FINGERPRINT_OFFSET + (bytes[FINGERPRINT_LENGTH_OFFSET] as number)
