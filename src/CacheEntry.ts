/**
 * The stored envelope: what a value carries with it, and its binary form.
 *
 * **Layout, version 1.** Numbers are big-endian. A Redis script finds the tags from byte 32 alone.
 *
 * | offset      | size | what                                                                                  |
 * | ----------- | ---- | ------------------------------------------------------------------------------------- |
 * | 0           | 1    | magic, `0xEC`                                                                         |
 * | 1           | 1    | version, `1`                                                                          |
 * | 2           | 1    | codec: 0 no payload, the value is `undefined`; 1 JSON in UTF-8; 2 JSON in ASCII       |
 * | 3           | 1    | compressor: 0 none, 1 gzip, 2 zstd, others as a `Compressor` says                      |
 * | 4           | 8    | born, float64: finite, 0 or more (epochs are integers up to 2^53)                     |
 * | 12          | 8    | createdAt, float64: finite                                                            |
 * | 20          | 8    | freshUntil, float64: any number or an infinity, not NaN                               |
 * | 28          | 4    | loadMillis, float32: finite, 0 or more                                                |
 * | 32          | 1    | F, the length of the fingerprint                                                      |
 * | 33          | F    | fingerprint, ASCII                                                                    |
 * | 33+F        | 4    | L, uint32: the length of the rest of the tag section                                  |
 * | 37+F        | 2    | uint16: the number of tags                                                            |
 * | 39+F        | L-2  | per tag: uint16 length, then its text in UTF-8 (`%` as `%25`, lone surrogates `%uD800`) |
 * | 37+F+L      | 4    | uint32: the length of the payload before compression, at most 64 MiB                  |
 * | 41+F+L      | rest | payload, compressed as byte 3 says                                                    |
 *
 * There is no checksum: a store that flips bits inside a JSON string is not noticed here. Whatever breaks the structure
 * is a miss.
 */
import * as Layout from "./internal/entryLayout.ts"

/** What an entry says about its value. */
export interface EntryHeader {
  /** The epoch read before the load: the entry is as old as this. */
  readonly born: number
  /** When it was stored, in milliseconds by the writer's clock. For people and for `Age`, never for validity. */
  readonly createdAt: number
  /** Until when it counts as fresh, in milliseconds by the writer's clock; `Infinity` for ever. */
  readonly freshUntil: number
  /** How long the load took, in milliseconds. Stored in single precision. */
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

/** Whether the entry is still fresh at `now`. Whether it is valid is up to the markers of its tags. */
export const isFresh = (header: EntryHeader, now: number): boolean => now < header.freshUntil

const encoder = new TextEncoder()
// Fatal, so that bytes that are no UTF-8 are a miss rather than another value; a leading BOM belongs to the tag.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const noTags: ReadonlyArray<string> = Object.freeze([])

// Small entries are put together here and copied out once: a fresh array and DataView for each step cost more than the
// bytes. Safe because `encode` and `decode` never suspend; nothing below keeps a part of it.
const scratch = new Uint8Array(16 * 1024)
const scratchView = new DataView(scratch.buffer)
// `decode` reads the numbers through this, for the same reason.
const head = new Uint8Array(Layout.FINGERPRINT_LENGTH_OFFSET)
const headView = new DataView(head.buffer)

// Where there is a Buffer, two of its functions are several times faster than the portable way. No import: this module
// must run, and bundle, where there is no Node.
const NodeBuffer = (
  globalThis as {
    readonly Buffer?: {
      readonly allocUnsafe?: (size: number) => Uint8Array
      readonly prototype?: { readonly latin1Slice?: (this: Uint8Array, start: number, end: number) => string }
    }
  }
).Buffer
const latin1Slice = NodeBuffer?.prototype?.latin1Slice
const hasLatin1 = (() => {
  try {
    return latin1Slice?.call(new Uint8Array([120, 97, 98]), 1, 3) === "ab"
  } catch {
    return false
  }
})()
// Not zeroed and from a shared pool, so whoever calls this writes every byte.
const allocate = (size: number): Uint8Array =>
  NodeBuffer?.allocUnsafe === undefined ? new Uint8Array(size) : NodeBuffer.allocUnsafe(size)

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
    if (made === undefined) throw new TypeError(`a ${typeof json} has no JSON form`)
    if (made.length > Layout.MAX_PAYLOAD_BYTES) throw tooLarge(made.length)
    text = made
  }
  const tags = tagTexts(header.tags)
  const headBound = Layout.MIN_ENTRY_BYTES + header.fingerprint.length + boundOfTags(tags)
  const small = headBound + text.length * 3 <= scratch.length
  const target = small ? scratch : new Uint8Array(headBound)
  const view = small ? scratchView : new DataView(target.buffer)
  const lengthAt = writeHead(target, view, header, tags)
  const payloadAt = lengthAt + Layout.PAYLOAD_LENGTH_SIZE

  let payload: Uint8Array = small
    ? scratch.subarray(payloadAt, payloadAt + encoder.encodeInto(text, scratch.subarray(payloadAt)).written)
    : encoder.encode(text)
  const payloadLength = payload.length
  if (payloadLength > Layout.MAX_PAYLOAD_BYTES) throw tooLarge(payloadLength)
  target[Layout.CODEC_OFFSET] =
    json === undefined
      ? Layout.CODEC_UNDEFINED
      : payloadLength === text.length
        ? Layout.CODEC_JSON_ASCII
        : Layout.CODEC_JSON
  target[Layout.COMPRESSOR_OFFSET] = 0
  view.setUint32(lengthAt, payloadLength)

  if (compressor !== undefined && payloadLength > 0 && payloadLength >= threshold!) {
    const { id, bytes } = compressor.compress(payload)
    if (id >= 1 && id <= 255) {
      target[Layout.COMPRESSOR_OFFSET] = id
      payload = bytes
    }
  }
  const out = allocate(payloadAt + payload.length)
  out.set(target.subarray(0, payloadAt))
  out.set(payload, payloadAt)
  return out
}

