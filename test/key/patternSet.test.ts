import { assert, describe, it } from "@effect/vitest"
import { escapeKey, matcherUnsafe, normalizeKey } from "../../src/CacheKey.ts"
import { patternSet } from "../../src/key/patternSet.ts"
import { hostile } from "../../src/testing/conformance/values.ts"

const long = (head: string) => normalizeKey(`${head}${"x".repeat(600)}`)

const keys = [
  ...hostile,
  ...[
    "a",
    "b",
    "ab",
    "ba",
    "aab",
    "abab",
    "a:b",
    "a:b:c",
    "user:1",
    "user:1:list",
    "user:12",
    "users:1",
    "%",
    "%~",
    "é"
  ],
  long("user:1:"),
  long("user:2:"),
  long("a"),
  `user:1:${"x".repeat(300)}`
].filter((key) => key !== "")

const patterns = [
  ...[
    "*",
    "a",
    "a*",
    "ab*",
    "*b",
    "*:1",
    "user:*",
    "user:1:*",
    "user:1*",
    "user:*:list",
    "*a*b*",
    "a*b",
    "a*a*b",
    "aa*b"
  ],
  ...[
    "%*",
    "*%",
    "é*",
    "**",
    "user:1",
    `user:2:${"x".repeat(600)}`,
    `user:2:${"x".repeat(300)}*y`,
    "*:*:*",
    "\u{1F600}*"
  ],
  ...hostile.filter((text) => text !== "")
]

describe("a set of patterns", () => {
  it("means what its patterns mean, one by one", () => {
    for (const pattern of patterns) {
      const { matches, start } = patternSet([pattern])
      const wanted = matcherUnsafe(pattern)
      for (const key of keys) {
        const escaped = escapeKey(key)
        assert.strictEqual(matches(escaped), wanted(key), JSON.stringify([pattern, key]))
        if (matches(escaped)) assert.isTrue(escaped.startsWith(start), JSON.stringify([pattern, key, start]))
      }
    }
  })

  it("and together", () => {
    for (let size = 2; size <= 5; size++) {
      for (let from = 0; from + size <= patterns.length; from++) {
        const some = patterns.slice(from, from + size)
        const { matches, start } = patternSet(some)
        const wanted = some.map(matcherUnsafe)
        for (const key of keys) {
          const escaped = escapeKey(key)
          const all = JSON.stringify([some, key])
          assert.strictEqual(
            matches(escaped),
            wanted.some((one) => one(key)),
            all
          )
          if (matches(escaped)) assert.isTrue(escaped.startsWith(start), all)
        }
      }
    }
  })

  it("says what all of its keys begin with, so that a server need not tell of others", () => {
    assert.strictEqual(patternSet(["user:1:*", "user:12:*:x", "user:3"]).start, "user:")
    assert.strictEqual(patternSet(["user:1:*", "order:*"]).start, "")
  })

  it("costs nothing more for patterns that end in a star, and for those that another covers", () => {
    const ids = Array.from({ length: 1_000 }, (_, i) => i)
    assert.strictEqual(patternSet(ids.map((id) => `user:${id}:*`)).cost, 1)
    assert.strictEqual(patternSet(["user:*", ...ids.map((id) => `user:${id}:*:list`)]).cost, 1)
    assert.strictEqual(patternSet(ids.map((id) => `user:${id}:*:list`)).cost, 1_001)
  })

  it("throws for a pattern that is empty", () => {
    assert.throws(() => patternSet(["a*", ""]), /a pattern needs at least one character/)
  })
})
