/**
 * Keys: typed templates, and an encoding that keeps two parameter lists of one template apart whatever they hold.
 *
 * A template is text with placeholders, named (`"user:{userId}"`) or numbered (`"items:{0}:{1}"`). Parts made of ASCII
 * letters, digits and `-_.~@`, or of letters and digits of widely used scripts, stand in the key as they are; everything
 * else is percent-encoded. A placeholder with a `?` (`"list:{tenant}:{cursor?}"`) may have no part: absent and `undefined`
 * are one, and stand as `%-`, which no text does. Keys longer than 512 UTF-8 bytes keep a readable head and end in `%~` and the SHA-256 of the
 * whole key.
 */
import type { Anything } from "./internal/erased.ts"
import { describe } from "./internal/invalidOption.ts"
import { escapeText, invalidKey, shorten } from "./key/encoding.ts"
import { globs, matcher } from "./key/pattern.ts"
import { builder, parseTemplate, patternOf } from "./key/template.ts"

/** What can stand for a placeholder. A part is its text: `1`, `1n` and `"1"` name one thing. */
export type KeyPart = string | number | bigint | boolean

/** The placeholders as they are written: `"list:{tenant}:{cursor?}"` gives `"tenant" | "cursor?"`, and of `"{id"` it is `"{id"`. */
type WrittenNames<T extends string> = string extends T
  ? string
  : T extends `${string}{${infer Name}}${infer Rest}`
    ? Name | WrittenNames<Rest>
    : T extends `${string}{${infer Name}`
      ? `{${Name}`
      : never
type Optional<Name> = Name extends `${infer Bare}?` ? Bare : never
type Required<Name> = Name extends `${string}?` ? never : Name

/** The names of the placeholders of a template: `"user:{id}"` gives `"id"`, and `"list:{cursor?}"` gives `"cursor"`. */
export type PlaceholderNames<T extends string> = string extends T
  ? string
  : Optional<WrittenNames<T>> | Required<WrittenNames<T>>
/** The names of those that may be left out. */
export type OptionalNames<T extends string> = Optional<WrittenNames<T>>
type RequiredNames<T extends string> = Required<WrittenNames<T>>
/** What stands behind a brace that is not closed. No parameter has a name that fits. */
export type OpenBrace<T extends string> = OpenName<WrittenNames<T>>
type OpenName<Name> = Name extends `{${infer Rest}` ? Rest : Name extends `${string}{${string}` ? Name : never

type IsNever<T> = [T] extends [never] ? true : false
/** Templates that are not known when compiling, in whole or in part. */
type IsWide<T extends string> = {} extends { readonly [K in T]: 1 } ? true : false
/** Of the placeholders, those that are numbers: they stand for arguments by their place. */
export type Positions<T extends string> = Extract<PlaceholderNames<T>, `${number}`>
/** Those that are names: they stand for properties of the first argument. */
export type Names<T extends string> = Exclude<PlaceholderNames<T>, `${number}`>

/** What a template is made of. `"mixed"` fits no function. */
export type KindOf<T extends string> =
  IsWide<T> extends true
    ? "wide"
    : IsNever<PlaceholderNames<T>> extends true
      ? "static"
      : IsNever<Positions<T>> extends true
        ? "named"
        : IsNever<Names<T>> extends true
          ? "positional"
          : "mixed"

/** A part for each of the names. What may be left out may be `undefined`, too: both are one part. */
export type PartsOf<T extends string, Some extends string> =
  IsNever<OptionalNames<T>> extends true
    ? { readonly [K in Some]: KeyPart }
    : {
        readonly [K in keyof (Record<Extract<RequiredNames<T>, Some>, 1> &
          Partial<Record<Extract<OptionalNames<T>, Some>, 1>>)]: K extends OptionalNames<T>
          ? KeyPart | undefined
          : KeyPart
      }

/** The object whose properties fill the named placeholders of a template. */
export type ParamsOf<T extends string> =
  IsWide<T> extends true ? Readonly<Record<string, KeyPart | undefined>> : PartsOf<T, Names<T>>

// One row a placeholder: the argument at that place is a part when the template names it, and there must be one when it
// names a later one.
type Tail<N extends string, Place extends string, Later extends ReadonlyArray<Anything>> = Place extends N
  ? readonly [KeyPart, ...Later]
  : `${Place}?` extends N
    ? Later extends readonly [Anything, ...Anything]
      ? readonly [KeyPart | undefined, ...Later]
      : readonly [(KeyPart | undefined)?, ...Later]
    : Later extends readonly [Anything, ...Anything]
      ? readonly [Anything, ...Later]
      : { [K in keyof Later]-?: Later[K] } extends readonly [Anything, ...Anything]
        ? readonly [Anything?, ...Later]
        : Later
