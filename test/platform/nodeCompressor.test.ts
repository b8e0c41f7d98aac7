import { assert, describe, it } from "@effect/vitest"
import { nodeCompressor } from "../../src/platform/nodeCompressor.ts"
import * as zlib from "node:zlib"
import { hasZstd, hex, generator } from "../support/entries.ts"

describe("nodeCompressor", () => {
  const payload = Buffer.from("effect ".repeat(1000))

  it("reads both ids whatever it prefers, and nothing else", () => {
    for (const prefer of hasZstd ? (["zstd", "gzip"] as const) : (["gzip"] as const)) {
      const { bytes, id } = nodeCompressor({ threshold: 1, prefer }).compress(payload)
      assert.strictEqual(id, prefer === "zstd" ? 2 : 1)
      assert.isBelow(bytes.length, payload.length)
      for (const reader of [nodeCompressor({ threshold: 1 }), nodeCompressor({ threshold: 1, prefer: "gzip" })]) {
        assert.strictEqual(hex(reader.decompress(id, bytes, payload.length)!), hex(payload))
        assert.isUndefined(reader.decompress(id, bytes, payload.length - 1))
        assert.isUndefined(reader.decompress(id, bytes, 0))
        assert.isUndefined(reader.decompress(id === 1 ? 2 : 1, bytes, payload.length))
        assert.isUndefined(reader.decompress(0, bytes, payload.length))
        assert.isUndefined(reader.decompress(id, bytes.subarray(0, -1), payload.length))
        assert.isUndefined(reader.decompress(id, Buffer.concat([bytes, Buffer.from([1])]), payload.length))
      }
    }
  })

  it("keeps what does not shrink", () => {
    const random = generator(5)
    const noise = Uint8Array.from({ length: 300 }, () => Math.floor(random() * 256))
    assert.deepStrictEqual(nodeCompressor({ threshold: 1 }).compress(noise), { id: 0, bytes: noise })
  })

  it.skipIf(!hasZstd)("refuses a frame that asks for a large window", () => {
    const options = { params: { [zlib.constants.ZSTD_c_windowLog]: 27 } }
    const bytes = zlib.zstdCompressSync(Buffer.alloc(40_000_000), options)
    // Not `isUndefined`, which would print 40 million bytes when it fails.
    assert.isTrue(nodeCompressor({ threshold: 1 }).decompress(2, bytes, 40_000_000) === undefined)
  })
})
