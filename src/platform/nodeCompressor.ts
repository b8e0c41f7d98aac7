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
  const limits = {
    // Stops a bomb while it unpacks, not after.
    maxOutputLength: maxBytes,
    chunkSize: Math.min(Math.max(maxBytes, MIN_CHUNK), MAX_CHUNK),
    info: true
  }
  try {
    switch (id) {
      case GZIP:
        return whole(zlib.gunzipSync(bytes, limits), bytes)
      case ZSTD:
        // The window is memory that the bytes ask for. 8 MiB is more than the compressor above ever uses.
        return hasZstd
          ? whole(
              zlib.zstdDecompressSync(bytes, {
                ...limits,
                params: { [zlib.constants.ZSTD_d_windowLogMax]: 23 }
              } as zlib.ZstdOptions),
              bytes
            )
          : undefined
      default:
        return undefined
    }
  } catch {
    return undefined
  }
}

// With `info` the result is `{ buffer, engine }`, which the types do not say. A stream that ends before the bytes do is
// followed by something that is not ours.
const whole = (result: unknown, bytes: Uint8Array): Uint8Array | undefined => {
  const { buffer, engine } = result as {
    readonly buffer: Uint8Array
    readonly engine: { readonly bytesWritten: number }
  }
  return engine.bytesWritten === bytes.length ? buffer : undefined
}
