import { assert, describe, it } from "@effect/vitest"
import {
  buildCacheKey,
  buildCachePattern,
  compileUnsafe,
  escapeKey,
  escapePattern,
  matcherUnsafe,
  normalizeKey
} from "../../src/CacheKey.ts"
import { hostile, words, invalid } from "../support/keys.ts"

/** Redis's globs, as far as they are used: `*`, `[...]` with ranges, and itself. */
const globMatcher = (glob: string) => {
  const items: Array<string | Set<string>> = []
  for (let i = 0; i < glob.length; i++) {
    const char = glob[i]!
    if ("?\\]".includes(char)) assert.fail(glob)
    if (char !== "[") items.push(char)
    else {
      const end = glob.indexOf("]", i)
      const set = new RegExp(`[${glob.slice(i + 1, end)}]`)
      items.push(
        new Set(Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).filter((c) => set.test(c)))
      )
      i = end
    }
  }
  return (text: string): boolean => {
    // The usual two pointers; back to the last star only, which is enough for globs.
    let [at, i, star, resume] = [0, 0, -1, 0]
    while (at < text.length) {
      const item = items[i]
      if (item === "*") {
        star = i++
        resume = at
      } else if (item !== undefined && (typeof item === "string" ? item === text[at] : item.has(text[at]!))) {
        i++
        at++
      } else if (star >= 0) {
        i = star + 1
        at = ++resume
      } else return false
    }
    while (items[i] === "*") i++
    return i === items.length
  }
}

const globMatches = (glob: string, text: string): boolean => globMatcher(glob)(text)

