import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { createHash } from "node:crypto"
import { CacheError } from "../src/CacheError.ts"
import {
  type ArgsOf,
  buildCacheKey,
  buildCachePattern,
  compileUnsafe,
  escapeKey,
  escapePattern,
  matcherUnsafe,
  normalizeKey,
  type ParamsOf,
  unescapeKey
} from "../src/CacheKey.ts"

const joined = (chars: ReadonlyArray<string>) =>
  Arbitrary.array(Arbitrary.schema(Schema.Literals([...chars] as [string, ...Array<string>])), { maxLength: 12 }).pipe(
    Arbitrary.map((parts) => parts.join(""))
  )

const hostile = joined([
  "",
  "a",
  "b",
  "x",
  "7",
  "A",
  "u",
  "-",
  "_",
  ".",
  "~",
  ":",
  "/",
  "%",
  "%.",
  "%~",
  "%25",
  "%2",
  "%uD800",
  "{",
  "}",
  "{0}",
  "*",
  "?",
  "[",
  "]",
  "\\",
  "^",
  "!",
  "|",
  " ",
  "\n",
  "\0",
  "\x7f",
  "\u00a0",
  "\u2028",
  "é",
  "e\u0301",
  "日",
  "😀",
  "\ud83d",
  "\ude00",
  "\ufeff",
  "__proto__",
  "null"
])

const utf8 = (text: string) => new TextEncoder().encode(text).length

/** All strings over an alphabet, up to a length. */
const words = (alphabet: ReadonlyArray<string>, length: number): ReadonlyArray<string> => {
  let last = [""]
  const all = [""]
  for (let n = 0; n < length; n++) {
    last = last.flatMap((word) => alphabet.map((char) => word + char))
    all.push(...last)
  }
  return all
}

/** What a throwing call says: the reason's fields. */
const invalid = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    assert.instanceOf(error, CacheError)
    const reason = (error as CacheError).reason
    assert.strictEqual(reason._tag, "InvalidKey")
    return reason as Extract<typeof reason, { readonly _tag: "InvalidKey" }>
  }
  return assert.fail("expected InvalidKey")
}

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

