import { assert, describe, it } from "@effect/vitest"
import {
  asciiJson,
  bounded,
  intentText,
  maxItems,
  maxText,
  parseIntent,
  parsePlace,
  placeText
} from "../../src/protocol/intent.ts"
import { hostile } from "../support/primitives.ts"

const none = { keys: [], patterns: [], tags: [] }
const many = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}${i}`)

describe("what an intent says", () => {
  it("comes back, whatever its texts are, and is ASCII", () => {
    const intent = { keys: hostile, patterns: hostile.slice(3), tags: hostile.slice(5) }
    const text = intentText(intent)
    assert.match(text, /^[ -~]*$/)
    assert.deepStrictEqual(parseIntent(text), intent)
    for (const key of hostile) assert.deepStrictEqual(parsePlace(placeText(key, "w:1")), [key, "w:1"])
  })

  it("of what is no intent is nothing", () => {
    const texts = [
      "",
      "{}",
      "[]",
      "null",
      "1",
      "[[],[]]",
      "[[],[],[],[]]",
      "[[1],[],[]]",
      '[["a"],[],"b"]',
      "[[],[],[[]]]",
      "["
    ]
    for (const text of [...texts, "[".repeat(60_000), asciiJson([many("", maxItems + 1), [], []])]) {
      assert.deepStrictEqual(parseIntent(text), none, text.slice(0, 20))
    }
    assert.deepStrictEqual(parseIntent(asciiJson([["x".repeat(maxText)], [], []])), none)
    for (const text of ["", "sweep", "[]", '["a"]', '["a","b","c"]', '["a",1]', '{"0":"a","1":"b"}']) {
      assert.isUndefined(parsePlace(text), text)
    }
  })
})

describe("how much is put down", () => {
  it("all of what is within the bounds, and nothing of nothing", () => {
    assert.isUndefined(bounded(none))
    const intent = { keys: many("k", 300), patterns: many("p", 300), tags: many("t", 400) }
    assert.deepStrictEqual(bounded(intent), intent)
  })

  it("of too many, tags first, then patterns, then keys", () => {
    const kept = bounded({ keys: many("k", 600), patterns: many("p", 600), tags: many("t", 600) })!
    assert.deepStrictEqual([kept.tags.length, kept.patterns.length, kept.keys.length], [600, 400, 0])
  })

  it("of what is too long, what fits; and it parses", () => {
    const long = "x".repeat(30_000)
    const kept = bounded({ keys: [long, "k"], patterns: ["x".repeat(maxText)], tags: [long, long, "t"] })!
    assert.deepStrictEqual(kept, { keys: ["k"], patterns: [], tags: [long, long, "t"] })
    // Each of these characters is six.
    const tags = Array.from({ length: 1_000 }, () => "é".repeat(20))
    const fitting = bounded({ ...none, tags })!
    assert.isBelow(fitting.tags.length, 600)
    const text = intentText(fitting)
    assert.isAtMost(text.length, maxText)
    assert.isAbove(text.length, maxText - 130)
    assert.deepStrictEqual(parseIntent(text), fitting)
  })
})