type PositionalArgs<N extends string> = Tail<
  N,
  "0",
  Tail<
    N,
    "1",
    Tail<
      N,
      "2",
      Tail<
        N,
        "3",
        Tail<N, "4", Tail<N, "5", Tail<N, "6", Tail<N, "7", Tail<N, "8", Tail<N, "9", ReadonlyArray<unknown>>>>>>>
      >
    >
  >
>

/**
 * What the arguments of a function offer, for its calls to be cached under a template: a first argument with the names of the
 * placeholders, or leading arguments for the numbers. A template that has both kinds fits no function.
 */
export type ArgsOf<T extends string> =
  KindOf<T> extends "named"
    ? IsNever<RequiredNames<T>> extends true
      ? readonly [(ParamsOf<T> | undefined)?, ...ReadonlyArray<unknown>]
      : readonly [ParamsOf<T>, ...ReadonlyArray<unknown>]
    : KindOf<T> extends "positional"
      ? PositionalArgs<WrittenNames<T>>
      : KindOf<T> extends "mixed"
        ? readonly [{ readonly "a template has either names or numbers": never }, ...ReadonlyArray<unknown>]
        : ReadonlyArray<unknown>

/** What fills a template: an object by name, or a list by position. */
export type KeyParams<T extends string> =
  IsWide<T> extends true
    ? Readonly<Record<string, KeyPart | undefined>> | ReadonlyArray<KeyPart | undefined>
    : KindOf<T> extends "positional"
      ? PositionalArgs<WrittenNames<T>>
      : KindOf<T> extends "mixed"
        ? never
        : ParamsOf<T>

/** A template made ready: parsed and checked once, cheap to fill in. */
export interface CompiledKey {
  readonly template: string
  readonly prefix: string
  /** The names of the placeholders in order, each once, without their `?`; positional ones are `"0"`, `"1"`... */
  readonly placeholders: ReadonlyArray<string>
  /** True when placeholders are numbers: parts come from the argument list rather than from one object. */
  readonly positional: boolean
  /** Every key of this template, as a pattern. */
  readonly pattern: string
  /** The key for these parts (an object by name, or the argument list). Throws `CacheError` (`InvalidKey`). */
  readonly buildUnsafe: (parts: Readonly<Record<string, unknown>> | ReadonlyArray<unknown>) => string
}

/**
 * Parses a template. `prefix` is text put in front of it, without `{`, `}`, `*` and `%`.
 *
 * Throws `CacheError` (`InvalidKey`) when braces do not pair up, a placeholder is no name and no number from 0 to 9, each
 * perhaps with a `?`, when both kinds occur, when one is with a `?` in one place and without in another, or when the text holds
 * a `%`.
 */
export const compileUnsafe = (template: string, options?: { readonly prefix?: string | undefined }): CompiledKey => {
  const prefix = options?.prefix ?? ""
  const parsed = parseTemplate(template, prefix)
  return {
    template,
    prefix,
    placeholders: Array.from(new Set(parsed.names)),
    positional: parsed.positional,
    pattern: patternOf(parsed, {}),
    buildUnsafe: builder(parsed)
  }
}

type Prefix = { readonly prefix?: string | undefined }
type AnyParts = Prefix & {
  readonly params?: Readonly<Record<string, KeyPart | undefined>> | undefined
  readonly args?: ReadonlyArray<KeyPart | undefined> | undefined
}

/** The options of `buildCacheKey`: the parts are required when the template has placeholders that are. */
export type BuildOptions<T extends string> =
  KindOf<T> extends "wide" | "static"
    ? [options?: AnyParts]
    : KindOf<T> extends "named"
      ? IsNever<RequiredNames<T>> extends true
        ? [options?: Prefix & { readonly params?: ParamsOf<T> | undefined }]
        : [options: Prefix & { readonly params: ParamsOf<T> }]
      : KindOf<T> extends "positional"
        ? IsNever<RequiredNames<T>> extends true
          ? [options?: Prefix & { readonly args?: KeyParams<T> | undefined }]
          : [options: Prefix & { readonly args: KeyParams<T> & ReadonlyArray<KeyPart | undefined> }]
        : [never]

/** The options of `buildCachePattern`: any part may be left out. */
export type PatternOptions<T extends string> =
  IsWide<T> extends true
    ? AnyParts
    : Prefix & {
        readonly params?: { readonly [K in Names<T>]?: KeyPart | undefined } | undefined
        readonly args?: ReadonlyArray<KeyPart | undefined> | undefined
      }

