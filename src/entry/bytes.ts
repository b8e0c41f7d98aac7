/**
 * Text to bytes and back, as fast as the platform allows. Where there is a Buffer, its own functions are several times
 * faster than the portable way. No import: this module must run, and bundle, where there is no Node.
 */

const encoder = new TextEncoder()
// Fatal, so that bytes that are no UTF-8 are a miss rather than another value; a leading BOM belongs to the text.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

type Slice = (this: Uint8Array, start: number, end: number) => string
type Write = (this: Uint8Array, text: string, at: number, size: number) => number

const NodeBuffer = (
  globalThis as {
    readonly Buffer?: {
      readonly allocUnsafe: (size: number) => Uint8Array
      readonly byteLength: (text: string) => number
      readonly prototype: {
        readonly latin1Slice: Slice
        readonly utf8Slice: Slice
        readonly latin1Write: Write
        readonly utf8Write: Write
      }
    }
  }
).Buffer

// These functions are nobody's documented interface, so they are tried before they are trusted.
const native = (() => {
  try {
    const { latin1Slice, latin1Write, utf8Slice, utf8Write } = NodeBuffer!.prototype
    const bytes = new Uint8Array(8)
    const works =
      utf8Write.call(bytes, "xé€", 1, 7) === 6 &&
      utf8Slice.call(bytes, 1, 7) === "xé€" &&
      utf8Slice.call(bytes, 2, 3) === "\ufffd" &&
      latin1Write.call(bytes, "ab", 1, 2) === 2 &&
      latin1Slice.call(bytes, 1, 3) === "ab" &&
      NodeBuffer!.byteLength("é") === 2 &&
      NodeBuffer!.allocUnsafe(3).length === 3
    return works ? { latin1Slice, latin1Write, utf8Slice, utf8Write } : undefined
  } catch {
    return undefined
  }
})()

/** Not zeroed and from a shared pool, so whoever calls this writes every byte. */
export const allocate: (size: number) => Uint8Array =
  native === undefined ? (size) => new Uint8Array(size) : (size) => NodeBuffer!.allocUnsafe(size)

/** The bytes are ASCII. */
export const asciiText: (bytes: Uint8Array, start: number, end: number) => string =
  native === undefined
    ? (bytes, start, end) => decoder.decode(bytes.subarray(start, end))
    : (bytes, start, end) => native.latin1Slice.call(bytes, start, end)

/** Throws for what is no UTF-8. */
export const utf8Text: (bytes: Uint8Array, start: number, end: number) => string =
  native === undefined
    ? (bytes, start, end) => decoder.decode(bytes.subarray(start, end))
    : (bytes, start, end) => {
        const text = native.utf8Slice.call(bytes, start, end)
        // What is no UTF-8 becomes this character; but it may have been one.
        return text.indexOf("\ufffd") < 0 ? text : decoder.decode(bytes.subarray(start, end))
      }

/** Writes text in UTF-8 to where there is room for it, and returns its length. */
export const writeText: (target: Uint8Array, text: string, at: number) => number =
  native === undefined
    ? (target, text, at) => encoder.encodeInto(text, target.subarray(at)).written
    : (target, text, at) => native.utf8Write.call(target, text, at, target.length - at)

export const utf8Bytes = (text: string): Uint8Array => encoder.encode(text)

/** `head` and text in UTF-8, in bytes of their own. The text is not copied on the way, where there is a Buffer. */
export const joined: (head: Uint8Array, text: string, byteLength: number) => Uint8Array =
  native === undefined
    ? (head, text) => concat(head, encoder.encode(text))
    : (head, text, byteLength) => {
        const out = NodeBuffer!.allocUnsafe(head.length + byteLength)
        out.set(head)
        if (byteLength === text.length) native.latin1Write.call(out, text, head.length, byteLength)
        else native.utf8Write.call(out, text, head.length, byteLength)
        return out
      }

/** The length of text in UTF-8. */
export const byteLength: (text: string) => number =
  native === undefined ? (text) => encoder.encode(text).length : (text) => NodeBuffer!.byteLength(text)

export const concat = (first: Uint8Array, second: Uint8Array): Uint8Array => {
  const out = allocate(first.length + second.length)
  out.set(first)
  out.set(second, first.length)
  return out
}

export const isAscii = (bytes: Uint8Array, start: number, end: number): boolean => {
  for (let i = start; i < end; i++) if (bytes[i]! > 127) return false
  return true
}

export const uint16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!

/** As a signed number, which costs less where only its bits count. */
export const int32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

export const uint32 = (bytes: Uint8Array, at: number): number => int32(bytes, at) >>> 0

export const setUint16 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

export const setUint32 = (bytes: Uint8Array, at: number, value: number): void => {
  setUint16(bytes, at, value >>> 16)
  setUint16(bytes, at + 2, value & 0xffff)
}