describe("templates", () => {
  it("fill in", () => {
    assert.strictEqual(buildCacheKey("user:{userId}", { params: { userId: "123" } }), "user:123")
    assert.strictEqual(buildCacheKey("items:{0}:{1}", { args: ["category", "page1"] }), "items:category:page1")
    assert.strictEqual(buildCacheKey("user:{id}", { params: { id: "123" }, prefix: "v2:" }), "v2:user:123")
    assert.strictEqual(buildCacheKey("stats"), "stats")
    assert.strictEqual(buildCacheKey("stats", { prefix: "p:" }), "p:stats")
    assert.strictEqual(buildCacheKey("{a}:{b}:{c}:{a}", { params: { a: 1, b: true, c: 3n } }), "1:true:3:1")
    assert.strictEqual(buildCacheKey("{1}/{0}", { args: ["a", "b"] }), "b/a")
    // One more time, from the recent templates, which a prefix keeps apart.
    assert.strictEqual(buildCacheKey("user:{id}", { params: { id: "4" }, prefix: "v2:" }), "v2:user:4")
    assert.strictEqual(buildCacheKey("user:{id}", { params: { id: "4" } }), "user:4")
  })

  it("a part is its text", () => {
    const key = compileUnsafe("user:{id}")
    for (const id of [1, 1n, "1"]) assert.strictEqual(key.buildUnsafe({ id }), "user:1")
    assert.strictEqual(key.buildUnsafe({ id: -0 }), "user:0")
    assert.strictEqual(key.buildUnsafe({ id: 1e21 }), "user:1e%2B21")
    assert.strictEqual(key.buildUnsafe({ id: "" }), "user:")
  })

  it("encodes what is not readable, and only that", () => {
    const build = (id: string) => compileUnsafe("u:{id}").buildUnsafe({ id }).slice(2)
    assert.strictEqual(build("aZ09-_.~@"), "aZ09-_.~@")
    assert.strictEqual(build("Ärger東京Ωж"), "Ärger東京Ωж")
    assert.strictEqual(build(":/{}*?[]\\% \n"), "%3A%2F%7B%7D%2A%3F%5B%5D%5C%25%20%0A")
    assert.strictEqual(build("€😀"), "%E2%82%AC%F0%9F%98%80")
    assert.strictEqual(build("\ud800a\udfff"), "%uD800a%uDFFF")
    // A letter of the newest Unicode is one in some runtimes only.
    assert.strictEqual(build("\u1c89"), "%E1%B2%89")
  })

  it("are checked", () => {
    for (const template of [
      "",
      "a{",
      "a}",
      "a{}",
      "{a b}",
      "{1a}",
      "{{a}}",
      "{a}}",
      "{01}",
      "{10}",
      "{100}",
      "{-1}",
      "{a.b}",
      "100%",
      "a\ud800{x}",
      "{a}:{0}",
      "{0}:{a}",
      "{é}"
    ])
      assert.strictEqual(invalid(() => compileUnsafe(template)).key, template)
    for (const prefix of ["{", "}", "%", "*", "\udc00", "{a}"]) invalid(() => compileUnsafe("x", { prefix }))
    assert.strictEqual(invalid(() => compileUnsafe("{a}:{0}")).placeholder, "0")
  })

  it("refuse what is no part, and name it", () => {
    const key = compileUnsafe("a:{x}:{y}")
    const cases: ReadonlyArray<readonly [unknown, string]> = [
      [null, "null"],
      [undefined, "undefined"],
      [Number.NaN, "NaN"],
      [Infinity, "Infinity"],
      [-Infinity, "-Infinity"],
      [{}, "an object"],
      [[], "an array"],
      [Symbol("s"), "a symbol"],
      [() => 1, "a function"],
      [new Date(0), "an object"]
    ]
    for (const [y, said] of cases) {
      const reason = invalid(() => key.buildUnsafe({ x: 1, y }))
      assert.strictEqual(reason.placeholder, "y")
      assert.strictEqual(reason.key, "a:{x}:{y}")
      assert.include(reason.problem, said)
      for (const [template, name] of [
        ["{y}", "y"],
        ["{a}{b}{y}", "y"],
        ["{0}", "0"]
      ] as const) {
        const parts = name === "0" ? [y] : { a: 1, b: 1, y }
        assert.strictEqual(invalid(() => compileUnsafe(template).buildUnsafe(parts)).placeholder, name)
      }
    }
    for (const none of [undefined, null, "text", 1]) {
      assert.strictEqual(invalid(() => key.buildUnsafe(none as never)).placeholder, "x")
    }
    for (const name of ["constructor", "toString", "__proto__"]) {
      assert.strictEqual(invalid(() => compileUnsafe(`{${name}}`).buildUnsafe({})).placeholder, name)
      assert.strictEqual(compileUnsafe(`k:{${name}}`).pattern, "k:*")
      assert.strictEqual(compileUnsafe(`k:{${name}}`).buildUnsafe(JSON.parse(`{"${name}":"v"}`)), "k:v")
    }
  })

  it("say what they hold", () => {
    const named = compileUnsafe("{b}:{a}:{b}", { prefix: "p:" })
    assert.deepEqual(
      [named.template, named.prefix, named.placeholders, named.positional, named.pattern],
      ["{b}:{a}:{b}", "p:", ["b", "a"], false, "p:*:*:*"]
    )
    const positional = compileUnsafe("{1}{0}")
    assert.deepEqual([positional.placeholders, positional.positional, positional.pattern], [["1", "0"], true, "*%.*"])
    assert.deepEqual([compileUnsafe("s").placeholders, compileUnsafe("s").positional], [[], false])
  })

  it("no two lists of parts share a key: every short one", () => {
    const alphabet = ["-", "x", "%", ".", "7", "D", "u", ":", "é", "\ud800", "\udc00"]
    const parts = words(alphabet, 2)
    for (const template of [
      "{0}",
      "{0}{1}",
      "{0}-{1}",
      "{0}x{1}",
      "{0}:{1}",
      "{0}7{1}",
      "{0}D{1}",
      "{0}u{1}",
      "{0}.{1}",
      "{0}é{1}",
      "{0}-x{1}",
      "{0}--{1}",
      "-{0}-{1}-",
      "{0}x:x{1}"
    ]) {
      const key = compileUnsafe(template)
      const seen = new Set<string>()
      const second = key.placeholders.length === 1 ? [""] : parts
      for (const a of parts) for (const b of second) seen.add(key.buildUnsafe([a, b]))
      assert.strictEqual(seen.size, parts.length * second.length, template)
    }
    const three = words(["-", "%", ".", "x"], 2)
    for (const template of ["{0}{1}{2}", "{0}-{1}{2}", "{0}x{1}-{2}", "{0}-x{1}x{2}"]) {
      const key = compileUnsafe(template)
      const seen = new Set<string>()
      for (const a of three) for (const b of three) for (const c of three) seen.add(key.buildUnsafe([a, b, c]))
      assert.strictEqual(seen.size, three.length ** 3, template)
    }
  })

  const text = joined(["-", "x", "A", "7", "u", ":", ".", "~", "é", "😀", "é-", "2"])
  it.prop(
    "no two lists of parts share a key: random templates",
    [text, text, text, text],
    ([t0, t1, t2, t3]) => {
      const key = compileUnsafe(`${t0}{0}${t1}{1}${t2}{2}${t3}`)
      const alphabet = new Set([...(t1 + t2).slice(0, 3), "-", "%", "."])
      const parts = words([...alphabet], alphabet.size > 4 ? 1 : 2)
      const seen = new Set<string>()
      for (const a of parts) for (const b of parts) for (const c of parts) seen.add(key.buildUnsafe([a, b, c]))
      assert.strictEqual(seen.size, parts.length ** 3)
    },
    { arbitrary: { runs: 100 } }
  )

  it.prop(
    "no two lists of parts share a key: hostile parts",
    [text, hostile, hostile, hostile, hostile],
    ([t, a, b, c, d]) => {
      for (const template of [`k:{0}${t}{1}`, "{0}{1}"]) {
        const key = compileUnsafe(template)
        const same = key.buildUnsafe([a, b]) === key.buildUnsafe([c, d])
        assert.strictEqual(same, a === c && b === d)
        // The same text cut at another place.
        const whole = a + t + b
        for (let i = 0; i <= whole.length; i++) {
          const [left, right] = [whole.slice(0, i), whole.slice(i)]
          if (left !== a || right !== b) assert.notStrictEqual(key.buildUnsafe([left, right]), key.buildUnsafe([a, b]))
        }
      }
    },
    { arbitrary: { runs: 500 } }
  )

  it.prop("keys hold no character that means something", [hostile, hostile], ([a, b]) => {
    assert.notMatch(buildCacheKey("k:{0}:{1}", { args: [a, b] }).slice(2), /[{}*?[\]\\\s\p{Cc}]|:.*:/u)
  })
})

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

