/**
 * The pure parts of the standard: how old a response is and for how long it is good, conditions, ranges, `Cache-Status`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { Headers } from "effect/http"
import { memberOf } from "../../src/http/cacheStatus.ts"
import { isUnmodified, noneMatches, rangeCounts } from "../../src/http/conditions.ts"
import { freshnessOf } from "../../src/http/freshness.ts"
import { leftOf } from "../../src/http/stored.ts"
import { policyUnsafe } from "../../src/http/options.ts"
import { partOf } from "../../src/http/range.ts"

const came = Date.UTC(2026, 0, 1, 12, 0, 0, 400)
const at = (seconds: number) => new Date(came + seconds * 1000).toUTCString()
/** Age and what is left, in seconds. */
const fresh = (headers: Record<string, string>, delay = 0) => {
  const { ageMillis, leftMillis } = freshnessOf(Headers.fromInput(headers), { asked: came - delay * 1000, came })
  return [ageMillis / 1000, leftMillis / 1000]
}

describe("freshness", () => {
  it("the first member of Age counts, and what is no number says nothing", () => {
    for (const [age, expected] of [
      ["7200", 7200],
      ["7200, 0", 7200],
      ["0, 7200", 0],
      [" 5 ,x", 5],
      ["-1", 0],
      ["1.5", 0],
      ["x", 0],
      ["", 0],
      ["99999999999999999999", 2_147_483_648]
    ] as const) {
      assert.strictEqual(fresh({ age })[0], expected, age)
    }
    assert.deepStrictEqual(fresh({ age: "7200, 0", "cache-control": "max-age=3600" }), [7200, -3600])
  })

  it("Date, Age and the time that the handler took make the age", () => {
    assert.deepStrictEqual(fresh({}, 3), [3, Infinity])
    assert.deepStrictEqual(fresh({ age: "4" }, 3), [7, Infinity])
    assert.deepStrictEqual(fresh({ age: "4", date: at(-10) }, 3), [10, Infinity])
    assert.deepStrictEqual(fresh({ date: at(100) }), [0, Infinity])
    assert.deepStrictEqual(fresh({ date: "yesterday", age: "1" }), [1, Infinity])
  })

  it("Expires counts from Date", () => {
    assert.deepStrictEqual(fresh({ date: at(400), expires: at(300) }), [0, -100])
    assert.deepStrictEqual(fresh({ date: at(-10), expires: at(10), age: "25" }), [25, -5])
    assert.deepStrictEqual(fresh({ date: at(-10), expires: at(10) }), [10, 10])
    assert.deepStrictEqual(fresh({ expires: at(60.6) }), [0, 60.6 - 0])
    assert.deepStrictEqual(fresh({ expires: "0" }), [0, 0])
    assert.deepStrictEqual(fresh({ expires: at(-1000), "cache-control": "max-age=5" }), [0, 5])
  })

  it("max-age may be quoted, repeated and too large", () => {
    for (const [control, left] of [
      ['max-age="60"', 60],
      ['max-age="60', 0],
      ["max-age=60, max-age=20", 20],
      ["s-maxage=30, max-age=20", 30],
      ["max-age=9999999999999999999999", 2_147_483_648],
      ["max-age", 0],
      ["max-age=-5", 0]
    ] as const) {
      assert.strictEqual(fresh({ "cache-control": control })[1], left, control)
    }
  })
})

describe("conditions", () => {
  it("If-None-Match is a list, with commas inside of tags", () => {
    for (const [header, matches] of [
      ['"a,b"', true],
      ['"x", W/"a,b"', true],
      [',, "x" ,"a,b",', true],
      ["*", true],
      ['"a"', false],
      ['"a', false],
      ['"x" "a,b"', false],
      ['x, "a,b"', false],
      ['*, "x"', false]
    ] as const) {
      assert.strictEqual(noneMatches(header, 'W/"a,b"'), matches, header)
    }
    const spaces = `"x",${" ".repeat(60_000)}x`
    assert.isFalse(noneMatches(spaces, '"a"'))
  })

  it("If-Modified-Since counts where there is no If-None-Match", () => {
    const is = (request: Record<string, string>, stored: Record<string, string>) =>
      isUnmodified(Headers.fromInput(request), stored)
    const stored = { etag: '"a"', "last-modified": at(-100), date: at(-10) }
    assert.isTrue(is({ "if-modified-since": at(-100) }, stored))
    assert.isTrue(is({ "if-modified-since": at(0) }, stored))
    assert.isFalse(is({ "if-modified-since": at(-101) }, stored))
    assert.isFalse(is({ "if-modified-since": at(0), "if-none-match": '"b"' }, stored))
    assert.isFalse(is({ "if-modified-since": `${at(0)}, ${at(0)}` }, stored))
    assert.isTrue(is({ "if-modified-since": at(-10) }, { date: at(-10) }))
    assert.isFalse(is({ "if-modified-since": at(-11) }, { date: at(-10) }))
    assert.isFalse(is({ "if-modified-since": at(0) }, {}))
    const rfc850 = at(0)
      .replace(/^(\w+), (\d+) (\w+) \d\d(\d\d)/, "$1sday, $2-$3-$4")
      .replace("Thusday", "Thursday")
    assert.isTrue(is({ "if-modified-since": rfc850 }, stored))
  })

  it("If-Range is a strong tag, or the date of a modification that has settled", () => {
    const stored = { etag: '"a"', "last-modified": at(-100), date: at(-10) }
    assert.isTrue(rangeCounts(undefined, stored, came))
    assert.isTrue(rangeCounts('"a"', stored, came))
    assert.isFalse(rangeCounts('W/"a"', { etag: 'W/"a"' }, came))
    assert.isTrue(rangeCounts(at(-100), stored, came))
    assert.isFalse(rangeCounts(at(-99), stored, came))
    assert.isFalse(rangeCounts(at(-100), { ...stored, date: at(-100) }, came))
    assert.isFalse(rangeCounts(at(-100), { etag: '"a"' }, came))
  })
})

