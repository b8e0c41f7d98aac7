/**
 * The one place that builds `InvalidOption`, so that one mistake reads the same in every layer. The checks that go with it
 * are in `region/checks.ts`; this is on the ground because a schema is refused below that floor.
 */
import { Duration, Redacted } from "effect"
import { CacheError, InvalidOption } from "../CacheError.ts"

/** What is shown of a text, in characters, and of an array, in elements. */
const MAX_TEXT = 100
const MAX_ELEMENTS = 10

/** The error of an option that holds `value`. Of what must not be seen, say it in words: `invalidOptionAs`. */
export const invalidOption = (option: string, value: unknown, expected: string): CacheError =>
  invalidOptionAs(option, describe(value), expected)

/** The same, where the value is a secret, or says less than words do. */
export const invalidOptionAs = (option: string, actual: string, expected: string): CacheError =>
  new CacheError({ reason: new InvalidOption({ option, actual, expected }) })

/**
 * Any value in one short line. It never throws, and shows nothing of an object, nor of a text that may be a URL with a
 * password in it.
 */
export const describe = (value: unknown): string => {
  try {
    return Array.isArray(value) ? describeArray(value) : describeOne(value)
  } catch {
    return "an object"
  }
}

const describeArray = (array: ReadonlyArray<unknown>): string => {
  const shown = Array.from({ length: Math.min(array.length, MAX_ELEMENTS) }, (_, i) => describeOne(array[i]))
  return `[${shown.join(", ")}${array.length > MAX_ELEMENTS ? ", ..." : ""}]`
}

const describeOne = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return describeText(value)
    case "bigint":
      return BigInt.asIntN(64, value) === value ? `${value}n` : "a bigint of more than 64 bits"
    case "symbol":
      return "a symbol"
    case "function":
      return "a function"
    case "object":
      if (value === null) return "null"
      if (Redacted.isRedacted(value)) return "<redacted>"
      return Duration.isDuration(value) ? String(value) : Array.isArray(value) ? "an array" : "an object"
    default:
      return String(value)
  }
}

const describeText = (text: string): string => {
  if (text.includes("://") || text.includes("@")) return `<redacted, ${text.length} characters>`
  return text.length <= MAX_TEXT
    ? JSON.stringify(text)
    : `${JSON.stringify(text.slice(0, MAX_TEXT))}... (${text.length} characters)`
}
