/**
 * For most schemas of what is cached (structs of strings, numbers and lists) a JSON value either is the value already, or it is
 * none: there is nothing to turn it into. This says which, many times faster than a decoder that builds the value anew.
 *
 * A check that says yes is a promise that decoding would return an equal value. One that says no promises nothing: the decoder
 * has the last word, and the message. So whatever is unusual is a no: a property too many, a member of a union that could hide
 * another one, a number that JSON has no word for. A schema that transforms anything has no check.
 *
 * It reads what Effect says of a schema to itself, which may come to mean something else. So a few schemas are tried first
 * (`tryChecks`): if one check says yes where the decoder does not, every check says no.
 */
import { Option, Schema, SchemaAST } from "effect"

/** Takes what `JSON.parse` returned. Throws what a check of the schema throws. */
export type Check = (json: unknown) => boolean

/** The check of a schema, or `undefined` when its values are not stored as they are. Never throws. */
export const asStored = (schema: Schema.Constraint): Check | undefined => {
  const check = checkIn(schema)
  // Not before a value is there to be checked: that takes milliseconds, and memory stores values that need no check.
  return check && ((json) => (agrees ??= tryChecks()) && check(json))
}

const checkIn = (schema: Schema.Constraint): Check | undefined => {
  try {
    return checkOf(schema.ast, 0)
  } catch {
    return undefined
  }
}

/** Whether checks and decoders agree, in this Effect. */
let agrees: boolean | undefined

const tryChecks = (): boolean => {
  const { NonEmptyString, Number, String, Struct, Union } = Schema
  const values = ["", "x", "NaN", 1, 0.5, null, [], ["x"], ["x", 1], { "": 1 }, { b: 1 }, { b: "x" }, { b: null }]
  const all = [...values, ...values.map((value) => ({ a: "x", ...(value as object) }))]
  try {
    const a = Struct({ a: String })
    const ab = Struct({ a: String, b: Schema.optional(Number) })
    class Made extends Schema.Class<Made>("Made")(a) {}
    const schemas: ReadonlyArray<Schema.Constraint> = [
      ab,
      Made,
      Union([a, ab]),
      Union([Number, String]),
      Union([String, Schema.Undefined, Schema.Null]),
      Schema.Tuple([NonEmptyString, Schema.optionalKey(Number)]),
      Schema.Array(Schema.Int).check(Schema.isMinLength(1)),
      Schema.Record(NonEmptyString, Number),
      Schema.FiniteFromString,
      Schema.encodeKeys({ a: "b" })(a)
    ]
    return schemas.every((schema) => {
      const check = checkIn(schema)
      if (check === undefined) return true
      const decode = Schema.decodeUnknownOption(Schema.toCodecJson(schema) as unknown as Schema.Codec<unknown>)
      return all.every((value) => !check(value) || isSame(Option.getOrUndefined(decode(value)), value))
    })
  } catch {
    return false
  }
}

/** Whether what was made of JSON is that JSON, and of no class. */
const isSame = (made: unknown, json: unknown): boolean =>
  JSON.stringify(made) === JSON.stringify(json) && made?.constructor === json?.constructor

/** Deeper schemas are left to the decoder. */
const DEPTH_MAX = 32

const isString: Check = (json) => typeof json === "string"
const isBoolean: Check = (json) => typeof json === "boolean"
const isNull: Check = (json) => json === null
// `JSON.parse` gives an infinity for 1e999.
const isNumber: Check = (json) => typeof json === "number" && Number.isFinite(json)

const checkOf = (ast: SchemaAST.AST, depth: number): Check | undefined => {
  if (depth > DEPTH_MAX || ast.encoding !== undefined) return undefined
  if ("encodingChecks" in ast && ast.encodingChecks !== undefined) return undefined
  const shape = shapeOf(ast, depth + 1)
  const { checks } = ast
  if (shape === undefined || checks === undefined) return shape
  return (json) => shape(json) && passes(checks, json, ast)
}

const noOptions: SchemaAST.ParseOptions = {}

/** The checks of this node alone: those of its parts were made with the parts. */
const passes = (checks: SchemaAST.Checks, json: unknown, ast: SchemaAST.AST): boolean => {
  for (const check of checks) {
    const passed =
      check._tag === "FilterGroup" ? passes(check.checks, json, ast) : check.run(json, ast, noOptions) === undefined
    if (!passed) return false
  }
  return true
}

const shapeOf = (ast: SchemaAST.AST, depth: number): Check | undefined => {
  switch (ast._tag) {
    case "String":
      return isString
    case "Number":
      return isNumber
    case "Boolean":
      return isBoolean
    case "Null":
      return isNull
    case "Literal":
      return typeof ast.literal === "bigint" ? undefined : is(ast.literal)
    case "Arrays":
      return arrayOf(ast, depth)
    case "Objects":
      return ast.propertySignatures.length === 0 ? recordOf(ast, depth) : structOf(ast, depth)
    case "Union":
      return unionOf(ast, depth)
    default:
      return undefined
  }
}

