/**
 * Text and bytes where there is no Buffer, or one whose functions do something else.
 */
import { assert, describe, it } from "@effect/vitest"
import { vi } from "vitest"
import * as Native from "../../src/entry/bytes.ts"

const texts = ["", "plain", "xé€", "\ud83d\ude00", "\ufffd", "\ufeffbom", "a\u0000b", "ä".repeat(1000)]

/** The module anew, where `name` of a Buffer fails for bytes that are no Buffer: nobody else calls it so. */
const without = async (name: "utf8Slice" | "utf8Write" | "latin1Slice" | "latin1Write") => {
  const prototype = Buffer.prototype as unknown as Record<string, (...args: Array<unknown>) => unknown>
  const original = prototype[name]!
  prototype[name] = function (this: unknown, ...args) {
    if (!Buffer.isBuffer(this)) throw new Error("not here")
    return original.apply(this, args)
  }
  try {
    vi.resetModules()
    return await import("../../src/entry/bytes.ts")
  } finally {
    prototype[name] = original
  }
}

describe("bytes without the functions of a Buffer", () => {
  for (const name of ["utf8Slice", "utf8Write", "latin1Slice", "latin1Write"] as const) {
    it(`are the same without ${name}`, async () => {
      const Bytes = await without(name)
      // What is allocated tells which way is gone: the plain one knows no pool.
      assert.isFalse(Buffer.isBuffer(Bytes.allocate(1)))
      assert.isTrue(Buffer.isBuffer(Native.allocate(1)))
      for (const text of texts) {
        const bytes = Native.utf8Bytes(text)
        assert.strictEqual(Bytes.byteLength(text), bytes.length)
        assert.strictEqual(Bytes.utf8Text(bytes, 0, bytes.length), text)
        assert.strictEqual(Native.utf8Text(bytes, 0, bytes.length), text)
        const head = Uint8Array.of(1, 2)
        const joined = Bytes.joined(head, text, bytes.length)
        assert.deepStrictEqual([...joined], [...Native.joined(head, text, bytes.length)])
        const [one, two] = [new Uint8Array(bytes.length + 4), new Uint8Array(bytes.length + 4)]
        assert.strictEqual(Bytes.writeText(one, text, 2), Native.writeText(two, text, 2))
        assert.deepStrictEqual(one, two)
      }
      const ascii = Native.utf8Bytes("some ascii")
      assert.strictEqual(Bytes.asciiText(ascii, 1, 6), Native.asciiText(ascii, 1, 6))
      for (const { utf8Text } of [Bytes, Native]) assert.throws(() => utf8Text(Uint8Array.of(0x61, 0xff), 0, 2))
      assert.deepStrictEqual([...Bytes.concat(ascii, ascii)], [...Native.concat(ascii, ascii)])
    })
  }
})
