import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as CacheEntry from "../src/CacheEntry.ts"
import type { Compressor, EntryHeader } from "../src/CacheEntry.ts"
import * as Layout from "../src/internal/entryLayout.ts"
import { goldens } from "./golden/entry-v1.ts"
import { nodeCompressor } from "../src/internal/nodeCompressor.ts"
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
    born: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)),
    createdAt: Schema.Finite,
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
        const back = CacheEntry.decode(bytes, c ?? compressor)
        assert.deepStrictEqual(back, {
          ...h,
          // Single precision, and -0 is 0.
          loadMillis: Math.fround(h.loadMillis) || 0,
          json: JSON.parse(JSON.stringify(json))
        })
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
      { createdAt: NaN },
      { createdAt: Infinity },
      { freshUntil: NaN },
      { fingerprint: "é" },
      { fingerprint: "x".repeat(256) },
      { tags: ["x".repeat(65_536)] },
      { tags: ["é".repeat(40_000)] },
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
    const idOf = (bytes: Uint8Array) => bytes[Layout.COMPRESSOR_OFFSET]
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
    for (let length = 0; length < bytes.length - 5; length++) {
      const cut = bytes.subarray(0, length)
      const out = CacheEntry.addTags(cut, ["t"])
      assert.strictEqual(CacheEntry.decode(out, undefined), undefined)
    }
    const other = bytes.slice()
    other[Layout.VERSION_OFFSET] = 2
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
  const sectionAt = Layout.tagSectionOffset(good)
  const tagsEnd = sectionAt + 4 + new DataView(good.buffer, good.byteOffset).getUint32(sectionAt)
  const changed = (f: (view: DataView) => void) => {
    const copy = new Uint8Array(good)
    f(new DataView(copy.buffer))
    return CacheEntry.decode(copy, compressor)
  }

  it("each rule of the layout by itself", () => {
    const cases: Record<string, (view: DataView) => void> = {
      magic: (v) => v.setUint8(Layout.MAGIC_OFFSET, 0x7b),
      version: (v) => v.setUint8(Layout.VERSION_OFFSET, 2),
      codec: (v) => v.setUint8(Layout.CODEC_OFFSET, 3),
      "undefined with a payload": (v) => v.setUint8(Layout.CODEC_OFFSET, Layout.CODEC_UNDEFINED),
      "unknown compressor": (v) => v.setUint8(Layout.COMPRESSOR_OFFSET, 99),
      "not compressed": (v) => v.setUint8(Layout.COMPRESSOR_OFFSET, 1),
      "born negative": (v) => v.setFloat64(Layout.BORN_OFFSET, -1),
      "born NaN": (v) => v.setFloat64(Layout.BORN_OFFSET, NaN),
      "born infinite": (v) => v.setFloat64(Layout.BORN_OFFSET, Infinity),
      "createdAt NaN": (v) => v.setFloat64(Layout.CREATED_AT_OFFSET, NaN),
      "createdAt infinite": (v) => v.setFloat64(Layout.CREATED_AT_OFFSET, -Infinity),
      "freshUntil NaN": (v) => v.setFloat64(Layout.FRESH_UNTIL_OFFSET, NaN),
      "loadMillis negative": (v) => v.setFloat32(Layout.LOAD_MILLIS_OFFSET, -1),
      "loadMillis NaN": (v) => v.setFloat32(Layout.LOAD_MILLIS_OFFSET, NaN),
      "loadMillis infinite": (v) => v.setFloat32(Layout.LOAD_MILLIS_OFFSET, Infinity),
      "fingerprint length": (v) => v.setUint8(Layout.FINGERPRINT_LENGTH_OFFSET, 255),
      "fingerprint not ASCII": (v) => v.setUint8(Layout.FINGERPRINT_OFFSET, 200),
      "section too long": (v) => v.setUint32(sectionAt, 0xffffffff),
      "section too short": (v) => v.setUint32(sectionAt, 1),
      "too many tags": (v) => v.setUint16(sectionAt + 4, 0xffff),
      "too few tags": (v) => v.setUint16(sectionAt + 4, 1),
      "no tags in a section with some": (v) => v.setUint16(sectionAt + 4, 0),
      "tag too long": (v) => v.setUint16(sectionAt + 6, 0xffff),
      "tag no UTF-8": (v) => v.setUint8(sectionAt + 8, 0xff),
      "tag with a bare %": (v) => v.setUint8(sectionAt + 8, 0x25),
      "payload length over": (v) => v.setUint32(tagsEnd, 100),
      "payload length under": (v) => v.setUint32(tagsEnd, 3),
      "payload length huge": (v) => v.setUint32(tagsEnd, 0xffffffff),
      "no JSON": (v) => v.setUint8(tagsEnd + 4, 0x5d)
    }
    assert.isDefined(changed(() => {}))
    for (const [name, change] of Object.entries(cases)) assert.isUndefined(changed(change), name)
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
    const at = Layout.tagSectionOffset(bytes) + 6
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
        if (i % 8 === 0) bytes.set([Layout.MAGIC, Layout.VERSION, int(4), int(3)].slice(0, bytes.length))
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
