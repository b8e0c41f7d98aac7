import { assert, describe, it } from "@effect/vitest"
import * as CacheEntry from "../../src/CacheEntry.ts"
import * as Layout from "../../src/entry/layout.ts"
import { compressor, header, hex } from "../support/entries.ts"

describe("addTags", () => {
  it("appends what is new, once, and keeps everything else", () => {
    for (const c of [undefined, compressor]) {
      const bytes = CacheEntry.encode(header, { text: "x".repeat(1000) }, c)
      const more = CacheEntry.addTags(bytes, ["a", "users", "a", "\ud800", "%"])
      assert.deepStrictEqual(CacheEntry.decode(more, c), {
        ...header,
        tags: ["users", "tenant:acme", "a", "\ud800", "%"],
        json: { text: "x".repeat(1000) }
      })
      const tags = ["users", "tenant:acme", "a", "\ud800", "%"]
      assert.strictEqual(hex(more), hex(CacheEntry.encode({ ...header, tags }, { text: "x".repeat(1000) }, c)))
    }
  })

  it("works on an entry without tags, and on a Buffer within a larger one", () => {
    const bytes = CacheEntry.encode({ ...header, tags: [] }, 1, undefined)
    const padded = Buffer.concat([Buffer.from([9]), bytes]).subarray(1)
    assert.deepStrictEqual(CacheEntry.decode(CacheEntry.addTags(padded, ["t"]), undefined)?.tags, ["t"])
  })

  it("returns the same bytes when there is nothing to add or no entry", () => {
    const bytes = CacheEntry.encode(header, 1, undefined)
    assert.strictEqual(CacheEntry.addTags(bytes, []), bytes)
    assert.strictEqual(CacheEntry.addTags(bytes, ["users"]), bytes)
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length)
      const out = CacheEntry.addTags(cut, ["t"])
      assert.strictEqual(CacheEntry.decode(out, undefined), undefined)
    }
    const other = bytes.slice()
    other[Layout.FLAGS_OFFSET] = 1
    assert.strictEqual(CacheEntry.addTags(other, ["t"]), other)
  })

  it("keeps to the limits", () => {
    const bytes = CacheEntry.encode(header, 1, undefined)
    assert.throws(() => CacheEntry.addTags(bytes, ["x".repeat(65_536)]), RangeError)
    assert.throws(
      () =>
        CacheEntry.addTags(
          bytes,
          Array.from({ length: 65_534 }, (_, i) => `${i}`)
        ),
      RangeError
    )
  })
})
