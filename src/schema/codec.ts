/**
 * How the values of a schema become JSON and back: made once for a schema, used for every value.
 */
import { Cause, Effect, Exit, Schema } from "effect"
import { invalidOption, invalidOptionAs } from "../internal/invalidOption.ts"
import { inOwnWords } from "../internal/ownWords.ts"
import { type Stamp, stamps } from "../internal/stamp.ts"
import { asStored } from "./asStored.ts"
import { acceptsAnything, fingerprint } from "./fingerprint.ts"

/**
 * A schema made ready to store values. What succeeds is already done (an `Exit`) when the schema is synchronous.
 *
 * A defect inside the schema (a transformation that throws, a stack overflow on a value nested too deep) is a failure
 * here: what a cache stores is not trusted, and reading it must cost a miss at worst.
 */
export interface EntryCodec<A, R = never> {
  readonly fingerprint: string
  /** Of its fingerprint. */
  readonly stamp: Stamp
  /**
   * The JSON of a value, or `undefined` for itself. Fails with the cause for an `EncodeFailed`, also when the value is
   * not of the schema's type.
   */
  readonly encode: (value: A) => Effect.Effect<unknown, unknown, R>
  /** The value of stored JSON, checked by the schema. Takes any JSON. */
  readonly decode: (json: unknown) => Effect.Effect<A, unknown, R>
  /** What a reader of stored bytes would get: `decode(encode(value))`, sharing nothing with `value`. */
  readonly clone: (value: A) => Effect.Effect<A, unknown, R>
}

// biome-ignore lint/suspicious/noExplicitAny: the schema that is the key says the types
const codecs = new WeakMap<object, EntryCodec<any, any>>()

/**
 * The codec of a schema, made on the first call. Throws `CacheError` (`InvalidOption`, option `schema`) for a schema
 * that has no JSON form, such as a struct with symbol keys.
 */
export const codecOf = <S extends Schema.Constraint>(
  schema: S
): EntryCodec<S["Type"], S["DecodingServices"] | S["EncodingServices"]> => {
  const known = codecs.get(schema)
  if (known !== undefined) return known
  const made = make(schema)
  codecs.set(schema, made)
  return made
}

const make = <S extends Schema.Constraint>(
  schema: S
): EntryCodec<S["Type"], S["DecodingServices"] | S["EncodingServices"]> => {
  if (!Schema.isSchema(schema)) throw invalidOption("schema", schema, "a schema, such as Schema.String")
  let json: Schema.toCodecJson<S>
  try {
    json = Schema.toCodecJson(schema)
  } catch (cause) {
    throw invalidOptionAs(
      "schema",
      `a schema without a JSON form (${cause instanceof Error ? cause.message : String(cause)})`,
      "a schema that Schema.toCodecJson accepts"
    )
  }
  const toJson = Schema.encodeUnknownEffect(json)
  // `Schema.Any` lets every value through, so what comes out is only JSON if somebody looks.
  const encodeValue = guarded<S["Type"], unknown, S["EncodingServices"]>(
    acceptsAnything(json) ? (value) => thenPure(toJson(value), copyJson) : toJson
  )
  const decodeAny = guarded<unknown, S["Type"], S["DecodingServices"]>(Schema.decodeUnknownEffect(json))
  const isValue = asStored(schema)
  const decodeJson: typeof decodeAny =
    isValue === undefined
      ? decodeAny
      : (stored) => {
          try {
            if (isValue(stored)) return Exit.succeed(stored)
          } catch {
            // A check of the schema threw, and will again where it becomes a failure.
          }
          return decodeAny(stored)
        }
  // JSON has one word for null and undefined. Where a value may be either, the entry says which (see `CacheEntry`);
  // deeper inside a value, it is as `Schema.toCodecJson` has it.
  const either = accepts(schema, undefined) && accepts(schema, null)
  const encode: typeof encodeValue = either
    ? (value) => (value === undefined ? undefinedValue : encodeValue(value))
    : encodeValue
  const decode: typeof decodeJson = either
    ? (stored) => (stored === undefined ? undefinedValue : decodeJson(stored))
    : decodeJson
  const copy = guarded((encoded: unknown) => Exit.succeed(copyJson(encoded)))
  const shape = fingerprint(schema)
  return {
    fingerprint: shape,
    stamp: stamps.of(shape),
    encode,
    decode,
    // Encoding and decoding hand parts of some values on as they are (those of `Schema.Unknown` and `Schema.Json`).
    clone: (value) => then(then(encode(value), copy), decode)
  }
}

