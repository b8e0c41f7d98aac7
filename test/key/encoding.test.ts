import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { createHash } from "node:crypto"
import { buildCacheKey, compileUnsafe, escapeKey, normalizeKey } from "../../src/CacheKey.ts"
import { hostile, utf8, invalid } from "../support/keys.ts"

const digits = "!#$<>^|`"

const decodeBytes = (bytes: ReadonlyArray<number>): string => {
  let out = ""
  let i = 0
  while (i < bytes.length) {
    const first = bytes[i]!
    const extra = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3
    let code = extra === 0 ? first : first & (0x3f >> extra)
    for (let n = 1; n <= extra; n++) code = (code << 6) | ((bytes[i + n] ?? 0) & 63)
    out += String.fromCodePoint(Math.min(code, 0x10ffff))
    i += extra + 1
  }
  return out
}

/** Undoes `escapeKey`, which shows that no two keys become one; `undefined` when the text is not its output. */
const unescapeKey = (escaped: string): string | undefined => {
  const text = escaped.replace(/%%|(?:%[!#$<>^|`]{3})+/g, (run) => {
    if (run === "%%") return "%"
    const bytes: Array<number> = []
    for (let i = 0; i < run.length; i += 4) {
      bytes.push((digits.indexOf(run[i + 1]!) << 6) | (digits.indexOf(run[i + 2]!) << 3) | digits.indexOf(run[i + 3]!))
    }
    return decodeBytes(bytes)
  })
  // One string has one escaped form, so anything that does not come back is not ours.
  return escapeKey(text) === escaped ? text : undefined
}

describe("long keys", () => {
  const sha = (text: string) => createHash("sha256").update(text).digest("base64url")

  it("keep a head, and the hash of the whole", () => {
    const id = "x".repeat(600)
    const key = buildCacheKey("user:{id}", { params: { id } })
    assert.strictEqual(key, `user:${"x".repeat(462)}%~${sha(`user:${id}`)}`)
    assert.strictEqual(utf8(key), 512)
    assert.strictEqual(normalizeKey(`user:${id}`), key)
    assert.strictEqual(normalizeKey(key), key)
    for (const template of ["{0}", "{0}:{1}", "{0}{1}{2}"]) {
      assert.isAtMost(utf8(compileUnsafe(template).buildUnsafe([id, id, id])), 512)
    }
    assert.strictEqual(compileUnsafe("y".repeat(513)).buildUnsafe({}).length, 512)
  })

  it("the limit is 512 bytes", () => {
    for (const [fits, long] of [
      ["a".repeat(512), "a".repeat(513)],
      ["é".repeat(256), "é".repeat(257)]
    ] as const) {
      assert.strictEqual(normalizeKey(fits), fits)
      assert.match(normalizeKey(long), /%~[-\w]{43}$/)
    }
    assert.strictEqual(normalizeKey("東".repeat(170)), "東".repeat(170))
    assert.match(normalizeKey("東".repeat(171)), /%~[-\w]{43}$/)
    assert.match(normalizeKey("😀".repeat(129)), /^(😀)+%~[-\w]{43}$/u)
    invalid(() => normalizeKey(""))
  })

  it("are cut between characters and escapes, wherever they begin", () => {
    for (let pad = 0; pad < 14; pad++) {
      for (const unit of ["é", "東", "😀", "%", "\ud800", " €", "\u2028"]) {
        const start = "a".repeat(pad)
        const built = compileUnsafe("{0}").buildUnsafe([start + unit.repeat(400)])
        const head = built.slice(0, -45)
        assert.isAtMost(utf8(built), 512)
        assert.isAtLeast(utf8(built), 512 - 12)
        const rest = head.slice(pad).replaceAll("%uD800", "")
        assert.doesNotThrow(() => decodeURIComponent(rest))
        assert.isFalse(decodeURIComponent(rest).includes("\ufffd"))
        // Raw keys are cut alike.
        const raw = normalizeKey(start + unit.repeat(600))
        assert.isAtMost(utf8(raw), 512)
        assert.isTrue((start + unit.repeat(600)).startsWith(raw.slice(0, -45)))
      }
    }
  })

  it("lone surrogates and what replaces them are told apart", () => {
    const long = "a".repeat(600)
    const keys = ["\ud800", "\ud801", "\udc00", "\ufffd", "%uD800"].map((end) => normalizeKey(long + end))
    assert.strictEqual(new Set(keys).size, keys.length)
  })
})

describe("escapeKey", () => {
  it("leaves plain keys, and nothing a store reads", () => {
    for (const plain of ["user:123", "a/b.c-d_e~f@g", "GET(a=b&c,d)+'\"", "", "東京"]) {
      assert.strictEqual(escapeKey(plain), plain)
      assert.strictEqual(unescapeKey(plain), plain)
    }
    assert.strictEqual(escapeKey("user:a%20b"), "user:a%%20b")
    const all = Array.from({ length: 0x10000 }, (_, i) => String.fromCharCode(i))
    const escaped = all.map(escapeKey)
    assert.strictEqual(new Set(escaped).size, all.length)
    assert.deepEqual(
      escaped.filter((text) => /[{}*?[\]\\\s\p{Cc}\p{Cf}\p{Surrogate}]/u.test(text)),
      []
    )
    assert.deepEqual(escaped.map(unescapeKey), all)
  })

  it("refuses what it did not write", () => {
    for (const text of [
      "%",
      "a%2",
      "%20",
      "%%%",
      "%!!",
      "a b",
      "{a}",
      "*",
      "%!#`%",
      "%#!#",
      "%^^^",
      "%<^<%|``",
      "\ud800",
      "%!%",
      "!",
      "😀"
    ])
      assert.isUndefined(unescapeKey(text), text)
    // Two halves that are written one by one would be a pair.
    assert.isUndefined(unescapeKey(escapeKey("\ud83d") + escapeKey("\ude00")))
  })

  it.prop(
    "is injective and comes back",
    [hostile, hostile, Schema.String],
    ([a, b, c]) => {
      for (const key of [a, b, c]) assert.strictEqual(unescapeKey(escapeKey(key)), key)
      assert.strictEqual(escapeKey(a) === escapeKey(b), a === b)
      const undone = unescapeKey(c)
      if (undone !== undefined) assert.strictEqual(escapeKey(undone), c)
    },
    { arbitrary: { runs: 500 } }
  )
})