describe("patterns", () => {
  it("match", () => {
    const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>, ReadonlyArray<string>]> = [
      ["*", ["", "a", "a:b"], []],
      ["users:list:*", ["users:list:", "users:list:1:2"], ["users:list", "xusers:list:1"]],
      ["*:list:*", ["a:list:b", ":list:"], ["a:list", "a:lst:b"]],
      ["a*a", ["aa", "aba"], ["a", "ab"]],
      ["a**b", ["ab", "axb"], ["a", "b"]],
      ["*ab*ab*", ["abab", "xabxabx"], ["ab", "aab"]],
      ["a?[b]{c}\\*", ["a?[b]{c}\\", "a?[b]{c}\\d"], ["axb", "ab{c}\\"]],
      ["exact", ["exact"], ["exact1", "xexact", ""]]
    ]
    for (const [pattern, yes, no] of cases) {
      const matches = matcherUnsafe(pattern)
      for (const key of yes) assert.isTrue(matches(key), `${pattern} ~ ${key}`)
      for (const key of no) assert.isFalse(matches(key), `${pattern} !~ ${key}`)
    }
    invalid(() => matcherUnsafe(""))
    invalid(() => escapePattern(""))
  })

  it("never go back", () => {
    const matches = matcherUnsafe(`${"*a".repeat(5_000)}*b`)
    const key = "a".repeat(100_000)
    assert.isFalse(matches(key))
    assert.isTrue(matches(`${key}b`))
    assert.deepEqual(escapePattern("*".repeat(10_000)), ["*"])
  })

  it("of templates cover their keys, and keep what is in a part", () => {
    assert.strictEqual(
      buildCachePattern("tenant:{tenant}:user:{id}", { params: { tenant: "a*" } }),
      "tenant:a%2A:user:*"
    )
    assert.strictEqual(buildCachePattern("{0}:{1}", { args: [undefined, "x"], prefix: "p:" }), "p:*:x")
    assert.strictEqual(buildCachePattern("users:*"), "users:*")
    invalid(() => buildCachePattern("{0}", { args: [null as never] }))
    // A part that is empty gives the key it has, also where that key is nothing but the part.
    for (const template of ["{id}", "u:{id}", "{id}:u", "{id}{id}"]) {
      const params = { id: "" }
      assert.strictEqual(buildCachePattern(template, { params }), buildCacheKey(template, { params }), template)
    }
    assert.strictEqual(buildCachePattern("{0}", { args: [""] }), buildCacheKey("{0}", { args: [""] }))
    assert.isTrue(matcherUnsafe(buildCachePattern("{id}"))(buildCacheKey("{id}", { params: { id: "" } })))
    const long = "z".repeat(600)
    const own = matcherUnsafe(buildCachePattern("t:{t}:{id}", { params: { t: "a" } }))
    assert.isTrue(own(buildCacheKey("t:{t}:{id}", { params: { t: "a", id: long } })))
    assert.isFalse(own(buildCacheKey("t:{t}:{id}", { params: { t: "b", id: long } })))
    // Every part given, and too long: the pattern is one key.
    const exact = buildCachePattern("t:{t}", { params: { t: long } })
    assert.isTrue(matcherUnsafe(exact)(buildCacheKey("t:{t}", { params: { t: long } })))
    assert.isFalse(matcherUnsafe(exact)(buildCacheKey("t:{t}", { params: { t: `${long}z` } })))
  })

  it.prop(
    "of templates, with hostile parts, stay within a tenant",
    [hostile, hostile, hostile],
    ([mine, other, id]) => {
      const template = "t:{tenant}:u:{id}"
      const matches = matcherUnsafe(buildCachePattern(template, { params: { tenant: mine } }))
      assert.isTrue(matches(buildCacheKey(template, { params: { tenant: mine, id } })))
      assert.strictEqual(matches(buildCacheKey(template, { params: { tenant: other, id } })), mine === other)
      assert.isTrue(
        matcherUnsafe(compileUnsafe(template).pattern)(buildCacheKey(template, { params: { tenant: other, id } }))
      )
    }
  )

  it.prop(
    "a shortened key is found by every pattern that finds the long one",
    [hostile, hostile, hostile, hostile],
    (parts) => {
      const [a, b, c, d] = parts
      for (const fill of ["x", "é", "%", "\ud83d", "😀 "]) {
        const raw = `${a}${fill.repeat(300)}${b}${fill.repeat(300)}${c}`
        for (const pattern of [
          `${a}*`,
          `*${c}`,
          `*${b}*${c}`,
          `${a}*${b}*`,
          `${raw}*`,
          `*${raw}`,
          `${raw.slice(0, 470)}*`,
          `${raw.slice(0, 460)}*${c}`,
          raw,
          `${a}*${d}*${c}`
        ]) {
          if (pattern === "" || (pattern === raw && raw.includes("*"))) continue
          const reference = globReference(pattern, raw)
          const key = normalizeKey(raw)
          const found = matcherUnsafe(pattern)(key)
          if (reference) assert.isTrue(found, pattern)
          assert.strictEqual(
            escapePattern(pattern).some((glob) => globMatches(glob, escapeKey(key))),
            found,
            pattern
          )
        }
      }
    },
    { arbitrary: { runs: 12 } }
  )

  it("a shortened key is not found by what its head rules out", () => {
    const key = normalizeKey(`user:${"x".repeat(600)}`)
    for (const pattern of ["user:*", "*", "*:end", "user:x*y"]) assert.isTrue(matcherUnsafe(pattern)(key), pattern)
    for (const pattern of ["item:*", "user:y*", "user:", "users:*"])
      assert.isFalse(matcherUnsafe(pattern)(key), pattern)
  })

  // Read by characters, so that no half of a pair matches.
  const globReference = (pattern: string, key: string): boolean => {
    const pieces = pattern.split("*").map((piece) => Array.from(piece))
    const chars = Array.from(key)
    if (pieces.length === 1) return pattern === key
    const find = (piece: ReadonlyArray<string>, from: number, to: number): number => {
      for (let i = from; i + piece.length <= to; i++) if (piece.every((char, n) => chars[i + n] === char)) return i
      return -1
    }
    const [first, last] = [pieces[0]!, pieces[pieces.length - 1]!]
    const end = chars.length - last.length
    if (end < first.length || !first.every((c, i) => chars[i] === c) || !last.every((c, i) => chars[end + i] === c))
      return false
    let at = first.length
    for (const piece of pieces.slice(1, -1)) {
      const found = find(piece, at, end)
      if (found < 0) return false
      at = found + piece.length
    }
    return true
  }

  const check = (pattern: string, key: string) => {
    if (pattern === "") return
    const matches = matcherUnsafe(pattern)(key)
    const byGlob = escapePattern(pattern).some((glob) => globMatches(glob, escapeKey(key)))
    if (matches !== globReference(pattern, key) || byGlob !== matches) assert.fail(JSON.stringify([pattern, key]))
  }

  it("globs over escaped keys mean the pattern: every short one", () => {
    const alphabet = ["a", "%", "0", "!", "#", "\x01", "\ud83d", "\ude00"]
    const keys = words(alphabet, 3)
    for (const piece of words(alphabet, 2)) {
      const patterns = [`*${piece}`, `${piece}*`, `*${piece}*`].map(
        (pattern) => [pattern, matcherUnsafe(pattern), escapePattern(pattern)[0]!] as const
      )
      for (const key of keys) {
        const escaped = escapeKey(key)
        for (const [pattern, matches, glob] of patterns) {
          const found = matches(key)
          if (found !== globReference(pattern, key)) assert.fail(JSON.stringify([pattern, key]))
          const e = glob.replaceAll("*", "")
          const byGlob = !pattern.startsWith("*")
            ? escaped.startsWith(e)
            : !pattern.endsWith("*")
              ? escaped.endsWith(e)
              : escaped.includes(e)
          if (byGlob !== found) assert.fail(JSON.stringify([pattern, key]))
        }
      }
    }
  })

  it.prop(
    "globs over escaped keys mean the pattern",
    [hostile, hostile, hostile, hostile],
    ([a, b, c, d]) => {
      for (const key of [a, a + b, a + d + b, a + d + b + c, d]) {
        for (const pattern of [
          a,
          `${a}*${b}`,
          `*${b}*`,
          `${a}*${b}*${c}`,
          `*${d}*${c}`,
          `*${d.slice(1)}*`,
          `${d.slice(0, -1)}*`
        ]) {
          check(pattern, key)
        }
      }
    },
    { arbitrary: { runs: 100 } }
  )

  it("what looks like a shortened key is found as one, by globs too", () => {
    const key = `abc%~${"A".repeat(43)}`
    for (const pattern of ["abc*end", "a*", "b*", "*z", "abcd*"]) {
      const found = matcherUnsafe(pattern)(key)
      assert.strictEqual(found, /^(abc\*end|a\*|\*z)$/.test(pattern), pattern)
      assert.strictEqual(
        escapePattern(pattern).some((glob) => globMatches(glob, escapeKey(key))),
        found,
        pattern
      )
    }
    for (const near of [`abc%~${"A".repeat(42)} `, `abc%~${"A".repeat(42)}`, `abc%25~${"A".repeat(43)}`]) {
      assert.isFalse(escapePattern("abc*end").some((glob) => globMatches(glob, escapeKey(near))))
      assert.isFalse(matcherUnsafe("abc*end")(near))
    }
  })
})
