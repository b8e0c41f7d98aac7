/**
 * A JSON value that is taken as it is must be what the decoder would have made of it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Exit, Schema } from "effect"
import { asStored } from "../../src/schema/asStored.ts"
import { rounds } from "../support/rounds.ts"

const generator = (seed: number) => {
  let state = seed
  const next = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
  return {
    below: (n: number) => Math.floor(next() * n),
    one: <A>(all: ReadonlyArray<A>): A => all[Math.floor(next() * all.length)]!
  }
}
type Random = ReturnType<typeof generator>

/** A schema, and JSON that is mostly of it. */
interface Case {
  readonly schema: Schema.Schema<unknown>
  readonly json: () => unknown
}

const passing = Schema.makeFilter<unknown>(() => true)

const anyCase = ({ below, one }: Random, depth: number): Case => {
  const random = { below, one }
  const leaf = () =>
    one<Case>([
      { schema: Schema.String, json: () => one(["", "x", "NaN", "1", "2020-01-01"]) },
      { schema: Schema.Number, json: () => one([1, -0, 0.5, Infinity]) },
      { schema: Schema.Finite, json: () => one([1, -0]) },
      { schema: Schema.Int, json: () => one([3, 0.5]) },
      { schema: Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 9 })), json: () => one([1, 10]) },
      { schema: Schema.Boolean, json: () => true },
      { schema: Schema.Null, json: () => null },
      { schema: Schema.Undefined, json: () => null },
      { schema: Schema.NonEmptyString, json: () => one(["x", ""]) },
      { schema: Schema.String.pipe(Schema.brand("Id")), json: () => "x" },
      { schema: Schema.Literal("x"), json: () => "x" },
      { schema: Schema.Literals(["x", "NaN", 1, 0, true]), json: () => one(["x", "NaN", 1, -0, true]) },
      { schema: Schema.Literal(-0), json: () => 0 },
      { schema: Schema.TemplateLiteral(["a", Schema.Number]), json: () => "a1" },
      { schema: Schema.Enum({ A: "x", B: 1 }), json: () => one(["x", 1]) },
      { schema: Schema.Struct({}), json: () => one([{}, 1, []]) },
      { schema: Schema.Never, json: () => 1 },
      { schema: Schema.Unknown, json: () => ({ a: 1 }) },
      { schema: Schema.Date, json: () => "2020-01-01T00:00:00.000Z" },
      { schema: Schema.FiniteFromString, json: () => "1" },
      { schema: Schema.BigInt, json: () => "1" }
    ])
  if (depth === 0) return leaf()
  const [a, b, c] = [0, 0, 0].map(() => anyCase(random, depth - 1)) as [Case, Case, Case]
  const made = one<() => Case>([
    leaf,
    () => ({ schema: Schema.Array(a.schema), json: () => Array.from({ length: below(4) }, a.json) }),
    () => ({ schema: Schema.NonEmptyArray(a.schema), json: () => Array.from({ length: below(3) }, a.json) }),
    () => ({ schema: Schema.Tuple([a.schema, b.schema]), json: () => [a.json(), b.json(), 1].slice(0, 1 + below(3)) }),
    () => ({ schema: Schema.Tuple([a.schema, Schema.optionalKey(b.schema)]), json: () => [a.json(), b.json()] }),
    () => ({
      schema: Schema.TupleWithRest(Schema.Tuple([a.schema]), [b.schema]),
      json: () => [a.json(), b.json(), b.json()].slice(0, below(4))
    }),
    () => ({
      schema: Schema.TupleWithRest(Schema.Tuple([a.schema]), [b.schema, c.schema]),
      json: () => [a.json(), b.json(), c.json()]
    }),
    () => ({
      schema: Schema.Record(Schema.String, a.schema),
      json: () => JSON.parse(`{"${one(["a", "__proto__", "toString", "1"])}":${JSON.stringify(a.json())}}`)
    }),
    () => ({ schema: Schema.Record(Schema.NonEmptyString, a.schema), json: () => ({ [one(["a", ""])]: a.json() }) }),
    () => ({
      schema: Schema.StructWithRest(Schema.Struct({ a: a.schema }), [Schema.Record(Schema.String, b.schema)]),
      json: () => ({ a: a.json(), z: b.json() })
    }),
    () => ({
      schema: Schema.Struct({ a: a.schema, b: Schema.optional(b.schema), c: Schema.optionalKey(c.schema) }),
      json: () => ({
        ...(below(8) === 0 ? {} : { a: a.json() }),
        ...(below(2) === 0 ? {} : { b: b.json() }),
        ...(below(2) === 0 ? {} : { c: c.json() }),
        ...(below(8) === 0 ? { more: 1 } : {})
      })
    }),
    () => ({
      schema: Schema.Struct({ toString: Schema.optionalKey(a.schema), constructor: b.schema }),
      json: () => ({ constructor: b.json() })
    }),
    () => ({ schema: Schema.Struct({ a: Schema.mutableKey(a.schema) }), json: () => ({ a: a.json() }) }),
    () => ({ schema: Schema.NullOr(a.schema), json: () => one([null, a.json()]) }),
    () => ({ schema: Schema.UndefinedOr(a.schema), json: () => one([null, a.json()]) }),
    () => ({ schema: Schema.Union([a.schema, b.schema]), json: () => one([a, b]).json() }),
    () => ({
      schema: Schema.Union([a.schema, Schema.Union([b.schema, c.schema])]),
      json: () => one([a, b, c]).json()
    }),
    () => ({ schema: Schema.Union([a.schema, b.schema], { mode: "oneOf" }), json: () => one([a, b]).json() }),
    () => ({ schema: Schema.suspend(() => a.schema), json: a.json }),
    () => ({ schema: Schema.toType(a.schema), json: a.json }),
    () => ({ schema: Schema.toEncoded(a.schema), json: a.json })
  ])()
  // Those behind a `suspend` take no checks.
  return below(5) === 0 && made.schema.ast._tag !== "Suspend"
    ? { schema: made.schema.check(passing as never), json: made.json }
    : made
}

