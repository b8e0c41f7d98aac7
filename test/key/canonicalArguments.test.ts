import { assert, describe, it } from "@effect/vitest"
import {
  Arbitrary,
  BigDecimal,
  Chunk,
  Data,
  DateTime,
  Duration,
  Effect,
  Exit,
  HashMap,
  HashSet,
  Option,
  Redacted,
  Result,
  Schema
} from "effect"
import { isDeepStrictEqual } from "node:util"
import { CacheError } from "../../src/CacheError.ts"
import { canonicalArguments } from "../../src/key/canonicalArguments.ts"

const invalid = (...args: ReadonlyArray<unknown>) => {
  try {
    canonicalArguments(args, "fn")
  } catch (error) {
    assert.instanceOf(error, CacheError)
    const reason = (error as CacheError).reason
    assert.strictEqual(reason._tag, "InvalidKey")
    return reason as Extract<typeof reason, { readonly _tag: "InvalidKey" }>
  }
  return assert.fail("expected InvalidKey")
}

const holes = (length: number, filled: object): unknown => Object.assign(new Array(length), filled)

class User extends Schema.Class<User>("User")({ id: Schema.Int }) {}
class Account extends Schema.Class<Account>("Account")({ id: Schema.Int }) {}
class Ping extends Schema.Class<Ping>("Ping")({}) {}
class Point extends Data.Class<{ readonly x: number }> {}
class Tagged extends Data.TaggedClass("Tagged")<{ readonly x: number }> {}
class Failed extends Schema.TaggedError<Failed>()("Failed", { id: Schema.Int }) {}
class Plain {
  readonly id: number
  constructor(id: number) {
    this.id = id
  }
}
class Secret {
  #cents: number
  constructor(cents: number) {
    this.#cents = cents
  }
  get cents() {
    return this.#cents
  }
}

