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
  const short = (): number => {
    const first = next(1).readUInt8()
    if (first < 255) return first
    const long = next(2).readUInt16BE()
    demand(long >= 255)
    return long
  }
  demand(next(1).readUInt8() === 0xec)
  const flags = next(1).readUInt8().toString(2).padStart(8, "0")
  const bornBits = BigInt(`0x${next(7).toString("hex")}`)
  demand(bornBits < 2n ** 53n)
  const born = Number(bornBits)
  const createdAt = next(6).readUIntBE(0, 6)
  const [inSeconds, ...duration] = BigInt(next(4).readUInt32BE()).toString(2).padStart(32, "0")
  const units = Number.parseInt(duration.join(""), 2)
  demand(inSeconds === "0" || units * 1000 >= 2 ** 31)
  const freshFor = inSeconds === "0" ? units : units === 2 ** 31 - 1 ? Infinity : units * 1000
  const freshUntil = createdAt + freshFor
  const half = next(2)
  const loadMillis = Buffer.concat([half, Buffer.alloc(2)]).readFloatBE()
  demand(Number.isFinite(loadMillis) && loadMillis >= 0 && half[0]! < 128)
  demand(flags.startsWith("10"))
  const compressed = flags[2] === "1"
  const tagged = flags[3] === "1"
  const kind = flags.slice(4, 6)
  const codec = flags.slice(6)
  demand(kind !== "11" && codec !== "11")
  let fingerprint = ""
  if (kind === "01") fingerprint = next(9).toString("base64url")
  if (kind === "10") {
    const text = next(next(1).readUInt8())
    demand(text.length > 0 && text.every((byte) => byte < 128))
    fingerprint = text.toString("latin1")
    demand(!/^[A-Za-z0-9_-]{12}$/.test(fingerprint))
  }
  const count = tagged ? short() : 0
  demand(tagged === count > 0)
  const tags = Array.from({ length: count }, () => tagOf(utf8(next(short()))))
  const id = compressed ? next(1).readUInt8() : 0
  const length = compressed ? next(4).readUInt32BE() : bytes.length - at
  demand(length <= 64 * 1024 * 1024)
  const rest = next(bytes.length - at)
  let json: unknown
  if (codec === "00") demand(rest.length === 0 && !compressed)
  else {
    demand(!compressed || (id > 0 && length > 0))
    const payload = unpack(id, rest, length)
    demand(payload.length === length)
    const text = codec === "01" ? utf8(payload) : Buffer.from(payload).toString("latin1")
    demand(/[0-9] $|[^0-9\s]$/.test(text))
    json = JSON.parse(text)
  }
  return { born, createdAt, freshUntil, loadMillis, fingerprint, tags, json, compressed }
}

/** `undefined` for what is no entry. */
export const referenceOf = (bytes: Uint8Array): ReferenceEntry | undefined => {
  try {
    return read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  } catch {
    return undefined
  }
}
