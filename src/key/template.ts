/**
 * Templates of keys: their parser, and the functions that fill them in.
 *
 * **Why two lists of parts never give one key.** A key is read from left to right as a run of tokens: an escape, which
 * is `%` and what its next character announces, or else one character. That reading is unique: a template holds no `%`,
 * and a part holds it only in escapes. A part gives characters of a fixed set, without the `reserved` ones, and escapes
 * of characters; an optional part that is absent gives `%-` alone, which is no character's escape. Between two placeholders stands text with at least one character that no part gives as a token: one
 * outside the set, or a reserved one; or, when there is no text, the divider `%.`, which is no character's escape. So the
 * first such token after a part tells where that part and the text after it meet, and then the next part begins. Within a
 * part each token stands for one character.
 */
import {
  absentPart,
  encodePart,
  invalidKey,
  isLong,
  isPlain,
  isReadable,
  partTableWithout,
  type PlainTable,
  shorten
} from "./encoding.ts"

/** Stands where no text parts two placeholders, and for the one key that would be empty. */
const divider = "%."

export interface Template {
  readonly source: string
  /** The placeholders as they occur, repeated ones too. */
  readonly names: ReadonlyArray<string>
  /** Those of them that may be absent. */
  readonly optional: ReadonlySet<string>
  readonly positional: boolean
  /** The text around the placeholders: one more than those. */
  readonly texts: ReadonlyArray<string>
  readonly table: PlainTable
  readonly reserved: ReadonlyArray<string>
}

const placeholder = /^((?:[A-Za-z_][A-Za-z0-9_]*|[0-9]))(\??)$/
const isIndex = (name: string): boolean => name.charCodeAt(0) < 58

const checkText = (text: string, source: string): string => {
  if (text.includes("%")) throw invalidKey(source, "% is kept for escapes and cannot stand in a template")
  if (/\p{Surrogate}/u.test(text)) throw invalidKey(source, "holds half of a surrogate pair")
  return text
}

/** The character of a text between two placeholders that parts must not hold, when nothing else in it parts them. */
const reserve = (text: string, reserved: Array<string>): void => {
  const chars = Array.from(text)
  if (chars.length === 0 || chars.some((char) => !isReadable(char) || reserved.includes(char))) return
  reserved.push(chars.find((char) => !/[\p{L}\p{N}]/u.test(char)) ?? chars[0]!)
}

export const parseTemplate = (template: string, prefix: string): Template => {
  if (typeof template !== "string")
    throw invalidKey(describe(template), 'a template is a text, such as "user:{userId}"')
  if (/[{}*]/.test(prefix)) throw invalidKey(prefix, "a prefix is plain text, without { } or *")
  checkText(prefix, prefix)
  if (template.includes("${")) throw invalidKey(template, "a placeholder is written {id}, without a $ before it")
  const texts: Array<string> = []
  const names: Array<string> = []
  const optional = new Set<string>()
  let rest = template
  for (let open = rest.indexOf("{"); open >= 0; open = rest.indexOf("{")) {
    const close = rest.indexOf("}", open)
    if (close < 0) throw invalidKey(template, "a { is not closed")
    const inner = rest.slice(open + 1, close)
    if (inner === "") throw invalidKey(template, "{} does not name a placeholder")
    const [, name, mark] = placeholder.exec(inner) ?? []
    if (name === undefined) {
      throw invalidKey(
        template,
        "a placeholder is a name of letters, digits and _, or a number from 0 to 9, with a ? behind it where it may be absent",
        inner.slice(0, 80)
      )
    }
    if (names.includes(name) && optional.has(name) !== (mark === "?")) {
      throw invalidKey(template, "is with a ? in one place and without in another", name)
    }
    if (mark === "?") optional.add(name)
    texts.push(rest.slice(0, open))
    names.push(name)
    rest = rest.slice(close + 1)
  }
  texts.push(rest)
  for (const text of texts) {
    if (text.includes("}")) throw invalidKey(template, "a } closes nothing")
    checkText(text, template)
  }
  const positional = names.length > 0 && isIndex(names[0]!)
  for (const name of names) {
    if (isIndex(name) !== positional) {
      throw invalidKey(template, "named and numbered placeholders do not go together", name)
    }
  }
  if (prefix + template === "") throw invalidKey(template, "a key needs at least one character")
  texts[0] = prefix + texts[0]!
  const reserved: Array<string> = []
  for (let i = 1; i < names.length; i++) {
    if (texts[i] === "") texts[i] = divider
    else reserve(texts[i]!, reserved)
  }
  return { source: prefix + template, names, optional, positional, texts, table: partTableWithout(reserved), reserved }
}

