/**
 * The stored envelope: what a value carries with it, and its binary form.
 *
 * **Layout, version 2.** Numbers are big-endian, and what can be written in two ways is read in one of them only. An entry
 * without tags is its payload and 30 bytes. The length of the payload is not stored: JSON shows where it was cut, but for
 * numbers, hence the space.
 *
 * | size | what                                                                                              |
 * | ---- | ------------------------------------------------------------------------------------------------- |
 * | 1    | magic, `0xEC`                                                                                     |
 * | 1    | version 2 times 64, and flags: 1 and 2 the codec (0 no payload, the value is `undefined`; 1 JSON  |
 * |      | in UTF-8; 2 JSON in ASCII), 4 and 8 the fingerprint (0 none, 4 nine bytes, 8 text), 16 tags, 32   |
 * |      | compressed                                                                                        |
 * | 7    | born, an integer up to 2^53 - 1                                                                   |
 * | 6    | createdAt, in whole milliseconds                                                                  |
 * | 4    | from createdAt to freshUntil: milliseconds below 2^31 (24 days), otherwise 2^31 and the seconds;  |
 * |      | all bits set: it is fresh for ever                                                                |
 * | 2    | loadMillis, the upper half of a float32: finite, 0 or more                                        |
 * | 9    | with flag 4: the fingerprint, 12 characters of base64url                                          |
 * | 1, F | with flag 8: the length of the fingerprint, and its ASCII; for any that is not such 12 characters |
 * |      | with flag 16: the number of tags, at least 1, then for each the length of its text and its text   |
 * |      | in UTF-8 (`%` as `%25`, lone surrogates `%uD800`). These numbers are one byte below 255;          |
 * |      | otherwise 255 and a uint16                                                                        |
 * | 1, 4 | with flag 32: 1 gzip, 2 zstd, others as a `Compressor` says; the length before compression, at    |
 * |      | most 64 MiB                                                                                       |
 * | rest | payload; a number at its top level is followed by one space                                       |
 *
 * There is no checksum: a store that flips bits inside a JSON string is not noticed here. Whatever breaks the structure
 * is a miss.
 */
import * as Bytes from "./entry/bytes.ts"
import * as Fingerprint from "./entry/fingerprint.ts"
import * as Layout from "./entry/layout.ts"
import * as Tags from "./entry/tags.ts"
import { keepOne } from "./internal/keepOne.ts"
import { inOwnWords } from "./internal/ownWords.ts"

/** What an entry says about its value. */
export interface EntryHeader {
  /** The epoch read before the load: the entry is as old as this. An integer, 0 or more. */
  readonly born: number
  /**
   * When it was stored, in milliseconds by the writer's clock. For people and for `Age`, never for validity. Stored in whole
   * milliseconds, rounded down.
   */
  readonly createdAt: number
  /**
   * Until when it counts as fresh, in milliseconds by the writer's clock; `Infinity` for ever. Nothing goes by it yet: an
   * entry lives for its hard TTL. Stored in whole milliseconds,
   * rounded up: a clock that counts them sees no difference. 24 days after `createdAt` or more, it is rounded up to whole
   * seconds after it; 68 years or more are `Infinity`; and what is before `createdAt` is stored as `createdAt`.
   */
  readonly freshUntil: number
  /** How long the load took, in milliseconds. Stored with two to three digits: within 0.4 %. */
  readonly loadMillis: number
  /** The fingerprint of the schema it was written with; `""` for values without a schema. */
  readonly fingerprint: string
  readonly tags: ReadonlyArray<string>
}

/** An entry with its decoded value, as a `"values"` backend keeps it. */
export interface CacheEntry<out A = unknown> extends EntryHeader {
  readonly value: A
}

/** Compresses payloads. `id` is stored in the header (0 is "none"), so that a reader knows how to undo it. */
export interface Compressor {
  /** Payloads of fewer bytes are stored as they are. */
  readonly threshold: number
  readonly compress: (payload: Uint8Array) => { readonly id: number; readonly bytes: Uint8Array }
  /** `undefined` when the bytes are not what `id` promises, or unpack to more than `maxBytes`. */
  readonly decompress: (id: number, bytes: Uint8Array, maxBytes: number) => Uint8Array | undefined
}

/** A parsed entry, the payload as JSON not yet decoded by a schema. */
export interface ParsedEntry extends EntryHeader {
  readonly json: unknown
}

/** Milliseconds since the entry was stored, by the reader's clock; 0 when the writer's clock is ahead. */
export const ageMillis = (header: EntryHeader, now: number): number => Math.max(0, now - header.createdAt)

// Small entries are put together here and copied out once: fresh arrays for each step cost more than the bytes. Safe
// because `encode` never suspends; nothing below keeps a part of it.
const scratch = new Uint8Array(16 * 1024)

