/**
 * Strings that a careless key or pattern mixes up.
 */
import { assert } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { CacheError } from "../../src/CacheError.ts"

export const joined = (chars: ReadonlyArray<string>) =>
  Arbitrary.array(Arbitrary.schema(Schema.Literals([...chars] as [string, ...Array<string>])), { maxLength: 12 }).pipe(
    Arbitrary.map((parts) => parts.join(""))
  )

export const hostile = joined([
  "",
  "a",
  "b",
  "x",
  "7",
  "A",
  "u",
  "-",
  "_",
  ".",
  "~",
  ":",
  "/",
  "%",
  "%.",
  "%~",
  "%-",
  "%25",
  "%2",
  "%uD800",
  "{",
  "}",
  "{0}",
  "*",
  "?",
  "[",
  "]",
  "\\",
  "^",
  "!",
  "|",
  " ",
  "\n",
  "\0",
  "\x7f",
  "\u00a0",
  "\u2028",
  "é",
  "e\u0301",
  "日",
  "😀",
  "\ud83d",
  "\ude00",
  "\ufeff",
  "__proto__",
  "null"
])

export const utf8 = (text: string) => new TextEncoder().encode(text).length

/** All strings over an alphabet, up to a length. */
export const words = (alphabet: ReadonlyArray<string>, length: number): ReadonlyArray<string> => {
  let last = [""]
  const all = [""]
  for (let n = 0; n < length; n++) {
    last = last.flatMap((word) => alphabet.map((char) => word + char))
    all.push(...last)
  }
  return all
}

/** What a throwing call says: the reason's fields. */
export const invalid = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    assert.instanceOf(error, CacheError)
    const reason = (error as CacheError).reason
    assert.strictEqual(reason._tag, "InvalidKey")
    return reason as Extract<typeof reason, { readonly _tag: "InvalidKey" }>
  }
  return assert.fail("expected InvalidKey")
}