/** One of each: all of them different. */
const different = (): ReadonlyArray<ReadonlyArray<unknown>> => [
  [],
  [undefined],
  [null],
  [undefined, undefined],
  [0],
  [-0],
  [1],
  ["1"],
  [1n],
  [-1n],
  [true],
  ["true"],
  [false],
  [""],
  ["undefined"],
  ["null"],
  ["NaN"],
  [Number.NaN],
  [Infinity],
  [-Infinity],
  [1.5],
  [1e21],
  [1, 2],
  [[1, 2]],
  [[1], 2],
  [["1,2"]],
  ["1,2"],
  ["1", "2"],
  ['1","2'],
  ["\ud800"],
  ["\\ud800"],
  ["\ufffd"],
  [{}],
  [[]],
  [{ a: undefined }],
  [{ a: null }],
  [{ a: 1 }],
  [{ a: "1" }],
  [{ "a:1": 1 }],
  [{ a: 1, b: 2 }],
  [{ a: { b: 2 } }],
  [{ 0: 1 }],
  [[[]]],
  [[{}]],
  [[undefined]],
  [new Array(1)],
  [new Array(2)],
  [[1, undefined]],
  [holes(3, { 0: 1, 2: 3 })],
  [[1, undefined, 3]],
  [JSON.parse('{"__proto__":1}')],
  [JSON.parse('{"constructor":1}')],
  [new Date(0)],
  [new Date(1)],
  [new Date(Number.NaN)],
  ["1970-01-01T00:00:00.000Z"],
  [/a/],
  [/a/g],
  [/b/],
  ["/a/"],
  [/a\//],
  [/(?:)/],
  [new Map()],
  [new Set()],
  [new Map([[1, 2]])],
  [new Map([["1", 2]])],
  [new Map([[1, "2"]])],
  [new Set([1])],
  [new Set(["1"])],
  [new Set([1, 2])],
  [new Map([[{ a: 1 }, 1]])],
  [
    new Map<unknown, unknown>([
      [1, 2],
      [3, 4]
    ])
  ],
  [
    new Map<unknown, unknown>([
      [1, 4],
      [3, 2]
    ])
  ],
  [new Set([new Set([1])])],
  [new Uint8Array([1])],
  [new Int8Array([1])],
  [new Uint8ClampedArray([1])],
  [new Uint8Array([1, 0])],
  [new Uint16Array([1])],
  [new ArrayBuffer(2)],
  [new DataView(new ArrayBuffer(2))],
  [new Uint8Array()],
  [new Uint8Array([0x10])],
  [new Float64Array([0])],
  [new Float64Array([-0])],
  [new BigInt64Array([1n])],
  [new URL("http://h/")],
  [new URL("http://h/?a")],
  ["http://h/"],
  [Option.none()],
  [Option.some(1)],
  [Option.some("1")],
  [Option.some(undefined)],
  [Option.some(Option.none())],
  [Result.succeed(1)],
  [Result.fail(1)],
  [Duration.seconds(1)],
  [Duration.millis(1)],
  [Duration.infinity],
  [DateTime.makeUnsafe(0)],
  [DateTime.makeUnsafe(1)],
  [DateTime.makeZonedUnsafe(0, { timeZone: "Europe/Paris" })],
  [DateTime.makeZonedUnsafe(0, { timeZone: "Europe/Rome" })],
  [BigDecimal.fromStringUnsafe("1.2")],
  [BigDecimal.fromStringUnsafe("12")],
  [Chunk.make(1, 2)],
  [Chunk.make(2, 1)],
  [HashSet.make(1, 2)],
  [HashMap.make([1, 2])],
  [new User({ id: 1 })],
  [new User({ id: 2 })],
  [new Account({ id: 1 })],
  [new Plain(1)],
  [{ id: 1 }],
  [new Ping()],
  [new Point({ x: 1 })],
  [new Tagged({ x: 1 })],
  [{ _tag: "Tagged", x: 1 }],
  [{ x: 1 }],
  [{ _tag: "Some", value: 1 }],
  [{ "~effect/Option": 1 }],
  [{ "~effect/Duration": {}, value: 1 }],
  [new Failed({ id: 1 })],
  [new Failed({ id: 2 })],
  [new Error("a")],
  [new Error("b")],
  [new TypeError("a")],
  [new Error("a", { cause: 1 })],
  [new AggregateError([], "a")],
  [new AggregateError([new Error("a")], "a")],
  [new AggregateError([new Error("b")], "a")]
]

describe("canonicalArguments", () => {
  it("says the same for equal arguments, and tells all others apart", () => {
    const [first, second] = [different(), different()]
    const texts = first.map((args) => canonicalArguments(args))
    assert.deepEqual(
      second.map((args) => canonicalArguments(args)),
      texts
    )
    const seen = new Map<string, number>()
    texts.forEach((text, i) => {
      if (seen.has(text)) assert.fail(`${text}: ${seen.get(text)} and ${i}`)
      seen.set(text, i)
    })
    // The same one level down, where no fast path helps.
    const nested = first.map((args) => canonicalArguments([{ args }]))
    assert.strictEqual(new Set(nested).size, texts.length)
  })

  it("has golden forms", () => {
    const forms: ReadonlyArray<readonly [ReadonlyArray<unknown>, string]> = [
      [[], "()"],
      [["u1"], '("u1")'],
      [['a"b', -0, 10n, undefined], '("a\\"b",-0,10n,undefined)'],
      [[{ b: [1, {}], a: new Date(5) }], '(("a":Date(5),"b":(1,(:))))'],
      [
        [
          new Map([
            ["b", 1],
            ["a", 2]
          ]),
          new Set([2, 1])
        ],
        '(Map("a":2,"b":1),Set(1,2))'
      ],
      [[new User({ id: 1 }), holes(2, { 1: 1 })], '(@"User"("id":1),sparse(2,1:1))']
    ]
    for (const [args, text] of forms) assert.strictEqual(canonicalArguments(args), text)
  })

  it("ignores order where it has no meaning", () => {
    const same: ReadonlyArray<readonly [unknown, unknown]> = [
      [
        { a: 1, b: { c: 2, d: 3 } },
        { b: { d: 3, c: 2 }, a: 1 }
      ],
      [
        { 1: "a", b: 1, 0: "c" },
        { b: 1, 0: "c", 1: "a" }
      ],
      [
        new Map<unknown, unknown>([
          [{ x: 1, y: 2 }, 1],
          ["k", 2]
        ]),
        new Map<unknown, unknown>([
          ["k", 2],
          [{ y: 2, x: 1 }, 1]
        ])
      ],
      [new Set<unknown>([1, "1", { a: 1, b: 2 }]), new Set<unknown>([{ b: 2, a: 1 }, "1", 1])],
      [HashMap.make(["a", 1], ["b", 2]), HashMap.make(["b", 2], ["a", 1])],
      [HashSet.make("a", "b"), HashSet.make("b", "a")],
      [Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
      [Buffer.from([1, 2]), new Uint8Array([1, 2])],
      [new Uint8Array([0, 1, 2]).subarray(1), new Uint8Array([1, 2])],
      [BigDecimal.fromStringUnsafe("1.20"), BigDecimal.fromStringUnsafe("1.2")],
      [Duration.seconds(60), Duration.minutes(1)],
      [new User({ id: 1 }), new User({ id: 1 })]
    ]
    for (const [a, b] of same) assert.strictEqual(canonicalArguments([a, 0]), canonicalArguments([b, 0]))
  })

  it("a part that is shared is not a cycle", () => {
    const shared = { a: [1] }
    assert.strictEqual(
      canonicalArguments([shared, { shared }]),
      canonicalArguments([{ a: [1] }, { shared: { a: [1] } }])
    )
  })

  it("refuses what it cannot see, and says where", () => {
    const cycle: Record<string, unknown> = {}
    cycle["a"] = [{ cycle }]
    const detached = new ArrayBuffer(8)
    structuredClone(detached, { transfer: [detached] })
    const cases: ReadonlyArray<readonly [unknown, string]> = [
      [() => 1, "function"],
      [User, "function"],
      [Symbol("s"), "symbol"],
      [cycle, "holds itself"],
      [Promise.resolve(), "Promise"],
      [new WeakMap(), "WeakMap"],
      [new WeakSet(), "WeakSet"],
      [new WeakRef({}), "WeakRef"],
      [Object.assign(Promise.resolve(), { x: 1 }), "Promise"],
      [new Number(1), "Number"],
      [new String("a"), "String"],
      [new Boolean(true), "Boolean"],
      [Object(1n), "BigInt"],
      [Object(Symbol("s")), "Symbol"],
      [{ [Symbol("k")]: 1 }, "symbol"],
      [Object.assign([], { [Symbol("k")]: 1 }), "symbol"],
      [new Secret(1), "shows no property"],
      [new URLSearchParams("a=1"), "shows no property"],
      [new Headers(), "class"],
      [Redacted.make("p4ss"), "Redacted"],
      [Exit.succeed(1), "neither plain"],
      [Effect.void, "neither plain"],
      [Object.create({ a: 1 }), "neither plain"],
      [(function*() {})(), "neither plain"],
      [
        new (class {
          a = 1
        })(),
        "without a name"
      ],
      [Object.assign([1], { extra: 1 }), "properties of its own"],
      ["a".match(/a/), "properties of its own"],
      [Object.assign(new Map(), { extra: 1 }), "properties of its own"],
      [Object.assign(new Date(0), { x: 1 }), "own"],
      [
        {
          get a() {
            throw new Error("p4ss")
          }
        },
        "cannot be read"
      ],
      [
        new Proxy(
          {},
          {
            ownKeys() {
              throw new Error("p4ss")
            }
          }
        ),
        "cannot be read"
      ],
      [detached, "cannot be read"]
    ]
    for (const [value, said] of cases) {
      if (value === detached && canRead(detached)) continue
      const reason = invalid(value)
      assert.include(reason.placeholder, "0")
      if (!(value instanceof Headers)) assert.include(reason.problem, said)
      assert.notInclude(reason.message, "p4ss")
      assert.isTrue(invalid(1, { user: [value] }).placeholder!.startsWith("1.user.0"))
    }
    assert.strictEqual(invalid(cycle).placeholder, "0.a.0.cycle")
    assert.strictEqual(invalid({ user: { id: Symbol("s") } }).placeholder, "0.user.id")
    assert.strictEqual(invalid(new Map([["k", () => 1]])).placeholder, "0.value0")
    assert.strictEqual(invalid(Option.some(() => 1)).placeholder, "0.value")
    assert.strictEqual(invalid(Symbol("s")).key, "fn")
  })

  const canRead = (buffer: ArrayBuffer): boolean => {
    try {
      return new Uint8Array(buffer).length >= 0
    } catch {
      return false
    }
  }

  it("does not exhaust the stack, the memory or the patience", () => {
    const nest = (depth: number, wrap: (inner: unknown) => unknown) => {
      let value: unknown = 1
      for (let i = 0; i < depth; i++) value = wrap(value)
      return value
    }
    for (const wrap of [
      (inner: unknown) => [inner],
      (inner: unknown) => ({ inner }),
      (inner: unknown) => new Map([[inner, 1]]),
      (inner: unknown) => new Set([inner]),
      (inner: unknown) => Option.some(inner)
    ]) {
      assert.include(invalid(nest(100_000, wrap)).problem, "deeper")
      assert.include(invalid(nest(65, wrap)).problem, "deeper")
      canonicalArguments([nest(64, wrap)])
    }
    // Two to the fiftieth leaves, and four billion places.
    assert.include(invalid(nest(50, (inner) => [inner, inner])).problem, "larger")
    assert.isBelow(canonicalArguments([new Array(4_000_000_000)]).length, 30)
    assert.include(invalid(new Uint8Array(10_000_000)).problem, "larger")
    const reason = invalid({ ["k".repeat(10_000)]: () => 1 })
    assert.isBelow(reason.message.length, 1_000)
  })

  // Trees of plain data, and the copy of one with its properties in another order.
  const leaf = Arbitrary.schema(
    Schema.Literals(["", "a", "1", ",", '"', "\\", ":", "(", ")", "n", "pop", 0, 1, 2, true, false, 1n, 2n])
  )
  const tree = Arbitrary.array(leaf, { maxLength: 24 }).pipe(
    Arbitrary.map((leaves) => {
      // Reads the leaves as a program for a stack, so that shapes vary and shrink.
      const stack: Array<unknown> = []
      for (const item of leaves) {
        const [b, a] = [stack.pop(), stack.pop()]
        if (item === ",") stack.push([a, b])
        else if (item === ":") stack.push({ a, b })
        else if (item === "(") stack.push({ [String(a)]: b, z: a })
        else if (item === ")")
          stack.push(
            new Map([
              [a, b],
              ["k", a]
            ])
          )
        else if (item === "n") stack.push(new Set([a, b]))
        else if (item === 2n) stack.push([a], b)
        else if (item === "pop") stack.push(a, b, undefined)
        else stack.push(a, b, item)
      }
      return stack.filter((value) => value !== undefined)
    })
  )

  const reordered = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(reordered)
    if (value instanceof Map) return new Map([...value].reverse().map(([k, v]) => [reordered(k), reordered(v)]))
    if (value instanceof Set) return new Set([...value].reverse().map(reordered))
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([k, v]) => [k, reordered(v)])
    )
  }

  it.prop(
    "equal values share, in any order of their properties",
    [tree],
    ([value]) => {
      assert.strictEqual(canonicalArguments(value), canonicalArguments(reordered(value) as Array<unknown>))
    },
    { arbitrary: { runs: 500 } }
  )

  it.prop(
    "different values differ",
    [Arbitrary.array(tree, { minLength: 20, maxLength: 20 })],
    ([values]) => {
      const texts = values.map((value) => canonicalArguments(value))
      for (let i = 0; i < values.length; i++) {
        for (let j = 0; j < i; j++) {
          if ((texts[i] === texts[j]) !== isDeepStrictEqual(values[i], values[j]))
            assert.fail(`${texts[i]} and ${texts[j]}`)
        }
      }
    },
    { arbitrary: { runs: 100 } }
  )

  it.prop("strings stay apart wherever they are cut", [Schema.String, Schema.String, Schema.String], ([a, b, c]) => {
    const cuts = [[a, b, c], [a + b, c], [a, b + c], [a + b + c], [`${a}","${b}`, c], [[a, b], c]]
    for (const one of cuts) {
      for (const other of cuts) {
        assert.strictEqual(canonicalArguments(one) === canonicalArguments(other), isDeepStrictEqual(one, other))
      }
    }
  })
})
