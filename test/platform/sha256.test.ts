/**
 * SHA-256 is the same by Node's code and without it.
 */
import { createHash } from "node:crypto"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { sha256 } from "../../src/platform/sha256.ts"

const builtin = Object.getOwnPropertyDescriptor(process, "getBuiltinModule")!

describe("sha256", () => {
  afterAll(() => void Object.defineProperty(process, "getBuiltinModule", builtin))

  it("is base64url of texts and bytes, whoever computes it", async () => {
    Object.defineProperty(process, "getBuiltinModule", { value: undefined, configurable: true })
    const elsewhere = "../../src/platform/sha256.ts?portable"
    const { sha256: portable } = (await import(/* @vite-ignore */ elsewhere)) as { sha256: typeof sha256 }
    Object.defineProperty(process, "getBuiltinModule", builtin)
    assert.notStrictEqual(portable, sha256)
    const bytes = new Uint8Array(1000).map((_, i) => i)
    for (const data of ["", "Bearer abc", "é\u{1f600}", "\ud800 alone", bytes, bytes.subarray(3, 7)]) {
      const expected = createHash("sha256")
        .update(typeof data === "string" ? new TextEncoder().encode(data) : data)
        .digest("base64url")
      assert.deepStrictEqual([sha256(data), portable(data)], [expected, expected])
    }
  })
})