describe("ranges", () => {
  it("one of bytes is a part", () => {
    for (const [range, expected] of [
      ["bytes=0-0", [0, 0]],
      ["bytes= 3-4 ", [3, 4]],
      ["bytes=3-", [3, 9]],
      ["bytes=0-99999999999999999999999", [0, 9]],
      ["bytes=-4", [6, 9]],
      ["bytes=-40", [0, 9]],
      ["bytes=-0", "none"],
      ["bytes=10-", "none"],
      [`bytes=${"9".repeat(400)}-`, "none"],
      ["bytes=5-4", "whole"],
      ["bytes=0-1,2-3", "whole"],
      ["bytes=-", "whole"],
      ["bytes=1", "whole"],
      ["bytes=0x1-2", "whole"],
      ["bytes", "whole"]
    ] as const) {
      const part = partOf(range, 10)
      assert.deepStrictEqual(typeof part === "string" ? part : [part.first, part.last], expected as never, range)
    }
    assert.deepStrictEqual([partOf("bytes=-1", 0), partOf("bytes=0-", 0)], ["whole", "none"])
  })

  it.prop("never leaves the body", [Arbitrary.schema(Schema.String), Arbitrary.schema(Schema.Int)], ([text, n]) => {
    const length = Math.abs(n % 1000)
    const part = partOf(`bytes=${text}`, length)
    if (typeof part === "string") return
    assert.isTrue(part.first >= 0 && part.first <= part.last && part.last < length)
  })
})

describe("what is left of a lifetime", () => {
  const left = (at: number, lifetime: number | null, now: number) =>
    leftOf({ status: 200, headers: [], body: new Uint8Array(), at, lifetime }, now)

  it("is below zero where it has ended by this clock, and never more than all of it", () => {
    assert.deepStrictEqual(
      [
        left(0, 10_000, 4_500),
        left(0, 10_000, 10_000),
        left(0, 10_000, 12_001),
        left(5_000, 10_000, 0),
        left(0, null, 9)
      ],
      [5, 0, -3, 10, Infinity]
    )
    assert.strictEqual(memberOf({ forward: undefined, ttl: left(0, 10_000, 12_001) }), "effect-cache; hit; ttl=-3")
  })
})

describe("Cache-Status", () => {
  it("is a structured field", () => {
    assert.strictEqual(memberOf({ forward: undefined, ttl: 5 }), "effect-cache; hit; ttl=5")
    assert.strictEqual(
      memberOf({ forward: { fwd: "miss" }, forwardStatus: 200, stored: true, collapsed: true, ttl: 0 }),
      "effect-cache; fwd=miss; fwd-status=200; stored; collapsed; ttl=0"
    )
    assert.strictEqual(
      memberOf({ forward: { fwd: "bypass", detail: "odd one" }, key: 'a"\\\u0000é\ud800' }),
      'effect-cache; fwd=bypass; key="a\\"\\\\%00%C3%A9%EF%BF%BD"; detail="odd one"'
    )
  })

  it("has no number that is too long", () => {
    assert.strictEqual(memberOf({ forward: undefined, ttl: 1e22 }), "effect-cache; hit; ttl=999999999999999")
    assert.strictEqual(memberOf({ forward: undefined, ttl: -1e22 }), "effect-cache; hit; ttl=-999999999999999")
  })

  it.prop("says any key", [Arbitrary.schema(Schema.String)], ([key]) => {
    assert.match(
      memberOf({ forward: undefined, key }),
      /^effect-cache; hit; key="(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"$/
    )
  })
})

describe("options", () => {
  it("are checked", () => {
    for (const [options, said] of [
      [{ statuses: [] }, /statuses/],
      [{ statuses: [206] }, /statuses/],
      [{ statuses: [304] }, /statuses/],
      [{ statuses: [100] }, /statuses/],
      [{ statuses: [600] }, /statuses/],
      [{ statuses: [200.5] }, /statuses/],
      [{ statuses: 404 }, /statuses/],
      [{ storeIf: true }, /storeIf/],
      [{ cacheStatus: { keys: true } }, /key/],
      [{ cacheStatus: { key: "yes" } }, /cacheStatus.key/]
    ] as ReadonlyArray<readonly [object, RegExp]>) {
      assert.throws(() => policyUnsafe({ ttl: 1000, ...options } as never), said)
    }
  })
})
