/**
 * The compressor of the layers that run on Node: zstd where `node:zlib` has it (Node 22.15 and newer), gzip elsewhere.
 * It reads both, so that processes on different versions of Node can share a store; one without zstd sees a miss.
 */
// A namespace import: a named import of `zstdCompressSync` would not even load on a Node that lacks it.
import * as zlib from "node:zlib"
import type { Compressor } from "../CacheEntry.ts"

/** The id of gzip in the header of an entry. */
const GZIP = 1
/** The id of zstd in the header of an entry. */
const ZSTD = 2

const hasZstd = typeof zlib.zstdCompressSync === "function" && typeof zlib.zstdDecompressSync === "function"

// Level 1 of gzip is several times faster than the default for a few percent of size.
const gzipOptions: zlib.ZlibOptions = { level: 1 }
const MAX_CHUNK = 1024 * 1024
const MIN_CHUNK = 64

// No denser than gzip gets (1032 to 1): zstd would pack 64 MiB into a few kilobytes, and the values in them take many times
// that. What is small anyhow may be as dense as it likes.
const MAX_RATIO = 1100
const ANY_RATIO_BYTES = 1024 * 1024
const isTooDense = (unpackedBytes: number, packedBytes: number): boolean =>
  unpackedBytes > ANY_RATIO_BYTES && unpackedBytes > packedBytes * MAX_RATIO

const noCompression = (bytes: Uint8Array) => ({ id: 0, bytes })

/**
 * `threshold` is in bytes: what is smaller is stored as it is. `prefer: "gzip"` is for stores that are shared with
 * processes without zstd. What does not shrink is stored as it is, too, and so is what shrinks beyond belief.
 */
export const nodeCompressor = (options: {
  readonly threshold: number
  readonly prefer?: "zstd" | "gzip" | undefined
}): Compressor => {
  const useZstd = hasZstd && options.prefer !== "gzip"
  return {
    threshold: options.threshold,
    compress: (payload) => {
      const bytes = useZstd ? zlib.zstdCompressSync(payload) : zlib.gzipSync(payload, gzipOptions)
      return bytes.length < payload.length && !isTooDense(payload.length, bytes.length)
        ? { id: useZstd ? ZSTD : GZIP, bytes }
        : noCompression(payload)
    },
    decompress
  }
}

const decompress: Compressor["decompress"] = (id, bytes, maxBytes) => {
  if (!(maxBytes >= 1) || isTooDense(maxBytes, bytes.length)) return undefined
  // The first stops a bomb while it unpacks, not after.
  const limits = { maxOutputLength: maxBytes, chunkSize: Math.min(Math.max(maxBytes, MIN_CHUNK), MAX_CHUNK) }
  try {
    switch (id) {
      case GZIP:
        return (gunzip ??= wholeBy(zlib.gunzipSync, zlib.gzipSync(sample)))(bytes, limits)
      case ZSTD:
        return hasZstd
          ? (unzstd ??= wholeBy(zlib.zstdDecompressSync, zlib.zstdCompressSync(sample)))(bytes, {
              ...limits,
              // The window is memory that the bytes ask for. 8 MiB is more than the compressor above ever uses.
              params: { [zlib.constants.ZSTD_d_windowLogMax]: 23 }
            })
          : undefined
      default:
        return undefined
    }
  } catch {
    return undefined
  }
}

type Unpack<Options> = (bytes: Uint8Array, options: Options) => Uint8Array

const sample = new Uint8Array(100)
let gunzip: Unpack<zlib.ZlibOptions> | undefined
let unzstd: Unpack<zlib.ZstdOptions> | undefined

/**
 * With `info` the result is `{ buffer, engine }`, which the types do not say, so it is tried on a sample. A stream that ends
 * before the bytes do is followed by something that is not ours, and is refused; where `info` does not say where it ends,
 * what follows goes unseen. The length is bounded either way.
 */
const wholeBy = <Options extends object>(unpack: Unpack<Options>, packed: Uint8Array): Unpack<Options> => {
  const informed = (bytes: Uint8Array, options: Options) =>
    unpack(bytes, { ...options, info: true }) as unknown as Informed
  const ends = (bytes: Uint8Array) => {
    const { buffer, engine } = informed(bytes, {} as Options)
    return buffer instanceof Uint8Array && buffer.length === sample.length ? engine.bytesWritten : undefined
  }
  try {
    if (ends(packed) === packed.length && ends(Buffer.concat([packed, sample])) === packed.length) {
      return (bytes, options) => {
        const { buffer, engine } = informed(bytes, options)
        if (engine.bytesWritten !== bytes.length) throw new Error("bytes behind the end")
        return buffer
      }
    }
  } catch {
    // No `engine`, or none that can be read.
  }
  return unpack
}

interface Informed {
  readonly buffer: Uint8Array
  readonly engine: { readonly bytesWritten: number }
}