// Everything before the length of the payload, without codec and compressor. Returns where it ends.
const writeHead = (target: Uint8Array, view: DataView, header: EntryHeader, tags: ReadonlyArray<string>): number => {
  const { born, createdAt, fingerprint, freshUntil } = header
  if (!sane(born, createdAt, freshUntil)) {
    throw new RangeError(`an entry cannot be born at ${born}, created at ${createdAt}, fresh until ${freshUntil}`)
  }
  target[Layout.MAGIC_OFFSET] = Layout.MAGIC
  target[Layout.VERSION_OFFSET] = Layout.VERSION
  view.setFloat64(Layout.BORN_OFFSET, born)
  view.setFloat64(Layout.CREATED_AT_OFFSET, createdAt)
  view.setFloat64(Layout.FRESH_UNTIL_OFFSET, freshUntil)
  const loadMillis = Math.fround(header.loadMillis)
  view.setFloat32(Layout.LOAD_MILLIS_OFFSET, loadMillis > 0 && loadMillis < Infinity ? loadMillis : 0)
  if (fingerprint.length > 255) throw new RangeError("a fingerprint has at most 255 characters")
  target[Layout.FINGERPRINT_LENGTH_OFFSET] = fingerprint.length
  let at = Layout.FINGERPRINT_OFFSET
  for (let i = 0; i < fingerprint.length; i++) {
    const code = fingerprint.charCodeAt(i)
    if (code > 127) throw new RangeError("a fingerprint is ASCII")
    target[at++] = code
  }
  const sectionAt = at
  at += Layout.TAG_SECTION_LENGTH_SIZE
  view.setUint16(at, tags.length)
  at += Layout.TAG_COUNT_SIZE
  for (const tag of tags) {
    const start = at + Layout.TAG_LENGTH_SIZE
    const { written } = encoder.encodeInto(tag, target.subarray(start))
    if (written > Layout.MAX_TAG_BYTES) throw tagTooLong()
    view.setUint16(at, written)
    at = start + written
  }
  view.setUint32(sectionAt, at - sectionAt - Layout.TAG_SECTION_LENGTH_SIZE)
  return at
}

// Written so that NaN fails.
const sane = (born: number, createdAt: number, freshUntil: number): boolean =>
  born >= 0 && born < Infinity && createdAt > -Infinity && createdAt < Infinity && !Number.isNaN(freshUntil)

/** Parses an entry. `undefined` for anything that is not one: another version, cut or mutated bytes. Never throws. */
export const decode = (bytes: Uint8Array, compressor: Compressor | undefined): ParsedEntry | undefined => {
  try {
    return decodeUnsafe(bytes, compressor)
  } catch {
    // Text that is no UTF-8 or no JSON, or a compressor that throws.
    return undefined
  }
}

