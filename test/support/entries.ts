import type { EntryHeader } from "../../src/CacheEntry.ts"
import { nodeCompressor } from "../../src/platform/nodeCompressor.ts"
import * as zlib from "node:zlib"

export const hasZstd = typeof zlib.zstdCompressSync === "function"
export const compressor = nodeCompressor({ threshold: 256 })
export const header: EntryHeader = {
  born: 7,
  createdAt: 1000,
  freshUntil: 2000,
  loadMillis: 1.5,
  fingerprint: "abcdefghijkl",
  tags: ["users", "tenant:acme"]
}
export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
export const unhex = (text: string) => new Uint8Array(Buffer.from(text, "hex"))

/** A small deterministic generator (mulberry32), so that a failing input can be made again from its number. */
export const generator = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}
