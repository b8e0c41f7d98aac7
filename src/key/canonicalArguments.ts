/**
 * The arguments of a call as text, for `memoize`: equal for arguments that are structurally equal, different otherwise.
 *
 * Text rather than a hash, because two calls must never share a value by accident. Each form begins in its own way and
 * ends by itself (strings are quoted, the rest is bracketed), so the text can be read back in one way only.
 *
 * | arguments | text |
 * | --- | --- |
 * | strings, numbers, bigints | `"a"`, `1`, `-0`, `NaN`, `1n` |
 * | arrays, objects (keys in order) | `(1,2)`, `("a":1,"b":2)`, empty ones `()` and `(:)` |
 * | instances of a class | `@"User"("id":1)`: its name, Schema identifier, own enumerable properties |
 * | Map, Set | `Map("a":1)`, `Set(1,2)`, in the order of the text |
 * | Date, RegExp, URL, buffers | `Date(0)`, `RegExp("a","i",0)`, `URL("http://h/")`, `Uint8Array(00ff)` |
 * | Effect's data types | `Some(1)`, `None()`, `Success(1)`, `Duration(1000000)`, `Utc(0)`, `Chunk(1,2)` ... |
 *
 * Told apart: `1`, `"1"`, `1n` and `true`; `0` and `-0`; `null`, `undefined` and nothing, both as a property and as a last
 * argument (a function can see how many it was given). A class is known by its name only: two that share it, and hold the
 * same properties, share a key. Private fields and properties that do not enumerate are not seen.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import { BigDecimal, Chunk, DateTime, Duration, HashMap, HashSet, Option, Redacted, Result } from "effect"
import { CacheError } from "../CacheError.ts"
import { invalidKey, isPlain, partTable } from "./encoding.ts"

/** How deep arguments may nest. */
const maxDepth = 64

/** How large the text may get, about, in characters. */
const maxSize = 16_777_216

/** What an object counts besides its text, which bounds the time that many small ones take. */
const objectSize = 16

interface Walk {
  readonly name: string
  /** The text of the objects read so far; `undefined` for those that are being read. */
  readonly seen: Map<object, string | undefined>
  /** Where we are: an index or a property for each step. */
  readonly path: Array<string | number>
  size: number
}

const fail = (walk: Walk, problem: string): never => {
  const path = walk.path.map((step) => String(step).slice(0, 60)).join(".")
  throw invalidKey(walk.name, problem, path.length > 300 ? `${path.slice(0, 300)}...` : path)
}

const grow = (walk: Walk, by: number): void => {
  walk.size += by
  if (walk.size > maxSize) fail(walk, `the arguments are larger than ${maxSize} characters`)
}

const quote = (text: string): string => (isPlain(text, partTable) ? `"${text}"` : JSON.stringify(text))

/** A value that is no object; `undefined` when it cannot stand in a key. */
const primitive = (value: unknown): string | undefined => {
  switch (typeof value) {
    case "string":
      return quote(value)
    case "number":
      return Object.is(value, -0) ? "-0" : String(value)
    case "bigint":
      return `${value}n`
    case "boolean":
    case "undefined":
      return String(value)
    default:
      return value === null ? "null" : undefined
  }
}

const at = (walk: Walk, step: string | number, value: unknown): string => {
  walk.path.push(step)
  const text = write(walk, value)
  walk.path.pop()
  return text
}

const write = (walk: Walk, value: unknown): string => {
  if (typeof value === "string") grow(walk, value.length)
  const text = primitive(value)
  if (text !== undefined) {
    grow(walk, text.length)
    return text
  }
  if (typeof value !== "object" || value === null) return fail(walk, `a ${typeof value} cannot stand in a key`)
  if (walk.seen.has(value)) {
    // Parts that are shared are read once, or a few objects could stand for billions.
    const known = walk.seen.get(value) ?? fail(walk, "the value holds itself")
    grow(walk, known.length)
    return known
  }
  if (walk.path.length > maxDepth) return fail(walk, `the value is nested deeper than ${maxDepth}`)
  walk.seen.set(value, undefined)
  grow(walk, objectSize)
  const written = writeObject(walk, value)
  walk.seen.set(value, written)
  return written
}

