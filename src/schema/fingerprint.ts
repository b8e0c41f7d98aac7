/**
 * A fingerprint of the shape of a schema, stored with each entry, so that a program whose schema has changed does not
 * read what its former self wrote.
 *
 * It covers the wire side and the type side: a `Date` and a `String` share a wire form. It does not cover checks, which
 * decoding enforces anyway, nor annotations, the order of properties, or whether a type is written behind a `suspend`.
 * Names of classes count, names of plain schemas do not. It holds nothing that differs between two processes: no object
 * identity, no source text of functions. Transformations are seen by what they lead from and to, not by what they do.
 */
import { Schema, SchemaAST, SchemaRepresentation } from "effect"
import { sha256 } from "@noble/hashes/sha2.js"

type Node = SchemaRepresentation.Representation

const encoder = new TextEncoder()
const memo = new WeakMap<SchemaAST.AST, string>()

/** 12 characters of base64url. Never throws; about 100 microseconds the first time, then a look-up. */
export const fingerprint = (schema: Schema.Constraint): string => {
  const known = memo.get(schema.ast)
  if (known !== undefined) return known
  const made = hash(describe(schema))
  memo.set(schema.ast, made)
  return made
}

const describe = (schema: Schema.Constraint): string => {
  const type = side(() => SchemaAST.toType(schema.ast))
  const wire = side(() => SchemaAST.toEncoded(Schema.toCodecJson(schema).ast))
  return JSON.stringify([wire, type])
}

// A schema that never ends (a `suspend` that makes a new schema each time it is asked) or has no JSON form leaves no
// description: it gets a fingerprint that all such schemas share.
const side = (ast: () => SchemaAST.AST): unknown => {
  try {
    return canonical(ast())
  } catch {
    return "?"
  }
}

const hash = (text: string): string => {
  const digest = sha256(encoder.encode(text))
  let out = ""
  for (let i = 0; i < 9; i += 3) {
    const bits = (digest[i]! << 16) | (digest[i + 1]! << 8) | digest[i + 2]!
    for (let shift = 18; shift >= 0; shift -= 6) out += alphabet[(bits >> shift) & 63]
  }
  return out
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/**
 * A JSON value for the encoded side of `ast`. Nodes met again on their own path are numbered in the order of the walk,
 * which visits properties by name: neither names nor the order of declaration show in the numbers.
 */
const canonical = (ast: SchemaAST.AST): unknown => {
  const document = SchemaRepresentation.toRepresentation(ast, {
    referencePolicy: ({ occurrences }) => (occurrences > 1 ? "r" : undefined)
  })
  const recursive = new Set<string>()
  const done = new Set<string>()
  const path = new Set<string>()
  const numbers = new Map<string, number>()

  const mark = (node: Node): void => {
    if (node._tag !== "Reference") {
      for (const child of children(node)) mark(child)
      return
    }
    if (path.has(node.$ref)) {
      recursive.add(node.$ref)
      return
    }
    if (done.has(node.$ref)) return
    path.add(node.$ref)
    mark(document.references[node.$ref]!)
    path.delete(node.$ref)
    done.add(node.$ref)
  }

  const emit = (node: Node): unknown => {
    if (node._tag === "Suspend") return emit(node.thunk)
    if (node._tag !== "Reference") return [node._tag, ...own(node), children(node).map(emit)]
    const target = document.references[node.$ref]!
    if (!recursive.has(node.$ref)) return emit(target)
    const number = numbers.get(node.$ref)
    if (number !== undefined) return `#${number}`
    numbers.set(node.$ref, numbers.size)
    return [`#${numbers.get(node.$ref)}`, emit(target)]
  }

  mark(document.representation)
  return emit(document.representation)
}

/** Whether some part of what `schema` is encoded to may be anything at all: `Schema.Any`. */
export const acceptsAnything = (schema: Schema.Constraint): boolean => {
  try {
    const document = SchemaRepresentation.toRepresentation(SchemaAST.toEncoded(schema.ast))
    // References are not followed: what they lead to is in the list.
    const found = (node: Node): boolean => node._tag === "Any" || children(node).some(found)
    return found(document.representation) || Object.values(document.references).some(found)
  } catch {
    return true
  }
}

const byName = (a: { readonly name: PropertyKey }, b: { readonly name: PropertyKey }) =>
  String(a.name) < String(b.name) ? -1 : String(a.name) > String(b.name) ? 1 : 0

// Always in the order of `own`.
const children = (node: Node): ReadonlyArray<Node> => {
  switch (node._tag) {
    case "Declaration":
      return node.typeParameters
    case "Suspend":
      return [node.thunk]
    case "String":
      return node.content?.schema === undefined ? [] : [node.content.schema]
    case "TemplateLiteral":
      return node.parts
    case "Arrays":
      return [...node.elements.map((element) => element.type), ...node.rest]
    case "Objects":
      return [
        ...[...node.propertySignatures].sort(byName).map((property) => property.type),
        ...node.indexSignatures.flatMap((index) => [index.parameter, index.type])
      ]
    case "Union":
      return node.types
    default:
      return []
  }
}

// What a node says besides its children.
const own = (node: Node): ReadonlyArray<unknown> => {
  switch (node._tag) {
    case "Declaration":
      return [node.representation?.id ?? nameOf(node.annotations), plain(node.representation?.payload)]
    case "String":
      return [node.content?.mediaType ?? null]
    case "Literal":
      return [typeof node.literal, String(node.literal)]
    case "UniqueSymbol":
      return [String(node.symbol)]
    case "Enum":
      return [node.enums.map(([name, value]) => [name, value])]
    case "Arrays":
      return [node.elements.map((element) => element.isOptional), node.rest.length]
    case "Objects":
      return [
        [...node.propertySignatures]
          .sort(byName)
          .map((property) => [typeof property.name, String(property.name), property.isOptional]),
        node.indexSignatures.length
      ]
    case "Union":
      return [node.options?.mode ?? "anyOf"]
    default:
      return []
  }
}

// A declaration without a representation is told from others by the name it was given.
const nameOf = (annotations: Schema.Annotations.Annotations | undefined): string | null => {
  for (const key of ["identifier", "title", "expected"]) {
    const value = annotations?.[key]
    if (typeof value === "string") return value
  }
  return null
}

const plain = (value: unknown): unknown => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof RegExp) return ["RegExp", String(value)]
  if (typeof value === "object") {
    return Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => [key, plain(entry)])
  }
  // Functions differ between builds of one program, so they only say that they are there.
  return typeof value === "function" ? ["function"] : [typeof value, String(value)]
}