describe("types", () => {
  it("follow the template", () => {
    const wide: string = "user:{id}"
    assert.strictEqual(buildCacheKey(wide, { params: { id: 1 } }), "user:1")
    assert.strictEqual(buildCacheKey(`user:{${"id" as string}}`, { params: { id: 1 } }), "user:1")
    invalid(() => {
      // @ts-expect-error the part is missing
      buildCacheKey("user:{id}")
    })
    invalid(() => {
      // @ts-expect-error another name
      buildCacheKey("user:{id}", { params: { userId: "1" } })
    })
    invalid(() => {
      // @ts-expect-error no part
      buildCacheKey("user:{id}", { params: { id: new Date(0) } })
    })
    invalid(() => {
      // @ts-expect-error too few
      buildCacheKey("{0}:{1}", { args: ["a"] })
    })
    invalid(() => {
      // @ts-expect-error both kinds
      buildCacheKey("{0}:{a}", { args: ["a"], params: { a: 1 } })
    })
    const fits =
      <const T extends string>(_: T) =>
      <Args extends ArgsOf<T>>(_f: (...args: Args) => void): void => {}
    fits("user:{id}:{n}")(
      ({ id, n }: { readonly id: string; readonly n: bigint; readonly other: Date }, _second: Date) => [id, n]
    )
    fits("items:{0}:{1}")((_a: string, _b: 1 | 2, _c: Date) => {})
    fits("items:{1}")((_a: Date, _b: boolean) => {})
    fits("{9}")((..._all: [Date, Date, Date, Date, Date, Date, Date, Date, Date, string]) => {})
    fits("stats")((_a: Date) => {})
    fits(wide)((_a: Date) => {})
    // @ts-expect-error a Date is no part
    fits("user:{id}")((_: { readonly id: Date }) => {})
    // @ts-expect-error may be missing
    fits("user:{id}")((_: { readonly id?: string }) => {})
    // @ts-expect-error another name
    fits("user:{id}")((_: { readonly userId: string }) => {})
    // It may ignore what it is called with: the calls are checked.
    fits("user:{id}")(() => {})
    // @ts-expect-error the second is no part
    fits("items:{0}:{1}")((_a: string, _b: Date) => {})
    // @ts-expect-error both kinds
    fits("{0}:{a}")((_a: string) => {})
    const params: ParamsOf<"a:{x}:{y}"> = { x: 1, y: "" }
    assert.isDefined(params)
  })
})
