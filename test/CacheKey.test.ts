import { assert, describe, it } from "@effect/vitest"
import {
  type ArgsOf,
  buildCacheKey,
  buildCachePattern,
  compileUnsafe,
  matcherUnsafe,
  normalizeKey,
  type ParamsOf
} from "../src/CacheKey.ts"
import { joined, hostile, words, invalid } from "./support/keys.ts"

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

describe("a part that may be absent", () => {
  it("is one part, whether it is missing or undefined, and no text", () => {
    const list = compileUnsafe("list:{tenant}:{cursor?}")
    assert.strictEqual(list.buildUnsafe({ tenant: 1 }), "list:1:%-")
    assert.strictEqual(list.buildUnsafe({ tenant: 1, cursor: undefined }), "list:1:%-")
    assert.strictEqual(list.buildUnsafe({ tenant: 1, cursor: "" }), "list:1:")
    assert.strictEqual(list.buildUnsafe({ tenant: 1, cursor: "a" }), "list:1:a")
    assert.strictEqual(list.buildUnsafe({ tenant: 1, cursor: "%-" }), "list:1:%25-")
    assert.strictEqual(list.buildUnsafe({ tenant: 1, cursor: "undefined" }), "list:1:undefined")
    assert.deepEqual([list.placeholders, list.positional, list.pattern], [["tenant", "cursor"], false, "list:*:*"])
    const places = compileUnsafe("l:{0}:{1?}")
    assert.strictEqual(places.buildUnsafe(["a"]), "l:a:%-")
    assert.strictEqual(places.buildUnsafe(["a", undefined]), "l:a:%-")
    assert.strictEqual(places.buildUnsafe(["a", "b", "c"]), "l:a:b")
    assert.strictEqual(compileUnsafe("{a?}").buildUnsafe({}), "%-")
    assert.strictEqual(compileUnsafe("{a?}").buildUnsafe({ a: "" }), "%.")
    assert.strictEqual(compileUnsafe("{a?}{b?}{c?}").buildUnsafe({ b: "x" }), "%-%.x%.%-")
    assert.strictEqual(buildCacheKey("l:{cursor?}"), "l:%-")
    assert.strictEqual(buildCacheKey("l:{0?}:{1}", { args: [undefined, "x"] }), "l:%-:x")
  })

  it("is still refused where it is no part, and where it must be there", () => {
    const list = compileUnsafe("list:{tenant}:{cursor?}")
    for (const cursor of [null, Number.NaN, {}, [], Symbol("s"), () => 1]) {
      assert.strictEqual(invalid(() => list.buildUnsafe({ tenant: 1, cursor })).placeholder, "cursor")
    }
    assert.strictEqual(invalid(() => list.buildUnsafe({ cursor: "a" })).placeholder, "tenant")
    for (const nothing of [undefined, null, "text", 1]) invalid(() => list.buildUnsafe(nothing as never))
  })

  it("is absent where an object has it only from Object", () => {
    for (const name of ["constructor", "toString", "valueOf", "__proto__", "hasOwnProperty"]) {
      assert.strictEqual(compileUnsafe(`k:{${name}?}`).buildUnsafe({}), "k:%-")
      assert.strictEqual(compileUnsafe(`k:{${name}?}`).buildUnsafe(Object.create(null)), "k:%-")
      assert.strictEqual(compileUnsafe(`k:{${name}?}`).buildUnsafe(JSON.parse(`{"${name}":"v"}`)), "k:v")
      invalid(() => compileUnsafe(`k:{${name}?}`).buildUnsafe(JSON.parse(`{"${name}":{}}`)))
    }
    class Page {
      get cursor() {
        return "c"
      }
    }
    assert.strictEqual(compileUnsafe("k:{cursor?}:{constructor?}").buildUnsafe(new Page() as never), "k:c:%-")
  })

  it("is written with one ? behind the name", () => {
    for (const template of ["{?}", "{a??}", "{?a}", "{a ?}", "{0??}", "{10?}", "{a?b}", "{a?}:{0}", "{0?}:{a}"]) {
      assert.strictEqual(invalid(() => compileUnsafe(template)).key, template)
    }
    for (const template of ["{a}:{a?}", "{a?}:{a}", "{0?}:{1}:{0}"]) {
      assert.include(invalid(() => compileUnsafe(template)).problem, "with a ? in one place and without in another")
    }
    assert.strictEqual(compileUnsafe("{a?}:{a?}").buildUnsafe({}), "%-:%-")
  })

  it("of a pattern that leaves it out it is any", () => {
    for (const params of [{ tenant: "7" }, { tenant: "7", cursor: undefined }]) {
      const matches = matcherUnsafe(buildCachePattern("list:{tenant}:{cursor?}", { params }))
      for (const cursor of [undefined, "", "a", "%-"]) {
        assert.isTrue(matches(buildCacheKey("list:{tenant}:{cursor?}", { params: { tenant: "7", cursor } })))
      }
      assert.isFalse(matches(buildCacheKey("list:{tenant}:{cursor?}", { params: { tenant: "8" } })))
    }
    assert.strictEqual(buildCachePattern("list:{tenant}:{cursor?}", { params: { cursor: "%-" } }), "list:*:%25-")
    assert.strictEqual(buildCachePattern("l:{0?}:{1}", { args: [undefined, "*"] }), "l:*:%2A")
  })

  it("of a long key it is not cut in two", () => {
    for (let pad = 455; pad < 475; pad++) {
      const start = "a".repeat(pad)
      for (const key of [
        compileUnsafe("{0}:{1?}:{2}").buildUnsafe([start, undefined, "b".repeat(200)]),
        normalizeKey(`${start}:%-:${"b".repeat(200)}`)
      ]) {
        assert.notMatch(key.slice(0, -45), /%$/)
        assert.isTrue(matcherUnsafe(buildCachePattern("{0}:{1?}:{2}", { args: [start] }))(key))
      }
    }
  })

  it("no two lists of parts share a key: every short one, and the absent", () => {
    const parts = [undefined, ...words(["-", "x", "%", ".", "~", "2", "D"], 2)]
    for (const t of ["", "-", "x", ":", "2", "D", ".", "~", "--", "-x", "--.", ".-"]) {
      for (const [before, after] of [
        ["", ""],
        ["-", "-"],
        ["", "~"]
      ] as const) {
        for (const template of [`${before}{0?}${t}{1?}${after}`, `${before}{0}${t}{1?}${after}`]) {
          const key = compileUnsafe(template)
          const first = template.includes("{0?}") ? parts : parts.slice(1)
          const seen = new Set<string>()
          for (const a of first) for (const b of parts) seen.add(key.buildUnsafe([a, b]))
          assert.strictEqual(seen.size, first.length * parts.length, template)
        }
      }
    }
    const three = [undefined, ...words(["-", "%", ".", "x"], 1)]
    for (const template of ["{0?}{1?}{2?}", "{0?}-{1?}{2?}", "{0?}x{1?}-{2?}", "{0?}-x{1?}x{2?}"]) {
      const key = compileUnsafe(template)
      const seen = new Set<string>()
      for (const a of three) for (const b of three) for (const c of three) seen.add(key.buildUnsafe([a, b, c]))
      assert.strictEqual(seen.size, three.length ** 3, template)
    }
  })

  it.prop(
    "no two lists of parts share a key: hostile parts, and the absent",
    [joined(["-", "x", "A", "2", "D", ":", ".", "~", "é"]), hostile, hostile, hostile],
    ([t, a, b, c]) => {
      for (const template of [`k:{0?}${t}{1?}`, "{0?}{1?}", `{0?}${t}{1?}-`]) {
        const key = compileUnsafe(template)
        const lists = [
          [a, b],
          [a, undefined],
          [undefined, b],
          [undefined, undefined],
          [c, a],
          [c, undefined],
          [undefined, a],
          [b, "%-"],
          ["%-", b]
        ] as const
        const keys = new Map<string, string>()
        for (const list of lists) {
          const built = key.buildUnsafe(list)
          const said = JSON.stringify(list.map((part) => part ?? null))
          assert.strictEqual(keys.get(built) ?? said, said)
          keys.set(built, said)
          for (const some of [[], [list[0]], [undefined, list[1]], list]) {
            assert.isTrue(matcherUnsafe(buildCachePattern(template, { args: some as never }))(built))
          }
        }
      }
    },
    { arbitrary: { runs: 300 } }
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
    fits("l:{tenant}:{cursor?}")((_: { readonly tenant: string; readonly cursor?: string | undefined }) => {})
    fits("l:{tenant}:{cursor?}")((_: { readonly tenant: string; readonly cursor: string | undefined }) => {})
    fits("l:{cursor?}")((_?: { readonly cursor?: string }) => {})
    fits("l:{0}:{1?}")((_a: string, _b?: string) => {})
    fits("l:{2?}")((_a: Date, _b: Date, _c?: number) => {})
    // @ts-expect-error may be null
    fits("l:{cursor?}")((_: { readonly cursor: string | null }) => {})
    // @ts-expect-error the first must be there
    fits("l:{0}:{1?}")((_a?: string, _b?: string) => {})
    invalid(() => {
      // @ts-expect-error the tenant must be there
      buildCacheKey("l:{tenant}:{cursor?}", { params: { cursor: "a" } })
    })
    const params: ParamsOf<"a:{x}:{y}"> = { x: 1, y: "" }
    const some: ParamsOf<"a:{x}:{y?}"> = { x: 1 }
    assert.isDefined(some)
    assert.isDefined(params)
  })
})
