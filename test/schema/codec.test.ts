import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Equal, Exit, Option, Schema, SchemaGetter } from "effect"
import { CacheError } from "../../src/CacheError.ts"
import * as CacheEntry from "../../src/CacheEntry.ts"
import { codecOf, type EntryCodec } from "../../src/schema/codec.ts"
import { Tree, User, user } from "./types.ts"

const header = { born: 1, createdAt: 0, freshUntil: 0, loadMillis: 0, fingerprint: "", tags: [] }

/** Through the codec, the bytes of an entry, and back. */
const throughBytes = <A, R>(codec: EntryCodec<A, R>, value: A) =>
  codec.encode(value).pipe(
    Effect.map((json) => CacheEntry.decode(CacheEntry.encode(header, json, undefined), undefined)!.json),
    Effect.flatMap(codec.decode)
  )

describe("codecOf", () => {
  it("is made once for a schema", () => {
    assert.strictEqual(codecOf(User), codecOf(User))
    assert.notStrictEqual<unknown>(codecOf(Schema.String), codecOf(Schema.Number))
  })

  it.effect("classes, Dates, Sets, bigints and recursive values come back", () =>
    Effect.gen(function*() {
      const back = yield* throughBytes(codecOf(User), user)
      assert.isTrue(Equal.equals(back, user))
      assert.strictEqual(back.label, "u1")
      const tree: Tree = { name: "a", children: [{ name: "b", children: [] }] }
      assert.deepStrictEqual(yield* throughBytes(codecOf(Tree), tree), tree)
    })
  )

  it.effect("undefined, null and None are values", () =>
    Effect.gen(function*() {
      assert.isUndefined(yield* throughBytes(codecOf(Schema.Undefined), undefined))
      assert.isUndefined(yield* throughBytes(codecOf(Schema.Void), undefined))
      assert.isUndefined(yield* throughBytes(codecOf(Schema.UndefinedOr(Schema.String)), undefined))
      assert.isUndefined(yield* throughBytes(codecOf(Schema.Any), undefined))
      assert.isNull(yield* throughBytes(codecOf(Schema.Null), null))
      for (const value of [undefined, null, "x"]) {
        for (const schema of [Schema.NullishOr(Schema.String), Schema.Unknown, Schema.Any]) {
          const codec = codecOf(schema as Schema.Codec<unknown>)
          assert.strictEqual(yield* throughBytes(codec, value), value)
          assert.strictEqual(yield* codec.clone(value), value)
        }
      }
      // An entry that says undefined is nothing to a schema that has no undefined.
      assert.isTrue(Exit.isFailure(yield* Effect.exit(codecOf(Schema.NullOr(Schema.String)).decode(undefined))))
      assert.isNull(yield* throughBytes(codecOf(Schema.NullOr(Schema.String)), null))
      const option = codecOf(Schema.Option(Schema.UndefinedOr(Schema.String)))
      for (const value of [Option.none(), Option.some(undefined), Option.some("x")]) {
        assert.isTrue(Equal.equals(yield* throughBytes(option, value), value))
      }
      const optional = codecOf(Schema.Struct({ a: Schema.optional(Schema.String) }))
      assert.deepStrictEqual(yield* throughBytes(optional, { a: undefined }), { a: undefined })
      assert.deepStrictEqual(yield* throughBytes(optional, {}), {})
      const numbers = codecOf(Schema.Array(Schema.Number))
      assert.deepStrictEqual(yield* throughBytes(numbers, [NaN, Infinity, -Infinity]), [NaN, Infinity, -Infinity])
    })
  )

  it("is done at once when the schema is synchronous", () => {
    const codec = codecOf(User)
    const encoded = codec.encode(user)
    assert.isTrue(Exit.isExit(encoded))
    assert.isTrue(Exit.isExit(codec.decode(Effect.runSync(encoded as Effect.Effect<unknown, unknown>))))
    assert.isTrue(Exit.isExit(codec.clone(user)))
  })

  it.effect("takes services, and transformations that wait", () =>
    Effect.gen(function*() {
      class Offset extends Context.Service<Offset, { readonly by: number }>()("test/Offset") {}
      const Shifted = Schema.Number.pipe(
        Schema.decodeTo(Schema.Number, {
          decode: SchemaGetter.transformEffect((n: number) => Effect.map(Offset, (offset) => n + offset.by)),
          encode: SchemaGetter.transformEffect((n: number) =>
            Effect.andThen(
              Effect.yieldNow,
              Effect.map(Offset, (offset) => n - offset.by)
            )
          )
        })
      )
      const codec = codecOf(Shifted)
      const run = <A>(effect: Effect.Effect<A, unknown, Offset>) =>
        Effect.provideService(effect, Offset, Offset.of({ by: 2 }))
      assert.strictEqual(yield* run(codec.encode(5)), 3)
      assert.strictEqual(yield* run(codec.decode(3)), 5)
      assert.strictEqual(yield* run(codec.clone(5)), 5)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(run(codec.encode("x" as never)))))
    })
  )

  it.effect("a value that is not of the schema's type does not encode", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [Schema.Constraint, unknown]> = [
        [Schema.String, 5],
        [Schema.Struct({ a: Schema.Int }), { a: 1.5 }],
        [User, { id: 1 }],
        [Schema.Date, new Date(NaN)],
        [Schema.Unknown, { at: new Date(0) }],
        [Schema.instanceOf(Map), new Map()],
        [Schema.Symbol, Symbol("local")],
        [Schema.Any, () => 1],
        [Schema.Any, { n: NaN }],
        [Schema.Any, { at: new Date(0) }],
        [Schema.Struct({ inside: Schema.Any }), { inside: new Map() }],
        [Schema.Any, [1n]]
      ]
      for (const [schema, value] of cases) {
        const exit = yield* Effect.exit(codecOf(schema).encode(value) as Effect.Effect<unknown, unknown>)
        const failed = Exit.isFailure(exit) && exit.cause.reasons.every((reason) => reason._tag === "Fail")
        assert.isTrue(failed, String(value))
      }
    })
  )

  it.effect("stored JSON of another shape, or nested without end, is a failure and no defect", () =>
    Effect.gen(function*() {
      const deep = JSON.parse(`{"name":"","children":[`.repeat(50_000) + "]}".repeat(50_000))
      const throws = Schema.String.pipe(
        Schema.decodeTo(Schema.String, {
          decode: SchemaGetter.transform((): string => {
            throw new Error("bug in a transformation")
          }),
          encode: SchemaGetter.transform((s: string) => s)
        })
      )
      const waits = Schema.String.pipe(
        Schema.decodeTo(Schema.String, {
          decode: SchemaGetter.transformEffect(() => Effect.andThen(Effect.yieldNow, Effect.die("bug after a wait"))),
          encode: SchemaGetter.transform((s: string) => s)
        })
      )
      const cases: ReadonlyArray<readonly [Schema.Constraint, unknown]> = [
        [User, { id: 1 }],
        [User, null],
        [Schema.BigInt, "x"],
        [Tree, deep],
        [throws, "x"],
        [waits, "x"],
        [Schema.String.check(Schema.makeFilter((pattern) => new RegExp(pattern) instanceof RegExp)), "("]
      ]
      for (const [schema, json] of cases) {
        const exit = yield* Effect.exit(codecOf(schema).decode(json) as Effect.Effect<unknown, unknown>)
        assert.isTrue(Exit.isFailure(exit) && exit.cause.reasons.every((reason) => reason._tag === "Fail"))
      }
    })
  )

  it.effect("keys named __proto__ stay data", () =>
    Effect.gen(function*() {
      const value = JSON.parse(`{"__proto__":"x","a":"y"}`)
      const codec = codecOf(Schema.Record(Schema.String, Schema.String))
      for (const back of [yield* throughBytes(codec, value), yield* codec.clone(value)]) {
        assert.isTrue(Object.hasOwn(back, "__proto__"))
        assert.strictEqual(Object.getPrototypeOf(back), Object.prototype)
      }
      const unknown = yield* codecOf(Schema.Unknown).clone(JSON.parse(`{"__proto__":{"polluted":1}}`))
      assert.strictEqual(JSON.stringify(unknown), `{"__proto__":{"polluted":1}}`)
      assert.isUndefined(({} as { polluted?: unknown }).polluted)
    })
  )

  it.effect("a clone shares nothing", () =>
    Effect.gen(function*() {
      const inner = { list: [1, { deep: true }] }
      for (const schema of [Schema.Unknown, Schema.Json, Schema.Any]) {
        const back = (yield* codecOf(schema as Schema.Codec<unknown>).clone(inner)) as typeof inner
        assert.deepStrictEqual(back, inner)
        assert.notStrictEqual(back, inner)
        assert.notStrictEqual(back.list, inner.list)
        assert.notStrictEqual(back.list[1], inner.list[1])
      }
      const nested = yield* codecOf(Schema.Struct({ inner: Schema.Unknown })).clone({ inner })
      assert.notStrictEqual(nested.inner, inner)
      const copied = yield* codecOf(User).clone(user)
      assert.isTrue(Equal.equals(copied, user))
      assert.notStrictEqual(copied.at, user.at)
      assert.notStrictEqual(copied.roles, user.roles)
    })
  )

  it("a schema without a JSON form is an InvalidOption", () => {
    const schema = Schema.Struct({ [Symbol("s")]: Schema.String })
    try {
      codecOf(schema)
      assert.fail("expected a throw")
    } catch (error) {
      assert.isTrue(error instanceof CacheError)
      const reason = (error as CacheError).reason
      assert.isTrue(reason._tag === "InvalidOption" && reason.option === "schema")
      assert.include((error as CacheError).message, "property names must be strings")
    }
  })

  const Rich = Schema.Struct({
    when: Schema.Date,
    option: Schema.Option(Schema.Int),
    map: Schema.ReadonlyMap(Schema.String, Schema.BigInt),
    maybe: Schema.UndefinedOr(Schema.String),
    json: Schema.Json,
    bytes: Schema.Uint8Array
  })
  it.effect.prop(
    "any value of a rich schema comes back equal",
    [Rich],
    ([value]) =>
      Effect.gen(function*() {
        const codec = codecOf(Rich)
        const same = Schema.toEquivalence(Rich)
        // -0 is the one number that JSON has no text for.
        const plain = { ...value, json: JSON.parse(JSON.stringify(value.json)) }
        assert.isTrue(same(yield* throughBytes(codec, plain), plain))
        assert.isTrue(same(yield* codec.clone(plain), plain))
      }),
    { arbitrary: { runs: 200, seed: 4 } }
  )
})