const decodeUnsafe = (bytes: Uint8Array, compressor: Compressor | undefined): ParsedEntry | undefined => {
  const total = bytes.length
  if (
    total < Layout.MIN_ENTRY_BYTES ||
    bytes[Layout.MAGIC_OFFSET] !== Layout.MAGIC ||
    bytes[Layout.VERSION_OFFSET] !== Layout.VERSION
  )
    return undefined

  for (let i = Layout.BORN_OFFSET; i < Layout.FINGERPRINT_LENGTH_OFFSET; i++) head[i] = bytes[i] as number
  const born = headView.getFloat64(Layout.BORN_OFFSET)
  const createdAt = headView.getFloat64(Layout.CREATED_AT_OFFSET)
  const freshUntil = headView.getFloat64(Layout.FRESH_UNTIL_OFFSET)
  const loadMillis = headView.getFloat32(Layout.LOAD_MILLIS_OFFSET)
  if (!sane(born, createdAt, freshUntil) || !(loadMillis >= 0 && loadMillis < Infinity)) return undefined

  const tagsEnd = tagSectionEnd(bytes)
  if (tagsEnd === undefined) return undefined
  const payloadAt = tagsEnd + Layout.PAYLOAD_LENGTH_SIZE
  const tags = decodeTags(bytes, tagsEnd)
  if (tags === undefined) return undefined
  const fingerprint = decodeFingerprint(bytes)
  if (fingerprint === undefined) return undefined

  const payloadLength = uint32(bytes, tagsEnd)
  if (payloadLength > Layout.MAX_PAYLOAD_BYTES) return undefined
  const codec = bytes[Layout.CODEC_OFFSET] as number
  const compressorId = bytes[Layout.COMPRESSOR_OFFSET] as number
  let json: unknown
  if (codec === Layout.CODEC_UNDEFINED) {
    if (payloadLength !== 0 || payloadAt !== total || compressorId !== 0) return undefined
    json = undefined
  } else if (codec === Layout.CODEC_JSON || codec === Layout.CODEC_JSON_ASCII) {
    if (compressorId === 0) {
      if (payloadLength !== total - payloadAt) return undefined
      json = JSON.parse(payloadText(bytes, payloadAt, total, codec))
    } else {
      const payload = compressor?.decompress(compressorId, bytes.subarray(payloadAt), payloadLength)
      if (payload === undefined || payload.length !== payloadLength) return undefined
      json = JSON.parse(payloadText(payload, 0, payloadLength, codec))
    }
  } else return undefined
  return { born, createdAt, freshUntil, loadMillis, fingerprint, tags, json }
}

/**
 * Adds tags to the bytes of an entry, as the script of the Redis layer does inside Redis: those it already bears are
 * skipped, everything else stays as it is. Returns `bytes` itself when there is nothing to add, or when they are not an
 * entry. Throws a `RangeError` when a tag, or their number, is over the limit of `encode`.
 */
export const addTags = (bytes: Uint8Array, tags: ReadonlyArray<string>): Uint8Array => {
  const total = bytes.length
  if (
    tags.length === 0 ||
    total < Layout.MIN_ENTRY_BYTES ||
    bytes[Layout.MAGIC_OFFSET] !== Layout.MAGIC ||
    bytes[Layout.VERSION_OFFSET] !== Layout.VERSION
  )
    return bytes
  const tagsEnd = tagSectionEnd(bytes)
  if (tagsEnd === undefined) return bytes
  let present: ReadonlyArray<string> | undefined
  try {
    present = decodeTags(bytes, tagsEnd)
  } catch {
    present = undefined
  }
  if (present === undefined) return bytes

  const known = new Set(present)
  const added: Array<string> = []
  for (const tag of tags) {
    if (known.has(tag)) continue
    known.add(tag)
    added.push(tag)
  }
  if (added.length === 0) return bytes
  const count = present.length + added.length
  if (count > Layout.MAX_TAGS) throw tooManyTags()
  const tagBytes = added.map(Layout.encodeTag)
  let extra = 0
  for (const tag of tagBytes) {
    if (tag.length > Layout.MAX_TAG_BYTES) throw tagTooLong()
    extra += Layout.TAG_LENGTH_SIZE + tag.length
  }
  const out = allocate(total + extra)
  const view = new DataView(out.buffer, out.byteOffset, out.length)
  const sectionAt = Layout.tagSectionOffset(bytes)
  out.set(bytes.subarray(0, tagsEnd))
  view.setUint32(sectionAt, uint32(bytes, sectionAt) + extra)
  view.setUint16(sectionAt + Layout.TAG_SECTION_LENGTH_SIZE, count)
  let at = tagsEnd
  for (const tag of tagBytes) {
    view.setUint16(at, tag.length)
    out.set(tag, at + Layout.TAG_LENGTH_SIZE)
    at += Layout.TAG_LENGTH_SIZE + tag.length
  }
  out.set(bytes.subarray(tagsEnd), at)
  return out
}

