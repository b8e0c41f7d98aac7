/**
 * A copy of a value without a schema is equal to it, or there is none.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Chunk, Data, DateTime, Duration, Effect, Exit, HashMap, Option, Redacted, Result } from "effect"
import { vi } from "vitest"
import { copyOf, NotCopied } from "../../src/engine/copy.ts"

const circle = () => {
  const self: { self?: unknown; readonly list: Array<unknown> } = { list: [] }
  self.self = self
  self.list.push(self)
  return self
}
const shared = { x: 1 }
const nested = (depth: number) => {
  let value: object = {}
  for (let i = 0; i < depth; i++) value = { value }
  return value
}
const holes: Array<number> = [1]
holes[3] = 4

const copied: Record<string, unknown> = {
  nothing: undefined,
  null: null,
  "minus zero": -0,
  "not a number": Number.NaN,
  bigint: 12345678901234567890n,
  "half a character": "\ud800",
  object: { a: 1, b: undefined, c: { d: [1, "x", null, -0] } },
  "a tag of one's own": { _tag: "Some", value: 1 },
  "a property named __proto__": JSON.parse('{"__proto__":{"a":1},"b":2}'),
  "an array with holes": holes,
  "an array with a name": Object.assign([1, 2], { index: 0 }),
  map: new Map<unknown, unknown>([[{ a: 1 }, new Set([1, new Date(0)])]]),
  date: { at: new Date(1), none: new Date(Number.NaN) },
  regexp: /a+/giu,
  error: new TypeError("no"),
  "an error without a message": { error: new Error(), message: "no" },
  "an error with a cause": new Error("no", { cause: { code: 1 } }),
  bytes: {
    bytes: new Uint8Array([1, 2, 3]),
    floats: new Float64Array([0.5]),
    view: new DataView(new ArrayBuffer(8), 2)
  },
  "many bytes": new Uint8Array(1_000_000),
  frozen: Object.freeze({ a: 1 }),
  circle: circle(),
  shared: [shared, shared],
  deep: nested(400),
  long: Array.from({ length: 10_000 }, (_, id) => ({ id, name: "n" }))
}

class Point {
  readonly x = 1
}
class Names extends Map<string, string> {}
class Refused extends Error {}

const refused: Record<string, () => unknown> = {
  "an instance": () => new Point(),
  "an instance inside": () => [{ point: new Point() }],
  "an instance in a map": () => new Map([[1, new Point()]]),
  "a class of maps": () => new Names(),
  "a class of errors": () => new Refused("no"),
  "a class of arrays": () => new (class extends Array<number> {})(),
  none: () => Option.none(),
  some: () => ({ found: Option.some(1) }),
  failure: () => Result.fail("no"),
  exit: () => Exit.succeed(1),
  cause: () => Cause.fail("no"),
  duration: () => Duration.seconds(1),
  chunk: () => Chunk.make(1),
  "hash map": () => HashMap.make(["a", 1]),
  "date and time": () => DateTime.makeUnsafe(0),
  redacted: () => Redacted.make("secret"),
  "tagged error": () => new (class extends Data.TaggedError("No")<{ readonly a: number }> {})({ a: 1 }),
  effect: () => Effect.succeed(1),
  "without a prototype": () => Object.create(null),
  "what a match named": () => "a".match(/(?<a>a)/),
  getter: () => ({
    get a() {
      throw new Error("it was run")
    }
  }),
  "not enumerable": () => Object.defineProperty({}, "a", { value: 1 }),
  "a symbol as a name": () => ({ [Symbol("a")]: 1 }),
  symbol: () => [Symbol("a")],
  function: () => ({ f: () => 1 }),
  promise: () => Promise.resolve(1),
  "a weak map": () => new WeakMap(),
  "a number in an object": () => Object(1),
  arguments: () =>
    (function () {
      // biome-ignore lint/complexity/noArguments: it is what is copied
      return arguments
    })(),
  "a used expression": () => {
    const used = /a/g
    used.test("aa")
    return used
  },
  "a name on a map": () => Object.assign(new Map(), { a: 1 }),
  "a name on a date": () => Object.assign(new Date(), { a: 1 }),
  "a name on bytes": () => Object.assign(new Uint8Array(2), { a: 1 }),
  "a name on an error": () => Object.assign(new Error("no"), { code: "E" }),
  "an error with a name": () => Object.assign(new Error("no"), { name: "Mine" }),
  buffer: () => Buffer.from("a"),
  "bytes of several threads": () => new Uint8Array(new SharedArrayBuffer(8)),
  url: () => new URL("http://localhost"),
  proxy: () => new Proxy({}, {}),
  "proxy inside": () => ({ list: [new Proxy([], {})] }),
  "a proxy that throws": () =>
    new Proxy(
      {},
      {
        ownKeys() {
          throw new Error("no")
        }
      }
    ),
  "a false date": () => Object.create(Date.prototype),
  "a false map": () => Object.create(Map.prototype),
  "a false array": () => Object.create(Array.prototype),
  "bytes of another kind": () => Object.setPrototypeOf(new Uint8Array(8), Float64Array.prototype),
  "too deep": () => nested(1_000),
  "much too deep": () => nested(1_000_000),
  "deep by a way around": () => {
    const list: Array<{ next?: unknown }> = Array.from({ length: 20_000 }, () => ({}))
    for (const [i, item] of list.entries()) item.next = list[i + 1]
    return [list.at(-1), ...list]
  },
  "too many": () => Array.from({ length: 60_000 }, (_, i) => i),
  "too many empty places": () => Array.from({ length: 3 }, () => new Array(20_000)),
  "too large a number": () => 1n << 100_000_000n,
  "a large number many times": () => new Array(100).fill(-(1n << 1_000_000n)),
  "too many, and no more than a length": () => Object.assign([], { length: 4_000_000_000 }),
  "too much text": () => ["x".repeat(9_000_000)],
  "too many bytes": () => new ArrayBuffer(9_000_000)
}

/** Of each kind that is no plain object, one that has nothing on it. */
const kinds: Record<string, () => object> = {
  map: () => new Map([[1, 2]]),
  "an empty map": () => new Map(),
  set: () => new Set([1]),
  "a weak map": () => new WeakMap(),
  "a weak set": () => new WeakSet(),
  "a weak reference": () => new WeakRef({}),
  promise: () => Promise.resolve(1),
  date: () => new Date(0),
  regexp: () => /a/g,
  error: () => new TypeError("no"),
  "an error without properties": () => {
    const error = new Error()
    for (const key of Reflect.ownKeys(error)) Reflect.deleteProperty(error, key)
    return error
  },
  array: () => [1],
  "an array buffer": () => new ArrayBuffer(4),
  "a buffer of several threads": () => new SharedArrayBuffer(4),
  bytes: () => new Uint8Array(),
  "some bytes": () => new Uint8Array(3),
  floats: () => new Float64Array(),
  view: () => new DataView(new ArrayBuffer(2)),
  "a number in an object": () => Object(1),
  "a bigint in an object": () => Object(1n),
  "a boolean in an object": () => Object(true),
  "a text in an object": () => Object(""),
  "a symbol in an object": () => Object(Symbol("a")),
  "an iterator": () => new Map().keys(),
  "a generator": () => (function*() {})(),
  "a format": () => new Intl.NumberFormat(),
  blob: () => new Blob(["x"])
}