const is =
  (literal: unknown): Check =>
  (json) =>
    json === literal

const arrayOf = (ast: SchemaAST.Arrays, depth: number): Check | undefined => {
  const elements = allOf(ast.elements, depth)
  const rest = allOf(ast.rest, depth)
  if (elements === undefined || rest === undefined || rest.length > 1) return undefined
  if (ast.elements.some(isOptional)) return undefined
  const each = rest[0]
  const least = elements.length
  return (json) => {
    if (!Array.isArray(json) || json.length < least || (each === undefined && json.length > least)) return false
    for (let i = 0; i < least; i++) if (!elements[i]!(json[i])) return false
    if (each === undefined) return true
    for (let i = least; i < json.length; i++) if (!each(json[i])) return false
    return true
  }
}

/** Every required property, and no other than those of the schema. */
const structOf = (ast: SchemaAST.Objects, depth: number): Check | undefined => {
  if (ast.indexSignatures.length > 0) return undefined
  const properties = ast.propertySignatures.map(({ name, type }) => ({
    name,
    optional: isOptional(type),
    check: checkOf(type, depth)
  }))
  // What every object has by inheritance is left to the decoder.
  if (
    properties.some(({ check, name }) => check === undefined || typeof name !== "string" || name in Object.prototype)
  ) {
    return undefined
  }
  const names = properties.map(({ name }) => name as string)
  const checks = properties.map(({ check }) => check!)
  const optional = properties.map((property) => property.optional)
  return (json) => {
    if (!isObject(json)) return false
    let left = 0
    for (const _ in json) left++
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!
      if (optional[i]! && !Object.hasOwn(json, name)) continue
      if (!checks[i]!(json[name])) return false
      left--
    }
    return left === 0
  }
}

const recordOf = (ast: SchemaAST.Objects, depth: number): Check | undefined => {
  const [signature, ...more] = ast.indexSignatures
  if (signature === undefined || more.length > 0) return undefined
  const { parameter, type } = signature
  if (parameter._tag !== "String" || parameter.checks !== undefined || parameter.encoding !== undefined)
    return undefined
  const check = checkOf(type, depth)
  if (check === undefined || isOptional(type)) return undefined
  return (json) => {
    if (!isObject(json)) return false
    for (const name in json) if (name === "__proto__" || !check(json[name])) return false
    return true
  }
}

const unionOf = (ast: SchemaAST.Union, depth: number): Check | undefined => {
  const members = membersOf(ast, depth)
  if (members === undefined) return undefined
  // In JSON, `undefined` is `null` or not there: no value of it is stored as it is, and a `null` may stand for it.
  const undefinable = members.some(SchemaAST.isUndefined)
  const types = members.filter((type) => !SchemaAST.isUndefined(type) && !(undefinable && SchemaAST.isNull(type)))
  // Of two members that are objects, the first one that fits takes what is meant for the second, and strips it.
  if (types.filter((type) => SchemaAST.isArrays(type) || SchemaAST.isObjects(type)).length > 1) return undefined
  // A number that JSON has no word for is a string there, and may take what is meant for a string.
  if (types.some(SchemaAST.isNumber) && types.some((type) => SchemaAST.isString(type) || SchemaAST.isLiteral(type))) {
    return undefined
  }
  const checks = allOf(types, depth)
  if (checks === undefined || checks.length === 0) return undefined
  return (json) => {
    for (let i = 0; i < checks.length; i++) if (checks[i]!(json)) return true
    return false
  }
}

/** With the members of unions in it, which are tried in the same order. */
const membersOf = (ast: SchemaAST.Union, depth: number): ReadonlyArray<SchemaAST.AST> | undefined => {
  if (depth > DEPTH_MAX || ast.options?.mode === "oneOf") return undefined
  const members: Array<SchemaAST.AST> = []
  for (const type of ast.types) {
    if (!SchemaAST.isUnion(type)) {
      members.push(type)
      continue
    }
    const inner =
      type.checks === undefined && type.encoding === undefined && type.encodingChecks === undefined
        ? membersOf(type, depth + 1)
        : undefined
    if (inner === undefined) return undefined
    members.push(...inner)
  }
  return members
}

const allOf = (types: ReadonlyArray<SchemaAST.AST>, depth: number): ReadonlyArray<Check> | undefined => {
  const checks = types.map((type) => checkOf(type, depth))
  return checks.every((check) => check !== undefined) ? (checks as ReadonlyArray<Check>) : undefined
}

const isOptional = (ast: SchemaAST.AST): boolean => ast.context?.isOptional === true

const isObject = (json: unknown): json is Record<string, unknown> =>
  typeof json === "object" && json !== null && !Array.isArray(json)
