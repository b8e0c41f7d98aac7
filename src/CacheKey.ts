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
import { checkFunction, type FromArguments, fromArguments, fromFunction, type PartsFunction } from "./key/arguments.ts"
import { escapeText, invalidKey, shorten } from "./key/encoding.ts"
import type { IsNever, KeyPart, PartsFault } from "./key/part.ts"
import { globs, matcher } from "./key/pattern.ts"
import { builder, parseTemplate, patternOf } from "./key/template.ts"

export type { KeyPart } from "./key/part.ts"

/** A key that a function makes: it gives the parts of a template. `T` is the template, `Args` what the function takes. */
export interface CacheKey<T extends string, Args extends ReadonlyArray<unknown>> {
  readonly _tag: "CacheKey"
  readonly template: T
  /** The parts of these arguments: the function as it was given. */
  readonly parts: (...args: Args) => Readonly<Record<string, KeyPart | undefined>>
}

/** What a region can have as its key: a template, or a key that a function makes. */
export type AnyKey = string | CacheKey<Anything, Anything>

/** The placeholders as they are written: `"list:{tenant}:{cursor?}"` gives `"tenant" | "cursor?"`, and of `"{id"` it is `"{id"`. */
type WrittenNames<T extends AnyKey> = string extends T
  ? string
  : T extends `${string}{${infer Name}}${infer Rest}`
    ? Name | WrittenNames<Rest>
    : T extends `${string}{${infer Name}`
      ? `{${Name}`
      : T extends CacheKey<infer Template, Anything>
        ? WrittenNames<Template>
        : never
type Optional<Name> = Name extends `${infer Bare}?` ? Bare : never
type Required<Name> = Name extends `${string}?` ? never : Name

/** The names of the placeholders of a template: `"user:{id}"` gives `"id"`, and `"list:{cursor?}"` gives `"cursor"`. */
export type PlaceholderNames<T extends AnyKey> = string extends T
  ? string
  : Optional<WrittenNames<T>> | Required<WrittenNames<T>>
/** The names of those that may be left out. */
export type OptionalNames<T extends AnyKey> = Optional<WrittenNames<T>>
type RequiredNames<T extends AnyKey> = Required<WrittenNames<T>>
/** What stands behind a brace that is not closed. No parameter has a name that fits. */
export type OpenBrace<T extends AnyKey> = OpenName<WrittenNames<T>>
type OpenName<Name> = Name extends `{${infer Rest}` ? Rest : Name extends `${string}{${string}` ? Name : never

/** Templates that are not known when compiling, in whole or in part; and keys that are none. */
type IsWide<T extends AnyKey> = {} extends { readonly [K in T & string]: 1 } ? true : false
/** Of the placeholders, those that are numbers: they stand for arguments by their place. */
export type Positions<T extends AnyKey> = Extract<PlaceholderNames<T>, `${number}`>
/** Those that are names: they stand for properties of the first argument. */
export type Names<T extends AnyKey> = Exclude<PlaceholderNames<T>, `${number}`>

/** What a key is made of. `"mixed"` fits no function; `"keyed"` has one that gives its parts. */
export type KindOf<T extends AnyKey> =
  IsWide<T> extends true
    ? T extends string
      ? "wide"
      : "keyed"
    : IsNever<PlaceholderNames<T>> extends true
      ? "static"
      : IsNever<Positions<T>> extends true
        ? "named"
        : IsNever<Names<T>> extends true
          ? "positional"
          : "mixed"

/** A part for each of the names. What may be left out may be `undefined`, too: both are one part. */
export type PartsOf<T extends AnyKey, Some extends string> =
  IsNever<OptionalNames<T>> extends true
    ? { readonly [K in Some]: KeyPart }
    : {
        readonly [K in keyof (Record<Extract<RequiredNames<T>, Some>, 1> &
          Partial<Record<Extract<OptionalNames<T>, Some>, 1>>)]: K extends OptionalNames<T>
          ? KeyPart | undefined
          : KeyPart
      }

/** The object whose properties fill the named placeholders of a template. */
export type ParamsOf<T extends AnyKey> =
  KindOf<T> extends "wide" ? Readonly<Record<string, KeyPart | undefined>> : PartsOf<T, Names<T>>

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
export type ArgsOf<T extends AnyKey> =
  KindOf<T> extends "named"
    ? IsNever<RequiredNames<T>> extends true
      ? readonly [(ParamsOf<T> | undefined)?, ...ReadonlyArray<unknown>]
      : readonly [ParamsOf<T>, ...ReadonlyArray<unknown>]
    : KindOf<T> extends "positional"
      ? PositionalArgs<WrittenNames<T>>
      : KindOf<T> extends "mixed"
        ? readonly [{ readonly "a template has either names or numbers": never }, ...ReadonlyArray<unknown>]
        : T extends CacheKey<Anything, infer Taken>
          ? AtLeast<Taken>
          : ReadonlyArray<unknown>

/** Arguments that begin with these. */
export type AtLeast<Args extends ReadonlyArray<unknown>> = number extends Args["length"]
  ? Args
  : readonly [...Args, ...ReadonlyArray<unknown>]

