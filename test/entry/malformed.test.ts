/**
 * Bytes that are no entry are a miss, whatever they are.
 */
import { assert, describe, it } from "@effect/vitest"
import * as CacheEntry from "../../src/CacheEntry.ts"
import type { Compressor } from "../../src/CacheEntry.ts"
import * as Layout from "../../src/entry/layout.ts"
import { goldens } from "./golden/entry-v2.ts"
import { nodeCompressor } from "../../src/platform/nodeCompressor.ts"
import * as zlib from "node:zlib"
import { compressor, header, hex, unhex, generator } from "../support/entries.ts"
import { rounds } from "../support/rounds.ts"

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

  it("random and mutated inputs are entries in their right mind or misses", () => {
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
    for (let i = 0; i < rounds(25_000); i++) {
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
    assert.isAbove(parsed, rounds(1250))
  })
})