const decoded = (schema: Schema.Schema<unknown>, json: unknown) =>
  Schema.decodeUnknownExit(Schema.toCodecJson(schema) as unknown as Schema.Codec<unknown>)(json)

describe("asStored", () => {
  it("takes only what the decoder would return as it is, of any schema and any JSON", () => {
    const random = generator(7)
    let checks = 0
    let taken = 0
    let compound = 0
    for (let i = 0; i < rounds(5_000); i++) {
      const { json, schema } = anyCase(random, 1 + random.below(3))
      const check = asStored(schema)
      if (check === undefined) continue
      checks++
      for (let j = 0; j < 6; j++) {
        const value = random.below(10) === 0 ? anyCase(random, 1).json() : json()
        if (!check(value)) continue
        taken++
        if (typeof value === "object" && value !== null && Object.keys(value).length > 1) compound++
        const exit = decoded(schema, structuredClone(value))
        assert.isTrue(Exit.isSuccess(exit), `taken: ${JSON.stringify(value)}`)
        assert.deepStrictEqual(Exit.isSuccess(exit) && exit.value, value)
      }
    }
    assert.isAbove(checks, rounds(750))
    assert.isAbove(taken, rounds(1_250))
    assert.isAbove(compound, rounds(250))
  })

  it("runs each check once, at whatever level it stands", () => {
    let runs = 0
    const counting = Schema.makeFilter<unknown>(() => {
      runs++
      return true
    })
    let schema: Schema.Schema<unknown> = Schema.String.check(counting)
    for (let i = 0; i < 10; i++) schema = Schema.Struct({ a: schema }).check(counting as never)
    let value: unknown = "x"
    for (let i = 0; i < 10; i++) value = { a: value }
    assert.isTrue(asStored(schema)!(value))
    assert.strictEqual(runs, 11)
    assert.isFalse(asStored(Schema.Array(Schema.String).check(Schema.isMinLength(2)))!(["x"]))
  })

  it("knows the usual shapes, at any depth", () => {
    const check = asStored(
      Schema.Struct({
        id: Schema.String,
        age: Schema.optional(Schema.Int),
        role: Schema.Literals(["admin", "user"]),
        deleted: Schema.NullOr(Schema.Finite),
        tags: Schema.Array(Schema.Struct({ name: Schema.NonEmptyString })),
        counts: Schema.Record(Schema.String, Schema.Number)
      })
    )!
    const value = { id: "1", role: "user", deleted: null, tags: [{ name: "a" }], counts: { a: 1 } }
    assert.isTrue(check(value))
    assert.isTrue(check({ ...value, age: 3 }))
    for (const other of [
      { ...value, age: 0.5 },
      { ...value, age: null },
      { ...value, role: "root" },
      { ...value, more: 1 },
      { ...value, tags: [{ name: "" }] },
      { ...value, tags: [{ name: "a", more: 1 }] },
      { ...value, counts: { a: "1" } },
      { ...value, counts: [] },
      { ...value, id: undefined },
      [value],
      null,
      "x"
    ])
      assert.isFalse(check(other), JSON.stringify(other))
  })

  it("leaves to the decoder what is more than a check", () => {
    class User extends Schema.Class<User>("User")({ id: Schema.String }) {}
    const schemas: ReadonlyArray<Schema.Constraint> = [
      User,
      Schema.Struct({ user: User }),
      Schema.Struct({ at: Schema.Date }),
      Schema.Option(Schema.String),
      Schema.NumberFromString,
      Schema.Struct({ a: Schema.String }).pipe(Schema.encodeKeys({ a: "b" })),
      Schema.Any,
      Schema.Unknown,
      Schema.Undefined,
      Schema.Union([Schema.Struct({ a: Schema.String }), Schema.Struct({ a: Schema.String, b: Schema.String })]),
      Schema.Union([Schema.Number, Schema.String])
    ]
    for (const schema of schemas) assert.isUndefined(asStored(schema))
  })

  it("does not follow a schema that never ends", () => {
    interface Tree {
      readonly children: ReadonlyArray<Tree>
    }
    const Tree: Schema.Codec<Tree> = Schema.Struct({ children: Schema.Array(Schema.suspend(() => Tree)) })
    assert.isUndefined(asStored(Tree))
    let deep: Schema.Schema<unknown> = Schema.String
    for (let i = 0; i < 5_000; i++) deep = Schema.Array(deep)
    assert.isUndefined(asStored(deep))
  })
})