const none: Readonly<Record<string, unknown>> = {}

const recent = new Map<string, CompiledKey>()
const maxRecent = 256

/** Compiles a template, or finds it among the recent ones: programs have few. */
const compiled = (template: string, prefix: string): CompiledKey => {
  const id = prefix === "" ? template : `${prefix}{${template}`
  let key = recent.get(id)
  if (key === undefined || key.prefix !== prefix) {
    key = compileUnsafe(template, { prefix })
    if (recent.size >= maxRecent) recent.clear()
    recent.set(id, key)
  }
  return key
}

/**
 * The key for a template and its parts: `"user:{id}"` with `{ id: "123" }` is `"user:123"`.
 *
 * A placeholder with a `?` may have no part: absent and `undefined` are one part, which no text is. The key of `{}` and that
 * of `{ cursor: "" }` differ.
 *
 * Throws `CacheError` (`InvalidKey`) for a malformed template, and for a part that is missing (also `undefined`) where the
 * placeholder has no `?`, or is not a string, a finite number, a bigint or a boolean.
 *
 * @example
 * ```ts
 * import { buildCacheKey } from "effect-cache"
 *
 * assert.equal(buildCacheKey("user:{userId}", { params: { userId: "123" } }), "user:123")
 * assert.equal(buildCacheKey("items:{0}:{1}", { args: ["category", "page1"] }), "items:category:page1")
 * assert.equal(buildCacheKey("user:{id}", { params: { id: "a:b" }, prefix: "v2:" }), "v2:user:a%3Ab")
 * assert.equal(buildCacheKey("list:{tenant}:{cursor?}", { params: { tenant: 7 } }), "list:7:%-")
 * ```
 */
export const buildCacheKey = <const T extends string>(template: T, ...rest: BuildOptions<T>): string => {
  const options = rest[0] as AnyParts | undefined
  const key = compiled(template, options?.prefix ?? "")
  return key.buildUnsafe((key.positional ? options?.args : options?.params) ?? none)
}

/**
 * The pattern of all keys of a template that hold the given parts. Parts are encoded as in a key, so that a `*` in one is
 * no wildcard: the safe way to put what a user typed into a pattern. A `*` in the template itself is a wildcard.
 *
 * A part that is left out or `undefined` stands for any, also for that of a `{cursor?}` which is absent in the key: a forgotten
 * part removes too much, never too little. Where all other parts are given, the key itself names the one without it.
 *
 * Throws `CacheError` (`InvalidKey`) as `buildCacheKey` does, except that a part may be missing.
 *
 * @example
 * ```ts
 * import { buildCachePattern } from "effect-cache"
 *
 * assert.equal(buildCachePattern("tenant:{tenant}:user:{id}", { params: { tenant: "a*" } }), "tenant:a%2A:user:*")
 * ```
 */
export const buildCachePattern = <const T extends string>(template: T, options?: PatternOptions<T>): string => {
  const given = options as AnyParts | undefined
  const parsed = parseTemplate(template, given?.prefix ?? "")
  return patternOf(parsed, (parsed.positional ? given?.args : given?.params) ?? none)
}

/**
 * A key as it is stored: up to 512 UTF-8 bytes as it is, a longer one shortened as those of templates are. Applying it
 * again changes nothing. Throws `CacheError` (`InvalidKey`) for the empty string.
 */
export const normalizeKey = (raw: string): string => {
  if (typeof raw !== "string") throw invalidKey(describe(raw), "a key is a string")
  if (raw === "") throw invalidKey(raw, "a key needs at least one character")
  return shorten(raw)
}

/**
 * A checked test for "does this key match the pattern". `*` is any run of characters, also none; everything else is
 * itself. A shortened key matches when what it shows could begin a key that does. Nothing is tried twice: the time grows
 * with the lengths, not with the number of stars. Throws `CacheError` (`InvalidKey`) for the empty pattern.
 */
export const matcherUnsafe = (pattern: string): ((key: string) => boolean) => matcher(pattern)

/**
 * Any string, injectively, in characters that mean nothing to a store: no braces, glob characters, spaces or controls.
 * Plain keys (`user:123`) stay as they are. For backends.
 */
export const escapeKey = (key: string): string => escapeText(key)

/**
 * The globs (`*` and `[...]`, as Redis has them) over `escapeKey`d keys that together find what `matcherUnsafe` finds.
 * Throws `CacheError` (`InvalidKey`) for the empty pattern.
 */
export const escapePattern = (pattern: string): ReadonlyArray<string> => globs(pattern)
