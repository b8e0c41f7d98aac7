import { assert, describe, it } from "@effect/vitest"
import { Schema, SchemaGetter } from "effect"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { codecOf } from "../../src/schema/codec.ts"
import { fingerprint } from "../../src/schema/fingerprint.ts"
import { Tree, User } from "./types.ts"

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