describe("copyOf", () => {
  for (const [name, value] of Object.entries(copied)) {
    it(`copies: ${name}`, () => {
      const copy = copyOf(value)
      assert.deepStrictEqual(copy, value)
      if (typeof value === "object" && value !== null) assert.notStrictEqual(copy, value)
    })
  }

  it("keeps what is one object, and what is in a circle", () => {
    const [first, second] = copyOf([shared, shared]) as ReadonlyArray<unknown>
    assert.strictEqual(first, second)
    const copy = copyOf(circle()) as ReturnType<typeof circle>
    assert.strictEqual(copy.self, copy)
    assert.strictEqual(copy.list[0], copy)
  })

  it("copies what an error says", () => {
    const error = new RangeError("no", { cause: { code: 1 } })
    const copy = copyOf(error) as RangeError
    assert.instanceOf(copy, RangeError)
    assert.strictEqual(copy.stack, error.stack)
    assert.deepStrictEqual(copy.cause, error.cause)
    assert.notStrictEqual(copy.cause, error.cause)
  })

  for (const [name, make] of Object.entries(refused)) {
    it(`does not copy: ${name}`, () => {
      const value = make()
      assert.throws(() => copyOf(value), NotCopied)
    })
  }

  for (const [name, make] of Object.entries(kinds)) {
    it(`does not copy what has the prototype of another kind: ${name}`, () => {
      const tag = Object.prototype.toString.call(make())
      for (const prototype of [Object.prototype, Array.prototype, Map.prototype, Set.prototype, Date.prototype, null]) {
        if (prototype !== null && tag === Object.prototype.toString.call(prototype)) continue
        if (prototype === Date.prototype && tag === "[object Date]") continue
        const value = () => Object.setPrototypeOf(make(), prototype) as object
        assert.throws(() => copyOf(value()), NotCopied)
        assert.throws(() => copyOf({ list: [{ a: 1 }, value()] }), NotCopied)
        assert.throws(() => copyOf(new Map([[value(), 1]])), NotCopied)
      }
    })
  }

  it("does not copy what has a property as well", () => {
    const value = () => Object.setPrototypeOf(Object.assign(new Map([[1, 2]]), { a: 1 }), Object.prototype) as object
    assert.throws(() => copyOf(value()), NotCopied)
    assert.throws(() => copyOf([{ a: value() }]), NotCopied)
  })

  it("lists few names, however many typed arrays there are", () => {
    const buffer = new ArrayBuffer(4_000)
    const ownKeys = vi.spyOn(Reflect, "ownKeys")
    try {
      assert.lengthOf(copyOf(Array.from({ length: 1_000 }, () => new Uint8Array(buffer))) as [], 1_000)
      const listed = ownKeys.mock.results.reduce((sum, { value }) => sum + (value as ReadonlyArray<unknown>).length, 0)
      assert.isBelow(listed, 10_000)
    } finally {
      ownKeys.mockRestore()
    }
  })

  it("says what stands in the way, and nothing of the value", () => {
    assert.throws(() => copyOf({ secret: new Point() }), /^an instance of Point$/)
    assert.throws(() => copyOf({ secret: () => 1 }), /^a function$/)
  })
})
