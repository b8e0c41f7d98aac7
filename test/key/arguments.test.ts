/** Keys that a function makes of the arguments of a call. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { CacheError, CacheKey } from "effect-cache"
import { compileUnsafe, matcherUnsafe } from "../../src/CacheKey.ts"
import { hostile, invalid, words } from "../support/keys.ts"

interface Query {
  readonly tenant: string
  readonly filter: { readonly kind: string }
  readonly cursor?: string | undefined
}
const queries = CacheKey.make("list:{tenant}:{kind}:{cursor?}", ({ cursor, filter, tenant }: Query) => ({
  tenant,
  kind: filter.kind,
  cursor
}))
const query = (tenant: string, kind: string, cursor?: string): Query => ({ tenant, filter: { kind }, cursor })
const keyOf = (q: Query): string => compileUnsafe(queries).ofArguments([q])

describe("a key that a function makes", () => {
  it("is that of its template and parts", () => {
    assert.strictEqual(keyOf(query("a:b", "c", "d")), "list:a%3Ab:c:d")
    assert.strictEqual(keyOf(query("a", "b")), "list:a:b:%-")
    assert.deepStrictEqual(compileUnsafe(queries, { prefix: "v2:" }).ofArguments([query("a", "b")]), "v2:list:a:b:%-")
    assert.strictEqual(compileUnsafe(queries, { prefix: "v2:" }).pattern, "v2:list:*:*:*")
    const two = CacheKey.make("p:{t}:{n}", (t: string, page: { readonly n: number }) => ({ t, n: page.n }))
    assert.strictEqual(compileUnsafe(two).ofArguments(["a", { n: 2 }, "more"]), "p:a:2")
    assert.deepStrictEqual(compileUnsafe(two).callOf(["a", { n: 2 }, "more"], "p:a:2"), {
      key: "p:a:2",
      params: { t: "a", n: 2 }
    })
  })

  it.prop(
    "is another one for other parts, whatever they hold",
    [hostile, hostile, hostile, hostile, hostile, hostile],
    ([a, b, c, d, e, f]) => {
      assert.strictEqual(keyOf(query(a, b, c)) === keyOf(query(d, e, f)), a === d && b === e && c === f)
      assert.notStrictEqual(keyOf(query(a, b)), keyOf(query(d, e, f)))
      // The same text cut at another place.
      const whole = `${a}:${b}`
      for (let i = 0; i <= whole.length; i++) {
        const [left, right] = [whole.slice(0, i), whole.slice(i)]
        if (left !== a || right !== b) assert.notStrictEqual(keyOf(query(left, right)), keyOf(query(a, b)))
      }
    },
    { arbitrary: { runs: 500 } }
  )

  it("is another one for other parts: every short one", () => {
    const parts = words(["-", "%", ".", "x", ":"], 2)
    const seen = new Set<string>()
    for (const a of parts) for (const b of parts) for (const c of [undefined, ...parts]) seen.add(keyOf(query(a, b, c)))
    assert.strictEqual(seen.size, parts.length ** 2 * (parts.length + 1))
  })

  it.prop("matches the pattern of its template", [hostile, hostile], ([a, b]) => {
    const matches = matcherUnsafe(compileUnsafe(queries).pattern)
    assert.isTrue(matches(keyOf(query(a, b))))
    assert.isFalse(matches(`x${keyOf(query(a, b))}`))
  })
})

describe("a function that gives no parts", () => {
  // What a program without types may write.
  const ofAny = (parts: unknown, ...args: ReadonlyArray<unknown>) =>
    invalid(() => compileUnsafe(CacheKey.make("k:{a?}", parts as () => { readonly a: string })).ofArguments(args))

  it("is told by its template and by what it threw", () => {
    const error = new TypeError("no filter")
    const reason = ofAny(() => {
      throw error
    })
    assert.strictEqual(reason.cause, error)
    assert.strictEqual(reason.message, '"k:{a?}": the function of the key threw: no filter')
    // Also what is one of ours, of another key.
    const inner = ofAny(() => compileUnsafe("x:{b}").buildUnsafe({}))
    assert.strictEqual(inner.key, "k:{a?}")
    assert.instanceOf(inner.cause, CacheError)
    assert.include(inner.message, "{b}")
    for (const thrown of [undefined, null, "text", Object.create(null)]) {
      const reason = ofAny(() => {
        throw thrown
      })
      assert.include(reason.problem, "the function of the key threw")
    }
  })

  it("is told by what it gave in place of an object", () => {
    for (const [given, said] of [
      [undefined, "undefined"],
      [null, "null"],
      ["text", '"text"'],
      [7, "7"],
      [["a"], '["a"]'],
      [() => ({}), "a function"],
      [Promise.resolve({ a: 1 }), "a Promise"],
      [Promise.reject(new Error("of nobody's")), "a Promise"],
      [Effect.succeed({ a: 1 }), "an effect"]
    ] as const) {
      const { message } = ofAny(() => given)
      assert.strictEqual(
        message,
        `"k:{a?}": the function of the key gives ${said}, expected an object with its parts, at once`
      )
    }
  })

  it("is told by the part that is none", () => {
    for (const a of [null, {}, [], Number.NaN, new Date(0), () => "a", Symbol("a")]) {
      assert.strictEqual(ofAny(() => ({ a })).placeholder, "a")
    }
  })

  it("gives no parameters either", () => {
    const broken = CacheKey.make("k:{a}", (a: { readonly b: { readonly c: string } }) => ({ a: a.b.c }))
    const { key, params } = compileUnsafe(broken).callOf([{}], "k:a")
    assert.instanceOf(key, CacheError)
    assert.isUndefined(params)
  })
})

describe("CacheKey.make", () => {
  it("refuses a template without names, and one that is none", () => {
    const parts = () => ({})
    for (const template of ["all", "l:{0}", "l:{a", "l:{a}%", "l:{a}:{0}", "l:{a}{a?}"]) {
      assert.strictEqual(invalid(() => CacheKey.make(template as string, parts)).key, template)
    }
  })

  it("refuses what will not answer at once, and what is no function", () => {
    const refused = (parts: unknown): string => {
      try {
        CacheKey.make("l:{a}", parts as never)
      } catch (error) {
        assert.instanceOf(error, CacheError)
        return error.reason.message
      }
      return "nothing was refused"
    }
    const at = "expected a function that gives the parts of the key"
    assert.strictEqual(
      refused(async () => ({ a: 1 })),
      `parts is an async function, ${at} at once`
    )
    assert.strictEqual(
      refused(function*() {
        yield 1
      }),
      `parts is a generator function, ${at} at once`
    )
    assert.strictEqual(
      refused(async function*() {
        yield 1
      }),
      `parts is an async generator function, ${at} at once`
    )
    assert.strictEqual(refused("a"), `parts is "a", ${at}`)
    assert.strictEqual(refused(undefined), `parts is undefined, ${at}`)
  })
})