const float = new Float32Array(1)
const floatBits = new Uint32Array(float.buffer)

/**
 * The binary form of an entry: header and JSON payload. `undefined` is stored as such.
 *
 * Payloads of `threshold` bytes and more (default: the compressor's own) are handed to `compressor`. A `loadMillis`
 * that is negative or not finite, from a clock that moved, is stored as 0.
 *
 * What this returns, `decode` accepts. It throws when there is no such entry: a `TypeError` for what has no JSON
 * (functions, symbols, bigints, cycles), a `RangeError` for a value nested too deep, a payload over 64 MiB, more than
 * 65,535 tags, a tag over 65,535 bytes, a fingerprint that is not ASCII or longer than 255, and numbers that the layout
 * does not allow. Callers turn that into `EncodeFailed`.
 */
export const encode = (
  header: EntryHeader,
  json: unknown,
  compressor: Compressor | undefined,
  threshold: number | undefined = compressor?.threshold
): Uint8Array => {
  let text = ""
  if (json !== undefined) {
    const made = JSON.stringify(json) as string | undefined
    if (made === undefined) throw inOwnWords(new TypeError(`a ${typeof json} has no JSON form`))
    if (made.length > Layout.MAX_PAYLOAD_BYTES) throw tooLarge(made.length)
    text = endsInDigit(made.charCodeAt(made.length - 1)) ? `${made} ` : made
  }
  const headBound =
    Layout.HEAD_BYTES + 1 + header.fingerprint.length + Tags.boundOfTags(header.tags) + Layout.COMPRESSION_BYTES
  const target = headBound <= scratch.length ? scratch : new Uint8Array(headBound)
  const at = writeHead(target, header)
  if (json === undefined) return copyOf(target, at)

  // A small text is written first and measured then; a large one the other way round, so that it is written in its place.
  const small = headBound + text.length * 3 <= scratch.length
  const length = small ? Bytes.writeText(target, text, at) : Bytes.byteLength(text)
  if (length > Layout.MAX_PAYLOAD_BYTES) throw tooLarge(length)
  target[Layout.FLAGS_OFFSET]! |= length === text.length ? Layout.CODEC_JSON_ASCII : Layout.CODEC_JSON

  if (compressor !== undefined && length >= threshold!) {
    const payload = small ? scratch.subarray(at, at + length) : Bytes.utf8Bytes(text)
    const { id, bytes } = compressor.compress(payload)
    if (id >= 1 && id <= 255) {
      // The payload in the scratch space may be what `bytes` is a view of, so its head is copied out first.
      const head = copyOf(target, at, Layout.COMPRESSION_BYTES)
      head[Layout.FLAGS_OFFSET]! |= Layout.COMPRESSED
      head[at] = id
      Bytes.setUint32(head, at + 1, length)
      return Bytes.concat(head, bytes)
    }
    if (!small) return Bytes.concat(target.subarray(0, at), payload)
  }
  return small ? copyOf(target, at + length) : Bytes.joined(target.subarray(0, at), text, length)
}

/** Only of a number does the text end so. It gets a space, because a part of it would be another number. */
const endsInDigit = (code: number): boolean => code >= 0x30 && code <= 0x39

const copyOf = (bytes: Uint8Array, length: number, room = 0): Uint8Array => {
  const out = Bytes.allocate(length + room)
  out.set(bytes.subarray(0, length))
  return out
}

// Everything before the payload, without codec and compression. Returns where it ends.
const writeHead = (target: Uint8Array, header: EntryHeader): number => {
  const { born, fingerprint, freshUntil, tags } = header
  const createdAt = Math.floor(header.createdAt)
  // Written so that NaN fails.
  if (
    !(Number.isSafeInteger(born) && born >= 0 && createdAt >= 0 && createdAt <= Layout.MAX_CREATED_AT) ||
    Number.isNaN(freshUntil)
  ) {
    throw new RangeError(
      `an entry cannot be born at ${born}, created at ${header.createdAt}, fresh until ${freshUntil}`
    )
  }
  const form = Fingerprint.formOf(fingerprint)
  target[Layout.MAGIC_OFFSET] = Layout.MAGIC
  target[Layout.FLAGS_OFFSET] = Layout.VERSION | form | (tags.length === 0 ? 0 : Layout.TAGGED)
  const bornHigh = Math.floor(born / 2 ** 32)
  target[Layout.BORN_OFFSET] = bornHigh >>> 16
  Bytes.setUint16(target, Layout.BORN_OFFSET + 1, bornHigh & 0xffff)
  Bytes.setUint32(target, Layout.BORN_OFFSET + 3, born >>> 0)
  Bytes.setUint16(target, Layout.CREATED_AT_OFFSET, Math.floor(createdAt / 2 ** 32))
  Bytes.setUint32(target, Layout.CREATED_AT_OFFSET + 2, createdAt >>> 0)
  Bytes.setUint32(target, Layout.FRESH_FOR_OFFSET, freshForOf(Math.max(0, Math.ceil(freshUntil) - createdAt)))
  Bytes.setUint16(target, Layout.LOAD_MILLIS_OFFSET, upperHalf(header.loadMillis))
  return Tags.writeTags(target, Fingerprint.writeFingerprint(target, Layout.HEAD_BYTES, fingerprint, form), tags)
}

