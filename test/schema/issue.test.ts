/**
 * What is said of a value that a schema refuses: where, and what was expected; never anything of the value.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Cause, Redacted, Schema, SchemaGetter, SchemaIssue } from "effect"
import { codecOf } from "../../src/schema/codec.ts"
import { issueText } from "../../src/schema/issue.ts"

const secret = "hush"

const refusal = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
const encoding = (schema: Schema.Codec<never, unknown>, value: unknown) =>
  issueText(refusal(Effect.runSyncExit(codecOf(schema).encode(value as never))))
const decoding = (schema: Schema.Codec<unknown, unknown>, json: unknown) =>
  issueText(refusal(Effect.runSyncExit(codecOf(schema).decode(json))))

const User = Schema.Struct({
  name: Schema.String,
  mails: Schema.Array(Schema.Struct({ at: Schema.String })),
  by: Schema.Record(Schema.String, Schema.Number)
})
const user = { name: "Ann", mails: [], by: {} }

describe("an issue", () => {
  const cases: ReadonlyArray<readonly [name: string, schema: unknown, value: unknown, text: string]> = [
    ["of the value itself", Schema.String, 5, "Expected string"],
    ["of a property", User, { ...user, name: { secret } }, 'Expected string at ["name"]'],
    [
      "of a place in a list",
      User,
      { ...user, mails: [{ at: "" }, { at: 5 }] },
      'Expected string at ["mails"][1]["at"]'
    ],
    ["of a record, whose names are data", User, { ...user, by: { [secret]: secret } }, 'Expected number at ["by"][*]'],
    ["of a property that is not there", User, { mails: [], by: {} }, 'Missing key at ["name"]'],
    ["of a literal", Schema.Literals(["a", "b"]), secret, 'Expected "a" | "b"'],
    [
      "of a check, in the words of its schema",
      Schema.Number.check(Schema.isLessThan(3)),
      12345,
      "Expected a value less than 3"
    ],
    [
      "of a check that says why, in words that may be of the value",
      Schema.String.check(Schema.makeFilter((text) => `no ${text}`)),
      secret,
      "a check says no"
    ],
    [
      "of a check with a message of its own",
      Schema.String.check(Schema.makeFilter((text) => `no ${text}`, { message: "must be nice" })),
      secret,
      "must be nice"
    ],
    [
      "of what a transformation says",
      Schema.String.pipe(
        Schema.decodeTo(Schema.String, {
          decode: SchemaGetter.transform((text: string) => text),
          encode: SchemaGetter.transformEffect((text: string) =>
            Effect.fail(new SchemaIssue.InvalidValue({ message: `no ${text}` }, text))
          )
        })
      ),
      secret,
      "Expected a valid value"
    ],
    [
      "of a secret",
      Schema.Struct({ key: Schema.Redacted(Schema.Number) }),
      { key: Redacted.make(secret) },
      'Expected a valid value at ["key"][*]'
    ],
    [
      "of a secret that is not to be stored",
      Schema.Redacted(Schema.String, { disallowJsonEncode: true }),
      Redacted.make(secret),
      "Forbidden operation"
    ]
  ]
  it.each(cases)("%s", (_, schema, value, text) => {
    const said = encoding(schema as never, value)
    assert.strictEqual(said, text)
    assert.notInclude(said, secret)
  })

  it("of stored JSON says the same", () => {
    assert.strictEqual(decoding(User, { ...user, name: { secret } }), 'Expected string at ["name"]')
    assert.strictEqual(decoding(Schema.Date, secret), "Expected a valid Date")
  })

  it("does not report the input, also where the schema asks for it", () => {
    const schema = Schema.Struct({ a: Schema.Number }).annotate({ parseOptions: { reportInput: true, errors: "all" } })
    assert.notInclude(encoding(schema as never, { a: secret }), secret)
  })

  it("of many parts shows some, and of a long text its beginning, on one line", () => {
    const many = Schema.Struct(Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`p${i}`, Schema.Number])))
    const all = Schema.decodeUnknownExit(many, { errors: "all" })({})
    assert.strictEqual(
      issueText(refusal(all)),
      'Missing key at ["p0"]; Missing key at ["p1"]; Missing key at ["p2"]; and more'
    )
    const wordy = Schema.String.annotate({ message: `two\nlines ${"x".repeat(1_000)}` })
    const said = encoding(wordy as never, 5)!
    assert.isBelow(said.length, 310)
    assert.include(said, "two lines")
  })

  it("of a value nested without end is short", () => {
    interface List {
      readonly next: List | null
    }
    const List: Schema.Codec<List> = Schema.Struct({ next: Schema.NullOr(Schema.suspend(() => List)) })
    let value: unknown = secret
    for (let i = 0; i < 3_000; i++) value = { next: value }
    const said = encoding(List as never, value)
    if (said !== undefined) assert.isBelow(said.length, 1_000)
  })

  it("is none of anything else", () => {
    for (const other of [undefined, null, secret, new Error(secret), { _tag: "InvalidType" }]) {
      assert.isUndefined(issueText(other))
    }
  })
})