const writeObject = (walk: Walk, value: object): string => {
  const prototype: object | null = Object.getPrototypeOf(value)
  // Plain data first, so that a property cannot make it pass for something else.
  if (prototype === Object.prototype || prototype === null) return properties(walk, value, Object.keys(value))
  if (Array.isArray(value)) return named(walk, prototype, Array.prototype) + elements(walk, value)
  return writeBuiltIn(walk, value, prototype) ?? writeData(walk, value) ?? writeInstance(walk, value, prototype)
}

const properties = (walk: Walk, value: object, keys: Array<string>): string => {
  noSymbols(walk, value)
  if (keys.length === 0) return "(:)"
  const source = value as Readonly<Record<string, unknown>>
  const pairs = keys.sort().map((key) => {
    grow(walk, key.length + 4)
    return `${quote(key)}:${at(walk, key, source[key])}`
  })
  return `(${pairs.join()})`
}

const noSymbols = (walk: Walk, value: object): void => {
  for (const symbol of Object.getOwnPropertySymbols(value)) {
    if (Object.prototype.propertyIsEnumerable.call(value, symbol))
      fail(walk, "a property named by a symbol cannot stand in a key")
  }
}

const elements = (walk: Walk, value: ReadonlyArray<unknown>): string => {
  const keys = Object.keys(value)
  const length = value.length
  noSymbols(walk, value)
  // Indices come first and ascend. With the last one in the last place, there is one for each place.
  if (keys.length === length && (length === 0 || keys[length - 1] === String(length - 1))) {
    return `(${value.map((element, i) => at(walk, i, element)).join()})`
  }
  if (keys.some((key) => !/^\d+$/.test(key)))
    return fail(walk, "an array with properties of its own cannot stand in a key")
  // By what is there rather than by length, which may be anything.
  return `sparse(${length},${keys.map((key) => `${key}:${at(walk, key, value[Number(key)])}`).join()})`
}

/** The name in front, when a value is of a subclass rather than of the class itself. */
const named = (walk: Walk, prototype: object, expected: object): string =>
  prototype === expected ? "" : className(walk, prototype)

const className = (walk: Walk, prototype: object): string => {
  const constructor: unknown = Object.hasOwn(prototype, "constructor") ? prototype.constructor : undefined
  if (typeof constructor !== "function" || constructor.prototype !== prototype) {
    return fail(walk, "an object that is neither plain nor an instance of a class cannot stand in a key")
  }
  const name: unknown = constructor.name
  if (typeof name !== "string" || name === "")
    return fail(walk, "an instance of a class without a name cannot stand in a key")
  // Survives a minifier, which gives many classes one name.
  const identifier = identifierOf(constructor)
  return `@${quote(name)}${identifier === undefined || identifier === name ? "" : quote(identifier)}`
}

/** The identifier of a Schema class. */
const identifierOf = (constructor: Function): string | undefined => {
  const identifier: unknown = (constructor as { readonly identifier?: unknown }).identifier
  return typeof identifier === "string" ? identifier : undefined
}

const opaque: ReadonlyArray<Function> = [Number, String, Boolean, BigInt, Symbol, Promise, WeakMap, WeakSet, WeakRef]
const typedArrayTag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!
  .get!

const writeBuiltIn = (walk: Walk, value: object, prototype: object): string | undefined => {
  if (ArrayBuffer.isView(value)) {
    // The kind comes from the engine, so that a `Buffer` is the `Uint8Array` it is.
    const kind = (typedArrayTag.call(value) as string | undefined) ?? "DataView"
    return `${kind}(${hex(walk, new Uint8Array(value.buffer, value.byteOffset, value.byteLength))})`
  }
  if (value instanceof ArrayBuffer)
    return bare(walk, value, prototype, ArrayBuffer, `(${hex(walk, new Uint8Array(value))})`)
  if (value instanceof Date) return bare(walk, value, prototype, Date, `(${Date.prototype.getTime.call(value)})`)
  if (value instanceof RegExp) {
    return bare(walk, value, prototype, RegExp, `(${quote(value.source)},${quote(value.flags)},${value.lastIndex})`)
  }
  if (typeof URL === "function" && value instanceof URL)
    return bare(walk, value, prototype, URL, `(${quote(value.href)})`)
  if (value instanceof Map)
    return bare(walk, value, prototype, Map, pairs(walk, Array.from(Map.prototype.entries.call(value))))
  if (value instanceof Set)
    return bare(walk, value, prototype, Set, members(walk, Array.from(Set.prototype.values.call(value))))
  for (const type of opaque) {
    if (value instanceof type) return fail(walk, `a ${type.name} object cannot stand in a key`)
  }
  return undefined
}