const freshForOf = (millis: number): number =>
  millis < Layout.FRESH_SECONDS
    ? millis
    : Math.min(Layout.FRESH_SECONDS + Math.ceil(millis / 1000), Layout.FRESH_FOR_EVER)

/** In milliseconds. */
const freshForAt = (bytes: Uint8Array): number => {
  const value = Bytes.uint32(bytes, Layout.FRESH_FOR_OFFSET)
  return value < Layout.FRESH_SECONDS
    ? value
    : value === Layout.FRESH_FOR_EVER
      ? Infinity
      : (value - Layout.FRESH_SECONDS) * 1000
}

// Rounded to the nearest; what is no finite float32 of 0 or more gives 0.
const upperHalf = (millis: number): number => {
  float[0] = millis
  const bits = floatBits[0]!
  if (bits >= Layout.LOAD_MILLIS_END * 0x10000) return 0
  return Math.min((bits + 0x8000) >>> 16, Layout.LOAD_MILLIS_END - 1)
}

/** In place of JSON: the payload is none. */
export const notJson: unique symbol = Symbol("effect-cache/notJson")

/**
 * An entry whose payload has not been looked at, so that a reader can judge the header first. It looks into the bytes it
 * was made from whenever it is asked, so it keeps them, and all of the reply they are a part of: not to be stored. The
 * numbers are no properties of its own: `{ ...entry }` is without them.
 */
