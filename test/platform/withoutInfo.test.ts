/**
 * A Node whose zlib knows no `info`.
 */
import { assert, describe, it } from "@effect/vitest"
import type * as Zlib from "node:zlib"
import { vi } from "vitest"
import { nodeCompressor } from "../../src/platform/nodeCompressor.ts"
import { hasZstd, hex } from "../support/entries.ts"

vi.mock("node:zlib", async (original) => {
  const zlib = await original<typeof Zlib>()
  const uninformed =
    <Options extends object>(unpack: (bytes: Uint8Array, options?: Options) => Buffer) =>
    (bytes: Uint8Array, options: Options) =>
      unpack(bytes, { ...options, info: false })
  return {
    ...zlib,
    gunzipSync: uninformed(zlib.gunzipSync),
    ...(typeof zlib.zstdDecompressSync === "function"
      ? { zstdDecompressSync: uninformed(zlib.zstdDecompressSync) }
      : {})
  }
})

describe("nodeCompressor without info", () => {
  const payload = Buffer.from("effect ".repeat(1000))

  for (const prefer of hasZstd ? (["zstd", "gzip"] as const) : (["gzip"] as const)) {
    it(`reads ${prefer}, up to the bound`, () => {
      const compressor = nodeCompressor({ threshold: 1, prefer })
      const { bytes, id } = compressor.compress(payload)
      assert.strictEqual(hex(compressor.decompress(id, bytes, payload.length)!), hex(payload))
      assert.isUndefined(compressor.decompress(id, bytes, payload.length - 1))
      assert.isUndefined(compressor.decompress(id, bytes.subarray(0, -1), payload.length))
    })
  }
})
