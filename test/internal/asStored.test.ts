/**
 * A JSON value that is taken as it is must be what the decoder would have made of it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Exit, Schema } from "effect"
import { asStored } from "../../src/internal/asStored.ts"

const generator = (seed: number) => {
  let state = seed
  const next = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
  return {
    below: (n: number) => Math.floor(next() * n),
    one: <A>(all: ReadonlyArray<A>): A => all[Math.floor(next() * all.length)]!
  }
}
type Random = ReturnType<typeof generator>

const names = ["a", "b", "toString", "constructor", "__proto__", "0"]

const anySchema = ({ below, one }: Random, depth: number): Schema.Schema<unknown> => {
  const random = { below, one }
  const inner = () => anySchema(random, depth - 1)
  const leaf = () =>
    one<() => Schema.Schema<unknown>>([
      () => Schema.String,
      () => Schema.Number,
      () => Schema.Finite,
      () => Schema.Int,
      () => Schema.Boolean,
      () => Schema.Null,
      () => Schema.Undefined,
      () => Schema.NonEmptyString,
      () => Schema.Literal("x"),
      () => Schema.Literals(["x", "NaN", 1]),
      () => Schema.String.pipe(Schema.brand("Id")),
      () => Schema.Unknown,
      () => Schema.Date,
      () => Schema.NumberFromString
    ])()
  if (depth === 0) return leaf()
  return one<() => Schema.Schema<unknown>>([
    leaf,
    () => Schema.Array(inner()),
    () => Schema.NonEmptyArray(inner()),
    () => Schema.Tuple([inner(), inner()]),
    () => Schema.Record(Schema.String, inner()),
    () => Schema.NullOr(inner()),
    () => Schema.UndefinedOr(inner()),
    () => Schema.Union([inner(), inner()]),
    () => Schema.Union([inner(), inner(), inner()]),
    () => {
      const fields: Record<string, Schema.Schema<unknown>> = {}
      for (let i = below(4); i > 0; i--) {
        const field = one([(schema: Schema.Schema<unknown>) => schema, Schema.optional, Schema.optionalKey])(inner())
        Object.defineProperty(fields, one(names), { value: field, enumerable: true, configurable: true })
      }
      return Schema.Struct(fields)
    }
  ])()
}

const anyJson = ({ below, one }: Random, depth: number): string => {
  const random = { below, one }
  const leaf = () => one(['"x"', '""', '"NaN"', '"1"', '"2020-01-01"', "1", "0.5", "-0", "1e999", "true", "null"])
  if (depth === 0) return leaf()
  return one([
    leaf,
    () => `[${Array.from({ length: below(4) }, () => anyJson(random, depth - 1)).join()}]`,
    () => `{${Array.from({ length: below(4) }, () => `"${one(names)}":${anyJson(random, depth - 1)}`).join()}}`
  ])()
}

const decoded = (schema: Schema.Schema<unknown>, json: unknown) =>
  Schema.decodeUnknownExit(Schema.toCodecJson(schema) as unknown as Schema.Codec<unknown>)(json)

describe("asStored", () => {
  it("takes only what the decoder would return as it is, of any schema and any JSON", () => {
    const random = generator(7)
    let checks = 0
    let taken = 0
    for (let i = 0; i < 20_000; i++) {
      const schema = anySchema(random, 1 + random.below(2))
      const check = asStored(schema)
      if (check === undefined) continue
      checks++
      for (let j = 0; j < 10; j++) {
        const text = anyJson(random, random.below(4))
        if (!check(JSON.parse(text))) continue
        taken++
        const exit = decoded(schema, JSON.parse(text))
        assert.isTrue(Exit.isSuccess(exit), `${text} was taken; ${JSON.stringify(Schema.toRepresentation(schema))}`)
        assert.deepStrictEqual(Exit.isSuccess(exit) && exit.value, JSON.parse(text))
      }
    }
    assert.isAbove(checks, 5_000)
    assert.isAbove(taken, 5_000)
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
