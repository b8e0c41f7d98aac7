import { encode, type EntryHeader } from "../../src/CacheEntry.ts"
import * as Layout from "../../src/entry/layout.ts"

/** An entry around a payload that need not be JSON. `claimed`: its length before compression. */
export const around = (header: EntryHeader, payload: Uint8Array, compressor: number, claimed: number): Uint8Array => {
  const head = Buffer.from(encode(header, undefined, undefined))
  head[Layout.FLAGS_OFFSET]! |= Layout.CODEC_JSON
  if (compressor === 0) return Buffer.concat([head, payload])
  head[Layout.FLAGS_OFFSET]! |= Layout.COMPRESSED
  const compression = Buffer.alloc(Layout.COMPRESSION_BYTES)
  compression[0] = compressor
  compression.writeUInt32BE(claimed, 1)
  return Buffer.concat([head, compression, payload])
}