export class OpenEntry implements EntryHeader {
  readonly fingerprint: string
  readonly tags: ReadonlyArray<string>
  /** Where fingerprint and tags end. */
  readonly restAt: number
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array, restAt: number, fingerprint: string, tags: ReadonlyArray<string>) {
    this.fingerprint = fingerprint
    this.tags = tags
    this.restAt = restAt
    this.#bytes = bytes
  }

  get born(): number {
    const bytes = this.#bytes
    return (
      (bytes[Layout.BORN_OFFSET]! * 0x10000 + Bytes.uint16(bytes, Layout.BORN_OFFSET + 1)) * 2 ** 32 +
      Bytes.uint32(bytes, Layout.BORN_OFFSET + 3)
    )
  }

  get createdAt(): number {
    const bytes = this.#bytes
    return Bytes.uint16(bytes, Layout.CREATED_AT_OFFSET) * 2 ** 32 + Bytes.uint32(bytes, Layout.CREATED_AT_OFFSET + 2)
  }

  get freshUntil(): number {
    return this.createdAt + freshForAt(this.#bytes)
  }

  get loadMillis(): number {
    floatBits[0] = Bytes.uint16(this.#bytes, Layout.LOAD_MILLIS_OFFSET) << 16
    return float[0]!
  }

  /** The payload as JSON, or `notJson`. Never throws. */
  json(compressor: Compressor | undefined): unknown {
    const bytes = this.#bytes
    const at = this.restAt
    const flags = bytes[Layout.FLAGS_OFFSET]!
    const codec = flags & Layout.CODEC_MASK
    if (codec === Layout.CODEC_UNDEFINED) return undefined
    try {
      if ((flags & Layout.COMPRESSED) === 0) return parse(bytes, at, bytes.length, codec)
      const length = Bytes.uint32(bytes, at + 1)
      const payload = compressor?.decompress(bytes[at]!, bytes.subarray(at + Layout.COMPRESSION_BYTES), length)
      return payload === undefined || payload.length !== length ? notJson : parse(payload, 0, length, codec)
    } catch {
      // Text that is no UTF-8 or no JSON, or a compressor that throws.
      return notJson
    }
  }
}

keepOne(new OpenEntry(new Uint8Array(Layout.HEAD_BYTES), 0, "", Tags.noTags))

const parse = (bytes: Uint8Array, start: number, end: number, codec: number): unknown =>
  isWhole(bytes, start, end)
    ? JSON.parse(
        codec === Layout.CODEC_JSON_ASCII ? Bytes.asciiText(bytes, start, end) : Bytes.utf8Text(bytes, start, end)
      )
    : notJson

// What JSON.parse alone would not notice: a number that was cut, and space behind the end.
const isWhole = (bytes: Uint8Array, start: number, end: number): boolean => {
  const last = bytes[end - 1]!
  return last > 0x20 ? !endsInDigit(last) : last === 0x20 && end - start > 1 && endsInDigit(bytes[end - 2]!)
}

/** Whether the head is one: its numbers, and the codec. */
const isHead = (bytes: Uint8Array): boolean =>
  bytes?.length >= Layout.HEAD_BYTES &&
  bytes[Layout.MAGIC_OFFSET] === Layout.MAGIC &&
  (bytes[Layout.FLAGS_OFFSET]! & Layout.VERSION_MASK) === Layout.VERSION &&
  (bytes[Layout.FLAGS_OFFSET]! & Layout.CODEC_MASK) !== Layout.CODEC_MASK &&
  // Above 2^53 the numbers have gaps.
  bytes[Layout.BORN_OFFSET]! < 0x20 &&
  (bytes[Layout.FRESH_FOR_OFFSET]! < 0x80 || freshForAt(bytes) >= Layout.FRESH_SECONDS) &&
  Bytes.uint16(bytes, Layout.LOAD_MILLIS_OFFSET) < Layout.LOAD_MILLIS_END

/**
 * Reads the header of an entry. `undefined` for anything that is not one: another version, cut or mutated bytes. Never
 * throws. Fingerprint and tags of entries read before are compared byte by byte and not made again.
 */
export const open = (bytes: Uint8Array): OpenEntry | undefined => {
  if (!isHead(bytes)) return undefined
  const flags = bytes[Layout.FLAGS_OFFSET]!
  const form = flags & Layout.FINGERPRINT_MASK
  const size = Fingerprint.fingerprintSize(bytes, form)
  let at = Layout.HEAD_BYTES + size
  if (size < 0 || at > bytes.length) return undefined
  const kind = Fingerprint.kindOf(bytes, Layout.HEAD_BYTES, size, form)
  if (kind === undefined) return undefined

  let tags = Tags.noTags
  if ((flags & Layout.TAGGED) !== 0) {
    if (!kind.tags.read(bytes, at)) return undefined
    tags = kind.tags.tags
    at += kind.tags.size
    kind.tags.release()
  }
  return restIsSound(bytes, at, flags) ? new OpenEntry(bytes, at, kind.fingerprint, tags) : undefined
}

const restIsSound = (bytes: Uint8Array, at: number, flags: number): boolean => {
  const compressed = (flags & Layout.COMPRESSED) !== 0
  if ((flags & Layout.CODEC_MASK) === Layout.CODEC_UNDEFINED) return !compressed && at === bytes.length
  if (!compressed) return true
  if (at + Layout.COMPRESSION_BYTES > bytes.length || bytes[at] === 0) return false
  const length = Bytes.uint32(bytes, at + 1)
  return length > 0 && length <= Layout.MAX_PAYLOAD_BYTES
}

/** Parses an entry and its payload. `undefined` for anything that is not one. Never throws. */
export const decode = (bytes: Uint8Array, compressor: Compressor | undefined): ParsedEntry | undefined => {
  const entry = open(bytes)
  if (entry === undefined) return undefined
  const json = entry.json(compressor)
  if (json === notJson) return undefined
  const { born, createdAt, fingerprint, freshUntil, loadMillis, tags } = entry
  return { born, createdAt, freshUntil, loadMillis, fingerprint, tags, json }
}

/**
 * Adds tags to the bytes of an entry, as the script of the Redis layer does inside Redis: those it already bears are
 * skipped, everything else stays as it is. Returns `bytes` itself when there is nothing to add, or when they are not an
 * entry. Throws a `RangeError` when a tag, or their number, is over the limit of `encode`.
 */
export const addTags = (bytes: Uint8Array, tags: ReadonlyArray<string>): Uint8Array => {
  const entry = open(bytes)
  if (entry === undefined) return bytes
  const flags = bytes[Layout.FLAGS_OFFSET]!
  const from = Layout.HEAD_BYTES + Fingerprint.fingerprintSize(bytes, flags & Layout.FINGERPRINT_MASK)
  const section = Tags.withTags(bytes.subarray(from, entry.restAt), entry.tags, tags)
  if (section === undefined) return bytes
  const out = Bytes.allocate(from + section.length + bytes.length - entry.restAt)
  out.set(bytes.subarray(0, from))
  out[Layout.FLAGS_OFFSET] = flags | Layout.TAGGED
  out.set(section, from)
  out.set(bytes.subarray(entry.restAt), from + section.length)
  return out
}

const tooLarge = (length: number) =>
  inOwnWords(new RangeError(`the payload has ${length} bytes, more than the ${Layout.MAX_PAYLOAD_BYTES} of an entry`))