/** A built-in value, which is all it seems: properties that were put on it would be lost. */
const bare = (walk: Walk, value: object, prototype: object, type: Function, text: string): string => {
  noSymbols(walk, value)
  if (Object.keys(value).length > 0)
    return fail(walk, `a ${type.name} with properties of its own cannot stand in a key`)
  return named(walk, prototype, type.prototype as object) + type.name + text
}

const hex = (walk: Walk, bytes: Uint8Array): string => {
  grow(walk, bytes.length * 2)
  return bytesToHex(bytes)
}

const pairs = (walk: Walk, entries: ReadonlyArray<readonly [unknown, unknown]>): string =>
  `(${entries
    .map(([key, value], i) => `${at(walk, `key${i}`, key)}:${at(walk, `value${i}`, value)}`)
    .sort()
    .join()})`

const members = (walk: Walk, values: ReadonlyArray<unknown>): string =>
  `(${values
    .map((value, i) => at(walk, i, value))
    .sort()
    .join()})`

/** The data types of Effect, whose properties are not what they mean. */
const writeData = (walk: Walk, value: object): string | undefined => {
  if (Option.isOption(value)) return Option.isSome(value) ? `Some(${at(walk, "value", value.value)})` : "None()"
  if (Result.isResult(value)) {
    return Result.isSuccess(value)
      ? `Success(${at(walk, "success", value.success)})`
      : `Failure(${at(walk, "failure", value.failure)})`
  }
  if (Duration.isDuration(value)) {
    return `Duration(${Duration.isFinite(value) ? Duration.toNanosUnsafe(value) : Duration.toMillis(value)})`
  }
  if (DateTime.isDateTime(value)) {
    const millis = DateTime.toEpochMillis(value)
    return DateTime.isZoned(value) ? `Zoned(${millis},${quote(DateTime.zoneToString(value.zone))})` : `Utc(${millis})`
  }
  if (BigDecimal.isBigDecimal(value)) {
    const normal = BigDecimal.normalize(value)
    return `BigDecimal(${normal.value},${normal.scale})`
  }
  if (Chunk.isChunk(value))
    return `Chunk(${Chunk.toReadonlyArray(value)
      .map((element, i) => at(walk, i, element))
      .join()})`
  if (HashMap.isHashMap(value)) return `HashMap${pairs(walk, HashMap.toEntries(value))}`
  if (HashSet.isHashSet(value)) return `HashSet${members(walk, Array.from(value))}`
  if (Redacted.isRedacted(value)) return fail(walk, "a Redacted value cannot stand in a key: keys are not secret")
  return undefined
}

/** What errors hold in properties that do not enumerate: all of them, `AggregateError` and `SuppressedError`. */
const hiddenOfErrors = ["message", "cause", "errors", "error", "suppressed"] as const

const writeInstance = (walk: Walk, value: object, prototype: object): string => {
  const name = className(walk, prototype)
  const keys = Object.keys(value)
  if (value instanceof Error) {
    for (const key of hiddenOfErrors) {
      if (Object.hasOwn(value, key) && !keys.includes(key)) keys.push(key)
    }
  }
  // Its state, if it has one, is hidden from us; a Schema class without fields has none.
  if (keys.length === 0 && identifierOf(prototype.constructor) === undefined) {
    return fail(walk, "an object that shows no property cannot be told from others of its class")
  }
  return name + properties(walk, value, keys)
}

/**
 * The arguments as text. Throws `CacheError` (`InvalidKey`), with the path to the value as `placeholder` (`0.user.id`),
 * for functions, symbols, cycles, secrets and objects whose state cannot be seen, for nesting deeper than `maxDepth`, and
 * for arguments larger than `maxSize`. `name` is what the error calls the call.
 */
export const canonicalArguments = (args: ReadonlyArray<unknown>, name = "arguments"): string => {
  if (args.length === 0) return "()"
  if (args.length === 1) {
    const text = primitive(args[0])
    if (text !== undefined) return `(${text})`
  }
  const walk: Walk = { name, seen: new Map(), path: [], size: 0 }
  let text = ""
  try {
    for (let i = 0; i < args.length; i++) text += (i === 0 ? "" : ",") + at(walk, i, args[i])
  } catch (error) {
    if (error instanceof CacheError) throw error
    // A getter or a proxy that throws, a detached buffer.
    fail(walk, "the value cannot be read")
  }
  return `(${text})`
}