export type Parts = Readonly<Record<string, unknown>> | ReadonlyArray<unknown>

const describe = (value: unknown): string =>
  value === null
    ? "null"
    : typeof value === "number"
      ? String(value)
      : Array.isArray(value)
        ? "an array"
        : typeof value === "object"
          ? "an object"
          : typeof value === "undefined"
            ? "undefined"
            : `a ${typeof value}`

/** What an object has from its prototype: an optional part may be called "constructor", and be absent. */
const isInherited = (parts: Parts, name: string): boolean => name in Object.prototype && !Object.hasOwn(parts, name)

/** In a list nothing has a name: all parts would seem to be absent. */
const checkNamed = ({ positional, source }: Template, parts: Parts, name: string): void => {
  if (!positional && Array.isArray(parts))
    throw invalidKey(source, "is to come from an object, and that is an array", name)
}

/** The text of a part, which is its identity, as it stands in the key. */
const encode = (template: Template, name: string, value: unknown, parts: Parts): string => {
  const text =
    typeof value === "string"
      ? value
      : typeof value === "bigint" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))
        ? String(value)
        : undefined
  if (text === undefined) {
    if (template.optional.has(name) && (value === undefined || isInherited(parts, name))) {
      checkNamed(template, parts, name)
      return absentPart
    }
    throw invalidKey(
      template.source,
      `is ${describe(value)}, expected a string, a finite number, a bigint or a boolean`,
      name
    )
  }
  return encodePart(text, template.table, template.reserved)
}

export type Build = (parts: Parts) => string

const valueOf = (template: Template, parts: Parts, name: string): unknown => {
  if (parts === null || (typeof parts !== "object" && typeof parts !== "function")) {
    throw invalidKey(template.source, `is to come from an object, and that is ${describe(parts)}`, name)
  }
  return (parts as Readonly<Record<string, unknown>>)[name]
}

const finish = (key: string): string => (isLong(key) ? shorten(key) : key)

export const builder = (template: Template): Build => {
  const { names, table, texts } = template
  const before = texts[0]!
  if (names.length === 0) {
    const key = finish(before)
    return () => key
  }
  const first = names[0]!
  const between = texts[1]!
  if (names.length === 1) {
    // With no text at all, an empty part would give no key.
    const empty = before + between === "" ? divider : before + between
    return (parts) => {
      const value = valueOf(template, parts, first)
      const part = typeof value === "string" && isPlain(value, table) ? value : encode(template, first, value, parts)
      return part === "" ? finish(empty) : finish(before + part + between)
    }
  }
  if (names.length === 2) {
    const second = names[1]!
    const after = texts[2]!
    return (parts) => {
      const a = valueOf(template, parts, first)
      const b = (parts as Readonly<Record<string, unknown>>)[second]
      return finish(
        before +
          (typeof a === "string" && isPlain(a, table) ? a : encode(template, first, a, parts)) +
          between +
          (typeof b === "string" && isPlain(b, table) ? b : encode(template, second, b, parts)) +
          after
      )
    }
  }
  return (parts) => {
    let key = before
    for (let i = 0; i < names.length; i++) {
      key += encode(template, names[i]!, valueOf(template, parts, names[i]!), parts) + texts[i + 1]!
    }
    return finish(key)
  }
}

/** The pattern of the keys that hold the given parts; what is not given, or is `undefined`, may be anything, also absent. */
export const patternOf = (template: Template, parts: Parts): string => {
  let pattern = template.texts[0]!
  template.names.forEach((name, i) => {
    checkNamed(template, parts, name)
    // Own properties only: a placeholder may be called "constructor".
    const value = Object.hasOwn(parts, name) ? valueOf(template, parts, name) : undefined
    pattern += (value === undefined ? "*" : encode(template, name, value, parts)) + template.texts[i + 1]!
  })
  // As in a key: with no text at all, an empty part gives the divider.
  return pattern === "" ? divider : pattern
}
