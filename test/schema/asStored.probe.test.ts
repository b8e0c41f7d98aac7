/**
 * Checks in an Effect whose `SchemaAST` has come to mean something else.
 */
import { assert, describe, it } from "@effect/vitest"
import type * as effect from "effect"
import { Exit } from "effect"
import { afterEach, vi } from "vitest"

const never = () => false

/** What would be taken for a value, and is none. */
const changes: Record<string, readonly [change: object, schema: (from: typeof effect) => unknown, json: unknown]> = {
  isNull: [{ isNull: never }, ({ Schema }) => Schema.Union([Schema.String, Schema.Undefined, Schema.Null]), null],
  isObjects: [
    { isObjects: never },
    ({ Schema }) =>
      Schema.Union([Schema.Struct({ a: Schema.String }), Schema.Struct({ a: Schema.String, b: Schema.String })]),
    { a: "x", b: "y" }
  ],
  isNumber: [{ isNumber: never }, ({ Schema }) => Schema.Union([Schema.Number, Schema.String]), "NaN"]
}

afterEach(() => {
  vi.doUnmock("effect")
  vi.resetModules()
})

describe("asStored, where a schema is described in another way", () => {
  for (const [what, [change, schemaOf, json]] of Object.entries(changes)) {
    it(`leaves all to the decoder: ${what}`, async () => {
      vi.resetModules()
      vi.doMock("effect", async (original) => {
        const all = await original<typeof effect>()
        return { ...all, SchemaAST: { ...all.SchemaAST, ...change } }
      })
      const mocked = await import("effect")
      const { asStored } = await import("../../src/schema/asStored.ts")
      const { codecOf } = await import("../../src/schema/codec.ts")
      const schema = schemaOf(mocked) as typeof effect.Schema.String
      // There is a check, and it has been stopped.
      assert.isDefined(asStored(schema))
      assert.isFalse(asStored(schema)!(json))
      assert.isFalse(asStored(mocked.Schema.String)!("x"))
      assert.isTrue(Exit.isSuccess(codecOf(mocked.Schema.String).decode("x") as Exit.Exit<string>))
      const exit = codecOf(schema).decode(json) as Exit.Exit<unknown>
      const decoded = mocked.Schema.decodeUnknownExit(mocked.Schema.toCodecJson(schema))(json)
      assert.deepStrictEqual(exit, decoded as Exit.Exit<unknown>)
    })
  }
})
