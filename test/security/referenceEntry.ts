/**
 * The layout of docs in `CacheEntry.ts`, read a second time: slowly, by another hand, with nothing of the library. What the
 * library takes for an entry, this must take for the same entry.
 */
import * as zlib from "node:zlib"

export interface ReferenceEntry {
  readonly born: number
  readonly createdAt: number
  readonly freshUntil: number
  readonly loadMillis: number
  readonly fingerprint: string
  readonly tags: ReadonlyArray<string>
  readonly json: unknown
  /** With compression the library may be stricter than this, never laxer. */
  readonly compressed: boolean
}

/** Thrown and caught below; made once, because a stack trace costs more than the reading. */
const noEntry = new Error("no entry")

const demand = (holds: boolean): void => {
  if (!holds) throw noEntry
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const utf8 = (bytes: Uint8Array): string => decoder.decode(bytes)

const tagOf = (text: string): string => {
  demand(/^(?:[^%]|%25|%uD[89A-F][0-9A-F]{2})*$/s.test(text))
  // Two halves of one character are written as that character.
  demand(!/%uD[89AB]..%uD[C-F]../.test(text))
  return text.replace(/%25|%u(....)/g, (_, code?: string) =>
    code === undefined ? "%" : String.fromCharCode(Number.parseInt(code, 16))
  )
}

const unpack = (id: number, bytes: Uint8Array, length: number): Uint8Array => {
  const limits = { maxOutputLength: Math.max(1, length) }
  if (id === 0) return bytes
  demand(id === 1 || id === 2)
  return id === 1 ? zlib.gunzipSync(bytes, limits) : zlib.zstdDecompressSync(bytes, limits)
}

const read = (bytes: Buffer): ReferenceEntry => {
  let at = 0
  const next = (size: number): Buffer => {
    demand(at + size <= bytes.length)
    at += size
    return bytes.subarray(at - size, at)
  }
  demand(next(1).readUInt8() === 0xec)
  demand(next(1).readUInt8() === 1)
  const codec = next(1).readUInt8()
  const compressor = next(1).readUInt8()
  const born = next(8).readDoubleBE()
  const createdAt = next(8).readDoubleBE()
  const freshUntil = next(8).readDoubleBE()
  const loadMillis = next(4).readFloatBE()
  demand(Number.isFinite(born) && born >= 0 && Number.isFinite(createdAt) && !Number.isNaN(freshUntil))
  demand(Number.isFinite(loadMillis) && loadMillis >= 0)
  const fingerprint = next(next(1).readUInt8())
  demand(fingerprint.every((byte) => byte < 128))
  const section = next(4).readUInt32BE()
  const tagsEnd = at + section
  const tags = Array.from({ length: next(2).readUInt16BE() }, () => {
    const tag = utf8(next(next(2).readUInt16BE()))
    return tagOf(tag)
  })
  demand(at === tagsEnd)
  const length = next(4).readUInt32BE()
  demand(length <= 64 * 1024 * 1024 && codec <= 2)
  const rest = next(bytes.length - at)
  let json: unknown
  if (codec === 0) demand(length === 0 && rest.length === 0 && compressor === 0)
  else {
    const payload = unpack(compressor, rest, length)
    demand(payload.length === length)
    json = JSON.parse(codec === 1 ? utf8(payload) : Buffer.from(payload).toString("latin1"))
  }
  const compressed = compressor !== 0
  return {
    born,
    createdAt,
    freshUntil,
    loadMillis,
    fingerprint: fingerprint.toString("latin1"),
    tags,
    json,
    compressed
  }
}

/** `undefined` for what is no entry. */
export const referenceOf = (bytes: Uint8Array): ReferenceEntry | undefined => {
  try {
    return read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  } catch {
    return undefined
  }
}