/** What fills a template: an object by name, or a list by position. */
export type KeyParams<T extends AnyKey> =
  KindOf<T> extends "wide"
    ? Readonly<Record<string, KeyPart | undefined>> | ReadonlyArray<KeyPart | undefined>
    : KindOf<T> extends "positional"
      ? PositionalArgs<WrittenNames<T>>
      : KindOf<T> extends "mixed"
        ? never
        : ParamsOf<T>

/** A template made ready: parsed and checked once, cheap to fill in. */
export interface CompiledKey extends FromArguments {
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
 * Parses the template of a key. `prefix` is text put in front of it, without `{`, `}`, `*` and `%`.
 *
 * Throws `CacheError` (`InvalidKey`) when braces do not pair up, a placeholder is no name and no number from 0 to 9, each
 * perhaps with a `?`, when both kinds occur, when one is with a `?` in one place and without in another, or when the text holds
 * a `%`.
 */
export const compileUnsafe = (
  key: string | CacheKey<string, Anything>,
  options?: { readonly prefix?: string | undefined }
): CompiledKey => {
  const prefix = options?.prefix ?? ""
  const template = isMade(key) ? key.template : key
  const parsed = parseTemplate(template, prefix)
  const build = builder(parsed)
  return {
    template,
    prefix,
    placeholders: Array.from(new Set(parsed.names)),
    positional: parsed.positional,
    pattern: patternOf(parsed, {}),
    buildUnsafe: build,
    ...(isMade(key)
      ? fromFunction(template, key.parts as PartsFunction, build)
      : fromArguments(parsed.positional, build))
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

/** As `Parameters`, also of a rest that is readonly. */
type ArgumentsOf<F> = F extends (...args: infer Args extends ReadonlyArray<Anything>) => unknown ? Args : never

/** What is wrong with a template and the function of its parts; `never`: nothing. */
type MadeFault<T extends string, F> =
  IsNever<OpenBrace<T>> extends false
    ? `a { of the key is not closed: {${OpenBrace<T>}`
    : KindOf<T> extends "static"
      ? "the template has no placeholder: it is a key by itself"
      : KindOf<T> extends "positional" | "mixed"
        ? "the parts of a function have names: write names in the template, not numbers"
        : PartsFault<KindOf<T> extends "wide" ? string : Names<T>, OptionalNames<T>, F>

/**
 * A key that a function makes of the arguments of what is cached: for parts that are deeper in them than a placeholder reaches, or are
 * worked out. It stands wherever a template can: as `key` of a region, and of the options of a pattern.
 *
 * The template says how the parts stand in the key, so other parts never give the same one, and which pattern `clear` goes by. That all is in
 * the key on which a value depends is for the function to see to: what it leaves out, the compiler does not miss.
 *
 * It is asked at every call, so it must be quick, and give the same parts for the same arguments. What it throws, or gives in place of an
 * object, is `InvalidKey`: the call goes uncached.
 *
 * Throws `CacheError`: `InvalidKey` for a malformed template, and for one without names; `InvalidOption` for an async function.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { cacheAside, CacheKey, CacheMemory, CacheRegion } from "effect-cache"
 *
 * interface Query {
 *   readonly tenant: string
 *   readonly filter: { readonly kind: string }
 *   readonly cursor?: string
 * }
 * const Lists = CacheRegion.make({
 *   key: CacheKey.make("list:{tenant}:{kind}:{cursor?}", ({ cursor, filter, tenant }: Query) => ({
 *     tenant,
 *     kind: filter.kind,
 *     cursor
 *   })),
 *   schema: Schema.Array(Schema.String),
 *   ttl: "5 minutes",
 *   tags: (_ids, { tenant }) => [`tenant:${tenant}`]
 * })
 * const list = cacheAside(Lists)(({ filter }: Query) => Effect.succeed([`a ${filter.kind}`]))
 * const found = await Effect.runPromise(
 *   list({ tenant: "7", filter: { kind: "book" } }).pipe(Effect.provide(CacheMemory.layer()))
 * )
 * assert.deepEqual(found, ["a book"])
 * assert.equal(list.key({ tenant: "7", filter: { kind: "book" } }), "list:7:book:%-")
 * assert.equal(Lists.pattern({ tenant: "7" }), "list:7:*:*")
 * ```
 */
const make = <const T extends string, F extends (...args: never) => unknown>(
  template: T,
  parts: [MadeFault<T, F>] extends [never] ? F : NoInfer<MadeFault<T, F>>
): CacheKey<T, ArgumentsOf<F>> => {
  const { names, positional } = parseTemplate(template, "")
  if (positional) throw invalidKey(template, "the parts of a function have names: write names in place of numbers")
  if (names.length === 0) throw invalidKey(template, "has no placeholder for the parts of a function")
  checkFunction(parts)
  return { _tag: "CacheKey", template, parts: parts as never }
}

export const CacheKey = { make } as const

export const isMade = (key: unknown): key is CacheKey<string, Anything> =>
  typeof key === "object" && key !== null && (key as { readonly _tag?: unknown })._tag === "CacheKey"

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
