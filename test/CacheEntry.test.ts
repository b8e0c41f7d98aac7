import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as CacheEntry from "../src/CacheEntry.ts"
import type { EntryHeader } from "../src/CacheEntry.ts"
import * as Layout from "../src/entry/layout.ts"
import { goldens } from "./entry/golden/entry-v2.ts"
import { nodeCompressor } from "../src/platform/nodeCompressor.ts"
import { hasZstd, compressor, header, hex, unhex } from "./support/entries.ts"

const isFresh = ({ freshUntil }: Pick<EntryHeader, "freshUntil">, now: number): boolean => now < freshUntil

describe("golden bytes", () => {
  for (const golden of goldens) {
    it.skipIf(golden.compression === "zstd" && !hasZstd)(golden.name, () => {
      const entry = golden.entry
      assert.deepStrictEqual(CacheEntry.decode(unhex(golden.hex), compressor), entry)
      if (golden.compression !== "none") return
      assert.strictEqual(hex(CacheEntry.encode(entry, entry.json, undefined)), golden.hex)
    })
  }
})

describe("encode and decode", () => {
  const Header = Schema.Struct({
    born: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
    createdAt: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: Layout.MAX_CREATED_AT })),
    freshUntil: Schema.Number.check(Schema.makeFilter((n) => !Number.isNaN(n))),
    loadMillis: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThan(1e30)),
    fingerprint: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{0,20}$/)),
    tags: Schema.Array(Schema.String)
  })

  it.prop(
    "round-trip, whatever header and JSON hold",
    [Header, Schema.Json],
    ([h, json]) => {
      for (const c of [
        undefined,
        nodeCompressor({ threshold: 0 }),
        nodeCompressor({ threshold: 64, prefer: "gzip" })
      ]) {
        const bytes = CacheEntry.encode(h, json, c)
        const back = CacheEntry.decode(bytes, c ?? compressor)!
        // -0 is 0.
        const createdAt = Math.floor(h.createdAt) || 0
        const freshFor = Math.max(0, Math.ceil(h.freshUntil) - createdAt)
        const seconds = Math.ceil(freshFor / 1000)
        const rounded = freshFor < 2 ** 31 ? freshFor : seconds < 2 ** 31 - 1 ? seconds * 1000 : Infinity
        assert.deepStrictEqual(back, {
          ...h,
          born: h.born || 0,
          createdAt,
          freshUntil: createdAt + rounded,
          loadMillis: back.loadMillis,
          json: JSON.parse(JSON.stringify(json))
        })
        // Very small numbers have fewer digits.
        assert.isAtMost(Math.abs(back.loadMillis - h.loadMillis), h.loadMillis / 250 + 1e-38)
        assert.strictEqual(hex(CacheEntry.encode(back, json, c)), hex(bytes))
        // A Buffer over part of a larger one, as a driver hands it out, gives the same.
        const padded = Buffer.concat([Buffer.from([1, 2, 3]), bytes, Buffer.from([4])])
        assert.deepStrictEqual(CacheEntry.decode(padded.subarray(3, 3 + bytes.length), c ?? compressor), back)
      }
    },
    { arbitrary: { runs: 200, seed: 11 } }
  )

  // Characters that break careless encodings: lone and paired surrogates, escapes, BOM, NUL, text that looks escaped.
  const parts = ["\ud800", "\udc00", "\udbff", "%", "%25", "%uD800", "%u", "D800", "a", "é", "🎉", "\ufeff", "\0", ":"]
  const hostile = Schema.Array(Schema.Literals(parts)).check(Schema.isMaxLength(6))

  it.prop(
    "tags are injective and come back, lone surrogates too",
    [hostile, hostile],
    ([a, b]) => {
      const [x, y] = [a.join(""), b.join("")]
      const back = CacheEntry.decode(CacheEntry.encode({ ...header, tags: [x, y] }, 1, undefined), undefined)
      assert.deepStrictEqual(back?.tags, [x, y])
      assert.strictEqual(hex(Layout.encodeTag(x)) === hex(Layout.encodeTag(y)), x === y)
      assert.strictEqual(Layout.tagOfText(new TextDecoder("utf-8", { ignoreBOM: true }).decode(Layout.encodeTag(x))), x)
    },
    { arbitrary: { runs: 2000, seed: 3 } }
  )

  it("keeps undefined, null and other empty values apart", () => {
    for (const json of [undefined, null, "", 0, false, [], {}, "undefined"]) {
      const back = CacheEntry.decode(CacheEntry.encode(header, json, compressor), compressor)
      assert.deepStrictEqual(back, { ...header, json })
    }
  })

  it("holds epochs up to 2^53 exactly, and an infinite freshness", () => {
    const h = { ...header, born: Number.MAX_SAFE_INTEGER, freshUntil: Infinity }
    assert.deepStrictEqual(CacheEntry.decode(CacheEntry.encode(h, 1, undefined), undefined), { ...h, json: 1 })
  })

  it("is fresh to the same millisecond as before, and not before it was made", () => {
    const stored = (createdAt: number, freshUntil: number) =>
      CacheEntry.decode(CacheEntry.encode({ ...header, createdAt, freshUntil }, 1, undefined), undefined)!
    for (const [createdAt, freshUntil, made, until] of [
      [1000, 2000.25, 1000, 2001],
      [1000.75, 2000, 1000, 2000],
      [1000.75, 1000.8, 1000, 1001],
      [1000, 5, 1000, 1000],
      [1000, -Infinity, 1000, 1000],
      [1000, 1000 + 2 ** 31 - 1, 1000, 1000 + 2 ** 31 - 1],
      [1000, 1000 + 2 ** 31, 1000, 1000 + 2_147_484_000],
      [1000, 1000 + (2 ** 31 - 2) * 1000, 1000, 1000 + (2 ** 31 - 2) * 1000],
      [1000, 1000 + (2 ** 31 - 2) * 1000 + 1, 1000, Infinity],
      [0, Number.MAX_VALUE, 0, Infinity]
    ] as const) {
      const back = stored(createdAt, freshUntil)
      assert.deepStrictEqual([back.createdAt, back.freshUntil], [made, until])
      for (let now = made; now < made + 3000; now++) {
        const before = isFresh({ freshUntil }, now)
        if (isFresh(back, now) !== before) assert.fail(`${freshUntil} at ${now}`)
      }
    }
  })

  it("is its payload and 30 bytes, with the bytes of its tags", () => {
    const size = (tags: ReadonlyArray<string>, fingerprint = header.fingerprint) =>
      CacheEntry.encode({ ...header, fingerprint, tags }, "x".repeat(98), undefined).length - 100
    assert.strictEqual(size([]), 30)
    assert.strictEqual(size([], ""), 21)
    assert.strictEqual(size(["users"]), 30 + 1 + 6)
    assert.strictEqual(size(["users", "tenant:acme"]), 30 + 1 + 6 + 12)
  })

  it("keeps entries above and below the size of the scratch space", () => {
    for (const size of [0, 5_000, 5_440, 5_450, 5_461, 5_462, 16_384, 200_000]) {
      for (const char of ["a", "é", "€"]) {
        const json = char.repeat(size)
        assert.strictEqual(CacheEntry.decode(CacheEntry.encode(header, json, undefined), undefined)?.json, json)
      }
    }
    const tags = Array.from({ length: 3000 }, (_, i) => `tag:${i}`)
    const back = CacheEntry.decode(CacheEntry.encode({ ...header, tags }, "x", undefined), undefined)
    assert.deepStrictEqual(back?.tags, tags)
  })

  it("earlier results do not change when more is encoded", () => {
    const first = CacheEntry.encode(header, "first", undefined)
    const before = hex(first)
    for (let i = 0; i < 100; i++) CacheEntry.encode(header, `later ${i}`, undefined)
    assert.strictEqual(hex(first), before)
  })

  it("a key named __proto__ is data", () => {
    const json = JSON.parse(`{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}`)
    const back = CacheEntry.decode(CacheEntry.encode(header, json, undefined), undefined)?.json as object
    assert.isTrue(Object.hasOwn(back, "__proto__"))
    assert.strictEqual(Object.getPrototypeOf(back), Object.prototype)
    assert.isUndefined(({} as { polluted?: unknown }).polluted)
  })

  it("refuses to write what nobody could read", () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    for (const json of [() => 1, Symbol("x"), 1n, cycle]) {
      assert.throws(() => CacheEntry.encode(header, json, undefined), TypeError)
    }
    const wrong: ReadonlyArray<Partial<EntryHeader>> = [
      { born: -1 },
      { born: NaN },
      { born: Infinity },
      { born: 1.5 },
      { born: 2 ** 53 },
      { createdAt: -1 },
      { createdAt: 2 ** 48 },
      { createdAt: NaN },
      { createdAt: Infinity },
      { freshUntil: NaN },
      { fingerprint: "é" },
      { fingerprint: "x".repeat(256) },
      { tags: ["x".repeat(65_536)] },
      { tags: ["é".repeat(40_000)] },
      { tags: ["%".repeat(30_000)] },
      { tags: Array.from({ length: 65_536 }, () => "") }
    ]
    for (const part of wrong) {
      assert.throws(() => CacheEntry.encode({ ...header, ...part }, 1, undefined), RangeError)
    }
    assert.throws(() => CacheEntry.encode(header, "x".repeat(Layout.MAX_PAYLOAD_BYTES), undefined), RangeError)
    assert.throws(() => CacheEntry.encode(header, "é".repeat(Layout.MAX_PAYLOAD_BYTES / 2), undefined), RangeError)
  })

  it("a load time from a clock that moved is 0", () => {
    for (const loadMillis of [-5, NaN, Infinity, 1e300]) {
      const back = CacheEntry.decode(CacheEntry.encode({ ...header, loadMillis }, 1, undefined), undefined)
      assert.strictEqual(back?.loadMillis, 0)
    }
  })

  it("compresses from the threshold on, and only when it helps", () => {
    const idOf = (bytes: Uint8Array) =>
      (bytes[Layout.FLAGS_OFFSET]! & Layout.COMPRESSED) === 0 ? 0 : bytes[CacheEntry.open(bytes)!.restAt]
    const text = "x".repeat(98)
    assert.strictEqual(idOf(CacheEntry.encode(header, text, nodeCompressor({ threshold: 101 }))), 0)
    assert.notStrictEqual(idOf(CacheEntry.encode(header, text, nodeCompressor({ threshold: 100 }))), 0)
    assert.strictEqual(idOf(CacheEntry.encode(header, text, nodeCompressor({ threshold: 1 }), 101)), 0)
    assert.notStrictEqual(idOf(CacheEntry.encode(header, text, nodeCompressor({ threshold: 1000 }), 100)), 0)
    assert.strictEqual(idOf(CacheEntry.encode(header, "ab", nodeCompressor({ threshold: 0 }))), 0)
    assert.strictEqual(idOf(CacheEntry.encode(header, text, undefined)), 0)
  })

  it("age", () => {
    assert.strictEqual(CacheEntry.ageMillis(header, 1500), 500)
    assert.strictEqual(CacheEntry.ageMillis(header, 10), 0)
  })
})
