import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as CacheEntry from "../src/CacheEntry.ts"
import type { Compressor, EntryHeader } from "../src/CacheEntry.ts"
import * as Layout from "../src/entry/layout.ts"
import { goldens } from "./entry/golden/entry-v2.ts"
import { nodeCompressor } from "../src/platform/nodeCompressor.ts"
import * as zlib from "node:zlib"

const hasZstd = typeof zlib.zstdCompressSync === "function"
const compressor = nodeCompressor({ threshold: 256 })
const header: EntryHeader = {
  born: 7,
  createdAt: 1000,
  freshUntil: 2000,
  loadMillis: 1.5,
  fingerprint: "abcdefghijkl",
  tags: ["users", "tenant:acme"]
}
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const unhex = (text: string) => new Uint8Array(Buffer.from(text, "hex"))

/** A small deterministic generator (mulberry32), so that a failing input can be made again from its number. */
const generator = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

/** Plain comparisons, as the fuzz asks many thousand times. What was parsed is JSON, so it goes back into an entry. */
const isSane = (entry: CacheEntry.ParsedEntry): boolean =>
  entry.born >= 0 &&
  entry.born < Infinity &&
  Number.isFinite(entry.createdAt) &&
  !Number.isNaN(entry.freshUntil) &&
  entry.loadMillis >= 0 &&
  entry.loadMillis < Infinity &&
  typeof entry.fingerprint === "string" &&
  Array.isArray(entry.tags) &&
  entry.tags.every((tag) => typeof tag === "string") &&
  (entry.json === undefined || typeof JSON.stringify(entry.json) === "string")

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
        const before = CacheEntry.isFresh({ ...header, freshUntil }, now)
        if (CacheEntry.isFresh(back, now) !== before) assert.fail(`${freshUntil} at ${now}`)
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

  it("age and freshness", () => {
    assert.strictEqual(CacheEntry.ageMillis(header, 1500), 500)
    assert.strictEqual(CacheEntry.ageMillis(header, 10), 0)
    assert.isTrue(CacheEntry.isFresh(header, 1999))
    assert.isFalse(CacheEntry.isFresh(header, 2000))
    assert.isTrue(CacheEntry.isFresh({ ...header, freshUntil: Infinity }, 1e300))
  })
})

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

