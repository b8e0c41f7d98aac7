import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Equal, Exit, Option, Schema, SchemaGetter } from "effect"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { CacheError } from "../../src/CacheError.ts"
import * as CacheEntry from "../../src/CacheEntry.ts"
import { codecOf, type EntryCodec } from "../../src/schema/codec.ts"
import { fingerprint } from "../../src/schema/fingerprint.ts"

const header = { born: 1, createdAt: 0, freshUntil: 0, loadMillis: 0, fingerprint: "", tags: [] }

/** Through the codec, the bytes of an entry, and back. */
const throughBytes = <A, R>(codec: EntryCodec<A, R>, value: A) =>
  codec.encode(value).pipe(
    Effect.map((json) => CacheEntry.decode(CacheEntry.encode(header, json, undefined), undefined)!.json),
    Effect.flatMap(codec.decode)
  )

class User extends Schema.Class<User>("User")({
  id: Schema.Int,
  at: Schema.Date,
  roles: Schema.ReadonlySet(Schema.String),
  big: Schema.BigInt,
  nick: Schema.optionalKey(Schema.String)
}) {
  get label() {
    return `u${this.id}`
  }
}
const user = new User({ id: 1, at: new Date(5), roles: new Set(["a"]), big: 10n })

interface Tree {
  readonly name: string
  readonly children: ReadonlyArray<Tree>
}
const Tree: Schema.Codec<Tree> = Schema.Struct({
  name: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

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

describe("fingerprint", () => {
  const differ = (...schemas: ReadonlyArray<Schema.Constraint>) => {
    const all = schemas.map(fingerprint)
    assert.strictEqual(new Set(all).size, all.length, all.join(" "))
  }
  const agree = (...schemas: ReadonlyArray<Schema.Constraint>) => {
    const all = schemas.map(fingerprint)
    assert.strictEqual(new Set(all).size, 1, all.join(" "))
  }

  it("is 12 characters, and the same on every call", () => {
    assert.match(fingerprint(User), /^[A-Za-z0-9_-]{12}$/)
    assert.strictEqual(fingerprint(User), fingerprint(User))
    assert.strictEqual(codecOf(User).fingerprint, fingerprint(User))
  })

  it("ignores the order of properties, checks, annotations and brands", () => {
    agree(
      Schema.Struct({ a: Schema.Int, b: Schema.String }),
      Schema.Struct({ b: Schema.NonEmptyString, a: Schema.Finite }),
      Schema.Struct({ b: Schema.String.pipe(Schema.brand("B")), a: Schema.Int }).annotate({ identifier: "AB" }),
      Schema.Struct({
        a: Schema.Int.annotate({ description: "a" }),
        b: Schema.String.check(Schema.makeFilter((s) => s !== "x"))
      })
    )
    // The same type used twice, and two equal types.
    const Name = Schema.Struct({ first: Schema.String })
    agree(
      Schema.Struct({ a: Name, b: Name }),
      Schema.Struct({ a: Name, b: Schema.Struct({ first: Schema.String }) }),
      Schema.Struct({ a: Name.annotate({ identifier: "Name" }), b: Name.annotate({ identifier: "Name" }) })
    )
  })

  it("tells types apart, also those that share a wire form", () => {
    differ(
      Schema.Struct({ at: Schema.Date }),
      Schema.Struct({ at: Schema.String }),
      Schema.Struct({ at: Schema.URL }),
      Schema.Struct({ at: Schema.Uint8Array }),
      Schema.Struct({ at: Schema.BigInt }),
      Schema.Struct({ at: Schema.Duration }),
      Schema.Struct({ at: Schema.optional(Schema.String) }),
      Schema.Struct({ at: Schema.optionalKey(Schema.String) }),
      Schema.Struct({ at: Schema.NullOr(Schema.String) }),
      Schema.Struct({ at: Schema.UndefinedOr(Schema.String) }),
      Schema.Struct({ AT: Schema.String }),
      Schema.Record(Schema.String, Schema.String),
      Schema.Array(Schema.String),
      Schema.ReadonlySet(Schema.String),
      Schema.Tuple([Schema.String]),
      Schema.Tuple([Schema.String, Schema.String]),
      Schema.TupleWithRest(Schema.Tuple([Schema.String]), [Schema.String]),
      Schema.Option(Schema.String),
      Schema.Literal("1"),
      Schema.Literal(1),
      Schema.Literals(["1", "2"]),
      Schema.Union([Schema.String, Schema.Int]),
      Schema.Union([Schema.String, Schema.Int], { mode: "oneOf" }),
      Schema.TemplateLiteral(["a", Schema.String]),
      Schema.TemplateLiteral(["b", Schema.String]),
      Schema.fromJsonString(Schema.Struct({ at: Schema.String })),
      Schema.FiniteFromString,
      Schema.Int,
      Schema.Number,
      Schema.Unknown,
      Schema.Any
    )
  })

  it("tells classes apart by fields and by name", () => {
    class A extends Schema.Class<A>("A")({ a: Schema.String }) {}
    class A2 extends Schema.Class<A2>("A")({ a: Schema.String }) {}
    class B extends Schema.Class<B>("B")({ a: Schema.String }) {}
    class C extends Schema.Class<C>("A")({ a: Schema.Date }) {}
    agree(A, A2)
    differ(A, B, C, Schema.Struct({ a: Schema.String }))
  })

  it("sees what a transformation leads from and to", () => {
    const csv = Schema.String.pipe(
      Schema.decodeTo(Schema.Array(Schema.String), {
        decode: SchemaGetter.transform((s: string) => s.split(",")),
        encode: SchemaGetter.transform((list: ReadonlyArray<string>) => list.join(","))
      })
    )
    const ssv = Schema.String.pipe(
      Schema.decodeTo(Schema.Array(Schema.String), {
        decode: SchemaGetter.transform((s: string) => s.split(";")),
        encode: SchemaGetter.transform((list: ReadonlyArray<string>) => list.join(";"))
      })
    )
    // What it does in between is a function, which has no name that two processes share.
    agree(csv, ssv)
    differ(csv, Schema.String, Schema.Array(Schema.String))
  })

  it("does not throw for what is recursive, opaque or endless", () => {
    interface Node {
      readonly next: Node | null
      readonly value: unknown
    }
    const list = <V extends Schema.Codec<unknown>>(value: V): Schema.Codec<Node> => {
      const Node: Schema.Codec<Node> = Schema.Struct({
        next: Schema.NullOr(Schema.suspend((): Schema.Codec<Node> => Node)),
        value: value as Schema.Codec<unknown>
      })
      return Node
    }
    agree(list(Schema.String), list(Schema.String))
    differ(list(Schema.String), list(Schema.Date), Tree)
    // Each call makes a new schema, so there is no end to follow.
    const endless = (): Schema.Codec<unknown> =>
      Schema.Struct({ next: Schema.suspend(endless) }) as unknown as Schema.Codec<unknown>
    assert.match(fingerprint(endless()), /^[\w-]{12}$/)
    assert.match(
      fingerprint(
        Schema.suspend((): Schema.Codec<unknown> => {
          throw new Error("no")
        })
      ),
      /^[\w-]{12}$/
    )
    assert.match(fingerprint(Schema.instanceOf(Map)), /^[\w-]{12}$/)
    assert.match(fingerprint(Schema.declare((u): u is string => typeof u === "string")), /^[\w-]{12}$/)
    assert.match(fingerprint(Schema.Struct({ [Symbol("s")]: Schema.String })), /^[\w-]{12}$/)
  })

  it("the order of properties does not matter between types that recurse through each other", () => {
    const make = (flip: boolean) => {
      const A: Schema.Codec<unknown> = Schema.Struct({ b: Schema.NullOr(Schema.suspend(() => B)) }) as never
      const B: Schema.Codec<unknown> = Schema.Struct({
        a: Schema.NullOr(Schema.suspend(() => A)),
        n: Schema.Int
      }) as never
      return flip ? Schema.Struct({ y: B, x: A }) : Schema.Struct({ x: A, y: B })
    }
    agree(make(false), make(true), make(false))
  })

  it("two processes agree", () => {
    const module = new URL("../../src/schema/fingerprint.ts", import.meta.url).href
    const script = `
      const { Schema } = await import("effect")
      const { fingerprint } = await import(${JSON.stringify(module)})
      Schema.Struct({ other: Schema.String })
      const Tree = Schema.Struct({ children: Schema.Array(Schema.suspend(() => Tree)), name: Schema.String })
      class User extends Schema.Class("User")({
        nick: Schema.optionalKey(Schema.String), big: Schema.BigInt, roles: Schema.ReadonlySet(Schema.String),
        at: Schema.Date, id: Schema.Int
      }) {}
      process.stdout.write([Tree, User].map(fingerprint).join(" "))
    `
    const out = execFileSync(process.execPath, ["--input-type=module", "--experimental-strip-types", "-e", script], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"]
    })
    assert.strictEqual(out, [Tree, User].map(fingerprint).join(" "))
  })

  it("golden: changing how fingerprints are made drops what every program has stored", () => {
    const known = ["phNDVMvZQbYo", "-YsnfBDSRU5n", "w1mcYwU8S2IK"]
    assert.deepStrictEqual([Schema.String, Tree, User].map(fingerprint), known)
  })
})
