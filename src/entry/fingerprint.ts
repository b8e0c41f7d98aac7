/**
 * The fingerprint of a stored entry. What `schema/fingerprint.ts` makes, 12 characters of base64url, is stored as the 9
 * bytes they stand for; any other text as it is.
 */
import { asciiText, int32, isAscii } from "./bytes.ts"
import * as Layout from "./layout.ts"
import { TagReader } from "./tags.ts"

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/** By character code: its six bits, or 64. */
const sextets = new Uint8Array(128).fill(64)
for (let i = 0; i < 64; i++) sextets[alphabet.charCodeAt(i)] = i

const isHash = (text: string): boolean => {
  if (text.length !== Layout.FINGERPRINT_CHARS) return false
  for (let i = 0; i < Layout.FINGERPRINT_CHARS; i++) if (!(sextets[text.charCodeAt(i)]! < 64)) return false
  return true
}

/** How a fingerprint is written: its part of the flags. */
export const formOf = (fingerprint: string): number =>
  fingerprint === "" ? 0 : isHash(fingerprint) ? Layout.FINGERPRINT_HASH : Layout.FINGERPRINT_TEXT

/** Writes it, and returns where it ends. Throws for what is not ASCII or longer than 255. */
export const writeFingerprint = (target: Uint8Array, at: number, fingerprint: string, form: number): number => {
  if (form === 0) return at
  if (form === Layout.FINGERPRINT_HASH) {
    for (let i = 0; i < Layout.FINGERPRINT_CHARS; i += 4, at += 3) {
      const bits =
        (sextets[fingerprint.charCodeAt(i)]! << 18) |
        (sextets[fingerprint.charCodeAt(i + 1)]! << 12) |
        (sextets[fingerprint.charCodeAt(i + 2)]! << 6) |
        sextets[fingerprint.charCodeAt(i + 3)]!
      target[at] = bits >> 16
      target[at + 1] = bits >> 8
      target[at + 2] = bits
    }
    return at
  }
  const { length } = fingerprint
  if (length > 255) throw new RangeError("a fingerprint has at most 255 characters")
  target[at++] = length
  for (let i = 0; i < length; i++) {
    const code = fingerprint.charCodeAt(i)
    if (code > 127) throw new RangeError("a fingerprint is ASCII")
    target[at++] = code
  }
  return at
}

/** What the entries of one schema have in common. */
export class Kind {
  fingerprint = ""
  readonly tags = new TagReader()
  // The bytes of a hash.
  #a = 0
  #b = 0
  #c = 0

  /** Makes it that of the hash at `at`. */
  become(bytes: Uint8Array, at: number): this {
    const a = int32(bytes, at)
    const b = int32(bytes, at + 4)
    const c = bytes[at + 8]!
    if (a !== this.#a || b !== this.#b || c !== this.#c || this.fingerprint === "") {
      this.#a = a
      this.#b = b
      this.#c = c
      this.fingerprint = hashText(bytes, at)
    }
    return this
  }
}

const hashText = (bytes: Uint8Array, at: number): string => {
  let text = ""
  for (let i = at; i < at + Layout.FINGERPRINT_BYTES; i += 3) {
    const bits = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!
    for (let shift = 18; shift >= 0; shift -= 6) text += alphabet[(bits >> shift) & 63]
  }
  return text
}

// A process reads the entries of a few schemas again and again. Two that share a place cost time and nothing else.
const hashKinds: ReadonlyArray<Kind> = Array.from({ length: 64 }, () => new Kind())
const noHash = new Kind()

/** What has the fingerprint at `at`, where {@link fingerprintSize} found `size` bytes. `undefined`: they are none. */
export const kindOf = (bytes: Uint8Array, at: number, size: number, form: number): Kind | undefined => {
  if (form === Layout.FINGERPRINT_HASH) return hashKinds[bytes[at]! & 63]!.become(bytes, at)
  if (form === 0) return noHash
  if (size === 1 || !isAscii(bytes, at + 1, at + size)) return undefined
  const kind = new Kind()
  kind.fingerprint = asciiText(bytes, at + 1, at + size)
  // One fingerprint, one form: what has nine bytes is written in nine bytes.
  return isHash(kind.fingerprint) ? undefined : kind
}

/** How many bytes the fingerprint takes, which need not be there; -1 for no form. */
export const fingerprintSize = (bytes: Uint8Array, form: number): number =>
  form === Layout.FINGERPRINT_HASH
    ? Layout.FINGERPRINT_BYTES
    : form === 0
      ? 0
      : form === Layout.FINGERPRINT_TEXT && bytes.length > Layout.HEAD_BYTES
        ? 1 + bytes[Layout.HEAD_BYTES]!
        : -1