const undefinedValue = Exit.succeed(undefined)

const accepts = (schema: Schema.Constraint, value: unknown): boolean => {
  try {
    return Schema.is(schema)(value)
  } catch {
    return false
  }
}

const then = <A, B, R1, R2>(
  first: Effect.Effect<A, unknown, R1>,
  second: (value: A) => Effect.Effect<B, unknown, R2>
): Effect.Effect<B, unknown, R1 | R2> => {
  if (!Exit.isExit(first)) return Effect.flatMap(first, second)
  const exit = first as Exit.Exit<A, unknown>
  return exit._tag === "Success" ? second(exit.value) : Exit.failCause(exit.cause)
}

const thenPure = <A, B, E, R>(first: Effect.Effect<A, E, R>, f: (value: A) => B): Effect.Effect<B, E, R> => {
  if (!Exit.isExit(first)) return Effect.map(first, f)
  const exit = first as Exit.Exit<A, E>
  return exit._tag === "Success" ? Exit.succeed(f(exit.value)) : Exit.failCause(exit.cause)
}

/**
 * A deep copy of a JSON value, as writing and reading it would give. Throws a `TypeError` for what JSON would change
 * without a word: functions, symbols, bigints, NaN, instances of classes. `undefined` stands for itself at the top, and
 * is left out of objects.
 */
const copyJson = (value: unknown): unknown => {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return value
    case "number":
      // JSON has no -0 either, and gives 0.
      if (Number.isFinite(value)) return value === 0 ? 0 : value
      throw noJson(String(value))
    case "object":
      if (value === null) return null
      return Array.isArray(value) ? Array.from(value, copyItem) : copyObject(value)
    default:
      throw noJson(`a ${typeof value}`)
  }
}

const noJson = (what: string): TypeError => inOwnWords(new TypeError(`${what} has no JSON form`))

const copyItem = (value: unknown): unknown => {
  if (value === undefined) throw noJson("undefined in an array")
  return copyJson(value)
}

const copyObject = (value: object): unknown => {
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype && Object.getPrototypeOf(prototype) !== null) {
    const name: unknown = prototype.constructor?.name
    throw noJson(`an instance of ${typeof name === "string" ? name : "a class"}`)
  }
  const out: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const item = copyJson((value as Record<string, unknown>)[key])
    if (item === undefined) continue
    // Assigning to `__proto__` would set the prototype; a key of that name is data.
    if (key === "__proto__") {
      Object.defineProperty(out, key, { value: item, configurable: true, enumerable: true, writable: true })
    } else out[key] = item
  }
  return out
}

const guarded =
  <I, A, R>(run: (input: I) => Effect.Effect<A, unknown, R>) =>
  (input: I): Effect.Effect<A, unknown, R> => {
    let result: Effect.Effect<A, unknown, R>
    try {
      result = run(input)
    } catch (error) {
      return Exit.fail(error)
    }
    if (!Exit.isExit(result)) return Effect.catchCause(result, toFailure)
    return result._tag === "Success" ? result : toFailure(result.cause)
  }

// Interruption stays what it is; everything else is one failure.
const toFailure = (cause: Cause.Cause<unknown>): Exit.Exit<never, unknown> =>
  Cause.hasInterrupts(cause) ? Exit.failCause(cause) : Exit.fail(Cause.squash(cause))