const tooLarge = (length: number) =>
  new RangeError(`the payload has ${length} bytes, more than the ${Layout.MAX_PAYLOAD_BYTES} of an entry`)

const tooManyTags = () => new RangeError(`an entry has at most ${Layout.MAX_TAGS} tags`)

const tagTooLong = () => new RangeError(`a tag has at most ${Layout.MAX_TAG_BYTES} bytes`)

const tagTexts = (tags: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (tags.length === 0) return tags
  if (tags.length > Layout.MAX_TAGS) throw tooManyTags()
  return tags.map(Layout.tagText)
}

const boundOfTags = (tags: ReadonlyArray<string>): number => {
  let bound = 0
  for (const tag of tags) {
    if (tag.length > Layout.MAX_TAG_BYTES) throw tagTooLong()
    bound += Layout.TAG_LENGTH_SIZE + tag.length * 3
  }
  return bound
}

const uint16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!

const uint32 = (bytes: Uint8Array, at: number): number => uint16(bytes, at) * 0x10000 + uint16(bytes, at + 2)

// Where the tag section ends, when it and the length of the payload lie within the bytes.
const tagSectionEnd = (bytes: Uint8Array): number | undefined => {
  const from = Layout.tagSectionOffset(bytes) + Layout.TAG_SECTION_LENGTH_SIZE
  if (from + Layout.TAG_COUNT_SIZE + Layout.PAYLOAD_LENGTH_SIZE > bytes.length) return undefined
  const length = uint32(bytes, from - Layout.TAG_SECTION_LENGTH_SIZE)
  return length < Layout.TAG_COUNT_SIZE || from + length + Layout.PAYLOAD_LENGTH_SIZE > bytes.length
    ? undefined
    : from + length
}

// The tags must fill the section exactly.
const decodeTags = (bytes: Uint8Array, end: number): ReadonlyArray<string> | undefined => {
  let at = Layout.tagSectionOffset(bytes) + Layout.TAG_SECTION_LENGTH_SIZE
  const count = uint16(bytes, at)
  at += Layout.TAG_COUNT_SIZE
  if (count === 0) return at === end ? noTags : undefined
  // Before any array is made: a count that the section cannot hold costs nothing.
  if (count * Layout.TAG_LENGTH_SIZE > end - at) return undefined
  const tags: Array<string> = []
  for (let i = 0; i < count; i++) {
    const start = at + Layout.TAG_LENGTH_SIZE
    if (start > end) return undefined
    at = start + uint16(bytes, at)
    if (at > end) return undefined
    const tag = Layout.tagOfText(
      isAscii(bytes, start, at) ? asciiText(bytes, start, at) : decoder.decode(bytes.subarray(start, at))
    )
    if (tag === undefined) return undefined
    tags.push(tag)
  }
  return at === end ? tags : undefined
}

// Almost all entries that a process reads bear one of a few fingerprints, one after the other.
let lastFingerprint = ""

const decodeFingerprint = (bytes: Uint8Array): string | undefined => {
  const end = Layout.tagSectionOffset(bytes)
  if (lastFingerprint.length === end - Layout.FINGERPRINT_OFFSET) {
    let i = 0
    while (i < lastFingerprint.length && lastFingerprint.charCodeAt(i) === bytes[Layout.FINGERPRINT_OFFSET + i]) i++
    if (i === lastFingerprint.length) return lastFingerprint
  }
  if (!isAscii(bytes, Layout.FINGERPRINT_OFFSET, end)) return undefined
  return (lastFingerprint = asciiText(bytes, Layout.FINGERPRINT_OFFSET, end))
}

const isAscii = (bytes: Uint8Array, start: number, end: number): boolean => {
  for (let i = start; i < end; i++) if (bytes[i]! > 127) return false
  return true
}

const asciiText = (bytes: Uint8Array, start: number, end: number): string =>
  hasLatin1 ? latin1Slice!.call(bytes, start, end) : decoder.decode(bytes.subarray(start, end))

const payloadText = (bytes: Uint8Array, start: number, end: number, codec: number): string =>
  codec === Layout.CODEC_JSON_ASCII ? asciiText(bytes, start, end) : decoder.decode(bytes.subarray(start, end))