describe("bytes that are not an entry", () => {
  const good = CacheEntry.encode(header, { id: 1, name: "Ada" }, undefined)
  const packed = CacheEntry.encode(header, "x".repeat(1000), compressor)
  const sectionAt = Layout.HEAD_BYTES + Layout.FINGERPRINT_BYTES
  const restAt = CacheEntry.open(good)!.restAt
  const changed = (f: (view: DataView) => void, from: Uint8Array = good) => {
    const copy = new Uint8Array(from)
    f(new DataView(copy.buffer))
    return CacheEntry.decode(copy, compressor)
  }
  const flags = (value: number) => (view: DataView) => view.setUint8(Layout.FLAGS_OFFSET, Layout.VERSION | value)
  const { CODEC_JSON_ASCII, COMPRESSED, FINGERPRINT_HASH, FINGERPRINT_MASK, FINGERPRINT_TEXT, TAGGED } = Layout

  it("each rule of the layout by itself", () => {
    assert.strictEqual(good[Layout.FLAGS_OFFSET], Layout.VERSION | CODEC_JSON_ASCII | FINGERPRINT_HASH | TAGGED)
    const cases: Record<string, (view: DataView) => void> = {
      magic: (v) => v.setUint8(Layout.MAGIC_OFFSET, 0x7b),
      "version 0": (v) => v.setUint8(Layout.FLAGS_OFFSET, v.getUint8(Layout.FLAGS_OFFSET) - 0x80),
      "the first version": (v) => v.setUint8(Layout.FLAGS_OFFSET, 1),
      "version 1": (v) => v.setUint8(Layout.FLAGS_OFFSET, v.getUint8(Layout.FLAGS_OFFSET) - 0x40),
      "version 3": (v) => v.setUint8(Layout.FLAGS_OFFSET, v.getUint8(Layout.FLAGS_OFFSET) + 0x40),
      "a codec that there is not": flags(3 | FINGERPRINT_HASH | TAGGED),
      "undefined with a payload": flags(Layout.CODEC_UNDEFINED | FINGERPRINT_HASH | TAGGED),
      "no fingerprint": flags(CODEC_JSON_ASCII | TAGGED),
      "two fingerprints": flags(CODEC_JSON_ASCII | FINGERPRINT_MASK | TAGGED),
      "no tags": flags(CODEC_JSON_ASCII | FINGERPRINT_HASH),
      "not compressed": flags(CODEC_JSON_ASCII | FINGERPRINT_HASH | TAGGED | COMPRESSED),
      "born above 2^53": (v) => v.setUint8(Layout.BORN_OFFSET, 0x20),
      "few milliseconds in seconds": (v) => v.setUint32(Layout.FRESH_FOR_OFFSET, 2 ** 31 + 2_147_483),
      "loadMillis negative": (v) => v.setUint16(Layout.LOAD_MILLIS_OFFSET, 0xbf80),
      "loadMillis NaN": (v) => v.setUint16(Layout.LOAD_MILLIS_OFFSET, 0x7fc0),
      "loadMillis infinite": (v) => v.setUint16(Layout.LOAD_MILLIS_OFFSET, 0x7f80),
      "too many tags": (v) => v.setUint8(sectionAt, 0xfe),
      "a long number of tags": (v) => v.setUint8(sectionAt, 0xff),
      "too few tags": (v) => v.setUint8(sectionAt, 1),
      "no tags in a section with some": (v) => v.setUint8(sectionAt, 0),
      "tag too long": (v) => v.setUint8(sectionAt + 1, 0xfe),
      "a long tag": (v) => v.setUint8(sectionAt + 1, 0xff),
      "tag too short": (v) => v.setUint8(sectionAt + 1, 4),
      "tag no UTF-8": (v) => v.setUint8(sectionAt + 2, 0xff),
      "tag with a bare %": (v) => v.setUint8(sectionAt + 2, 0x25),
      "no JSON": (v) => v.setUint8(restAt, 0x5d)
    }
    assert.isDefined(changed(() => {}))
    for (const [name, change] of Object.entries(cases)) assert.isUndefined(changed(change), name)
  })

  it("each rule of compressed entries by itself", () => {
    const cases: Record<string, (view: DataView) => void> = {
      "no compressor": (v) => v.setUint8(restAt, 0),
      "unknown compressor": (v) => v.setUint8(restAt, 99),
      "length over": (v) => v.setUint32(restAt + 1, 1003),
      "length under": (v) => v.setUint32(restAt + 1, 1001),
      "length zero": (v) => v.setUint32(restAt + 1, 0),
      "length huge": (v) => v.setUint32(restAt + 1, 0xffffffff),
      undefined: flags(Layout.CODEC_UNDEFINED | FINGERPRINT_HASH | TAGGED | COMPRESSED)
    }
    assert.isDefined(changed(() => {}, packed))
    for (const [name, change] of Object.entries(cases)) assert.isUndefined(changed(change, packed), name)
  })

  it("what can be written in two ways is read in one", () => {
    const head = (flags: number) => [
      ...good.subarray(0, Layout.FLAGS_OFFSET),
      Layout.VERSION | flags,
      ...good.subarray(Layout.FLAGS_OFFSET + 1, Layout.HEAD_BYTES)
    ]
    const text = (text: string) => [text.length, ...Buffer.from(text)]
    const read = (...bytes: ReadonlyArray<number>) => CacheEntry.decode(Uint8Array.from(bytes), undefined)
    const ascii = (name: string) => read(...head(CODEC_JSON_ASCII | FINGERPRINT_TEXT), ...text(name), 0x5b, 0x5d)
    assert.strictEqual(ascii("suite")?.fingerprint, "suite")
    assert.strictEqual(ascii("abcdefghijk=")?.fingerprint, "abcdefghijk=")
    // These have a form of their own.
    for (const name of ["", "abcdefghijkl"]) assert.isUndefined(ascii(name))
    assert.isUndefined(read(...head(CODEC_JSON_ASCII | FINGERPRINT_TEXT), 1, 0xe9, 0x5b, 0x5d))
    const tagged = (...section: ReadonlyArray<number>) =>
      read(...head(CODEC_JSON_ASCII | TAGGED), ...section, 0x5b, 0x5d)
    assert.deepStrictEqual(tagged(1, 1, 0x61)?.tags, ["a"])
    assert.isUndefined(tagged(0xff, 0, 1, 1, 0x61))
    assert.isUndefined(tagged(1, 0xff, 0, 1, 0x61))
    assert.isUndefined(tagged(1, 0xff, 0, 254, ...Buffer.alloc(254, "a")))
    assert.strictEqual(tagged(1, 0xff, 0, 255, ...Buffer.alloc(255, "a"))?.tags[0]?.length, 255)
  })

  it("entries read one after the other do not mix", () => {
    const tags = [["a", "b"], ["a", "c"], ["a"], ["a", "b", "c"], [], ["é", "%"], ["x".repeat(300)], ["a", "b"]]
    // The second and the third share a place where what was read last is remembered.
    const fingerprints = ["", "AAAAAAAAAAAA", "AAAAAAAAAAAB", "QAAAAAAAAAAA", "text", "abcdefghijkl"]
    const all = fingerprints.flatMap((fingerprint) => tags.map((tags) => ({ ...header, fingerprint, tags })))
    const bytes = all.map((h) => CacheEntry.encode(h, null, undefined))
    const random = generator(7)
    const order = [...all.keys(), ...Array.from({ length: 3000 }, () => Math.floor(random() * all.length))]
    for (const i of order) {
      assert.deepStrictEqual(CacheEntry.decode(bytes[i]!, undefined), { ...all[i]!, json: null })
      // A cut one leaves nothing behind.
      const cut = Math.floor(random() * bytes[i]!.length)
      assert.isUndefined(CacheEntry.decode(bytes[i]!.subarray(0, cut), undefined))
    }
    const [first, second] = [bytes[9]!, Uint8Array.from(bytes[9]!)].map((b) => CacheEntry.open(b)!)
    assert.strictEqual(first!.tags, second!.tags)
  })

  it("a header can be read before its payload", () => {
    const broken = Uint8Array.from(good)
    broken[restAt] = 0x5d
    const entry = CacheEntry.open(broken)!
    assert.deepStrictEqual(
      [entry.born, entry.createdAt, entry.freshUntil, entry.loadMillis, entry.fingerprint, entry.tags],
      [7, 1000, 2000, 1.5, "abcdefghijkl", ["users", "tenant:acme"]]
    )
    assert.strictEqual(entry.json(compressor), CacheEntry.notJson)
    assert.strictEqual(CacheEntry.open(packed)!.json(undefined), CacheEntry.notJson)
    assert.deepStrictEqual(CacheEntry.open(good)!.json(undefined), { id: 1, name: "Ada" })
    const none = CacheEntry.open(CacheEntry.encode(header, undefined, undefined))!
    assert.isUndefined(none.json(undefined))
  })

  it("a tag that is not in its one form", () => {
    const bytes = CacheEntry.encode({ ...header, tags: ["xxxxxxxxxxxx"] }, 1, undefined)
    const at = Buffer.from(bytes).indexOf("xxxxxxxxxxxx")
    for (const text of ["%uD83D%uDE00", "%2525%2525%%", "%uZZZZxxxxxx", "%ud800xxxxxx", "xxxxxxxxxx%2"]) {
      const copy = bytes.slice()
      copy.set(Buffer.from(text), at)
      assert.isUndefined(CacheEntry.decode(copy, undefined), text)
    }
  })

  it("numbers that were cut, and space behind the end", () => {
    for (const json of [0, 12345, -1.5, 1e21, [1], "5", "a ", { a: 1 }, true, false, null, " "]) {
      const bytes = CacheEntry.encode({ ...header, tags: [] }, json, undefined)
      assert.deepStrictEqual(CacheEntry.decode(bytes, undefined)?.json, json)
      for (let length = 0; length < bytes.length; length++) {
        assert.isUndefined(CacheEntry.decode(bytes.subarray(0, length), undefined), `${json} cut at ${length}`)
      }
      for (const tail of [" ", "  ", "0", "\t", "\n", "\r", "\u2028", "\0", "0 ", " 0 "]) {
        assert.isUndefined(CacheEntry.decode(Buffer.concat([bytes, Buffer.from(tail)]), undefined), `${json} ${tail}`)
      }
    }
  })

  it("cut at every length, and with bytes behind it", () => {
    for (const c of [undefined, compressor, nodeCompressor({ threshold: 1, prefer: "gzip" })]) {
      const bytes = CacheEntry.encode(header, { list: Array.from({ length: 50 }, (_, i) => i) }, c, 1)
      for (let length = 0; length < bytes.length; length++) {
        assert.isUndefined(CacheEntry.decode(bytes.subarray(0, length), c), String(length))
      }
      for (const tail of [[0], [32], [1, 2, 3], [...bytes.subarray(0, 50)]]) {
        assert.isUndefined(CacheEntry.decode(Buffer.concat([bytes, Buffer.from(tail)]), c))
      }
    }
  })

  it("JSON and other things that are no entries", () => {
    for (const text of ["", "null", "{}", "x".repeat(100), "\xec\x01"]) {
      assert.isUndefined(CacheEntry.decode(Buffer.from(text, "latin1"), compressor))
    }
    assert.isUndefined(CacheEntry.decode(undefined as never, compressor))
    assert.isUndefined(CacheEntry.decode("text" as never, compressor))
  })

  it("a compressor that throws, lies about the length, or is absent", () => {
    const bytes = CacheEntry.encode(header, "x".repeat(1000), compressor)
    const fake = (decompress: Compressor["decompress"]): Compressor => ({ ...compressor, decompress })
    assert.isDefined(CacheEntry.decode(bytes, compressor))
    assert.isUndefined(CacheEntry.decode(bytes, undefined))
    assert.isUndefined(
      CacheEntry.decode(
        bytes,
        fake(() => {
          throw new Error("broken")
        })
      )
    )
    for (const char of ["x", "é"]) {
      const other = CacheEntry.encode(header, char.repeat(1000), compressor)
      assert.isUndefined(
        CacheEntry.decode(
          other,
          fake(() => new TextEncoder().encode(`"short"`))
        )
      )
      assert.isUndefined(
        CacheEntry.decode(
          other,
          fake(() => new TextEncoder().encode(`"${"long".repeat(1000)}"`))
        )
      )
    }
  })

  it("a bomb is given up at the length it claims, and never asked for more than 64 MiB", () => {
    const asked: Array<number> = []
    const watch: Compressor = {
      threshold: 0,
      compress: (payload) => ({ id: 1, bytes: zlib.gzipSync(payload) }),
      decompress: (id, bytes, maxBytes) => {
        asked.push(maxBytes)
        return compressor.decompress(id, bytes, maxBytes)
      }
    }
    const bytes = CacheEntry.encode({ ...header, tags: [] }, "x".repeat(20_000_000), watch)
    const at = CacheEntry.open(bytes)!.restAt + 1
    const claim = (length: number) => {
      const copy = new Uint8Array(bytes)
      new DataView(copy.buffer).setUint32(at, length)
      return CacheEntry.decode(copy, watch)
    }
    // Booleans, because a failing comparison would print the bomb.
    const accepted = [20_000_002, 1000, 20_000_003, Layout.MAX_PAYLOAD_BYTES + 1].map((n) => claim(n) !== undefined)
    assert.deepStrictEqual(accepted, [true, false, false, false])
    assert.deepStrictEqual(asked, [20_000_002, 1000, 20_000_003])
  })

  it("100,000 random and mutated inputs are entries in their right mind or misses", () => {
    const random = generator(20240817)
    const int = (below: number) => Math.floor(random() * below)
    const seeds = [
      ...goldens.map((golden) => unhex(golden.hex)),
      good,
      CacheEntry.encode({ ...header, tags: ["é", "\ud800", "%"] }, { a: [1, "é", null] }, undefined)
    ]
    // Numbers that lengths and counts go wrong at.
    const edges = [0, 1, 2, 0x7f, 0x80, 0xff]
    let parsed = 0
    for (let i = 0; i < 100_000; i++) {
      let bytes: Uint8Array
      if (i % 4 === 0) {
        bytes = new Uint8Array(int(120))
        for (let j = 0; j < bytes.length; j++) bytes[j] = int(256)
        // Half of them get past the first check.
        if (i % 8 === 0) bytes.set([Layout.MAGIC, Layout.VERSION | int(64)].slice(0, bytes.length))
      } else {
        const from = seeds[int(seeds.length)]!
        bytes = from.slice()
        for (let n = 1 + int(4); n > 0; n--) {
          // Mostly in the header, where the structure is.
          const at = int(random() < 0.8 ? Math.min(bytes.length, 70) : bytes.length)
          if (random() < 0.3) bytes[at] = edges[int(edges.length)]!
          else if (random() < 0.5) bytes[at] = bytes[at]! ^ (1 << int(8))
          else bytes[at] = int(256)
        }
        const kind = random()
        if (kind < 0.1) bytes = bytes.subarray(0, int(bytes.length))
        else if (kind < 0.2) bytes = Uint8Array.from([...bytes, ...bytes.subarray(0, int(20))])
        else if (kind < 0.3) {
          const [a, b] = [int(bytes.length), int(bytes.length)]
          bytes = Uint8Array.from([...bytes.subarray(0, Math.max(a, b)), ...bytes.subarray(Math.min(a, b))])
        }
      }
      const entry = CacheEntry.decode(i % 2 === 0 ? bytes : Buffer.from(bytes), compressor)
      const tagged = CacheEntry.addTags(bytes, ["fuzz"])
      if (entry === undefined) continue
      parsed++
      if (!isSane(entry) || CacheEntry.decode(tagged, compressor)?.tags.includes("fuzz") !== true) {
        assert.fail(`input ${i}: ${hex(bytes)}`)
      }
    }
    // Enough of the mutants were entries for the second half of the promise to mean something.
    assert.isAbove(parsed, 5000)
  })
})

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
