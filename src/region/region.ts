/**
 * A region as the runtime uses it: checked, its template compiled, its codec made.
 */
import type { Duration } from "effect"
import { type AnyKey, type CompiledKey, compileUnsafe, isMade } from "../CacheKey.ts"
import type { AnyCodec } from "../internal/erased.ts"
import { invalidOption, invalidOptionAs } from "../internal/invalidOption.ts"
import { knownOptions, type Names } from "../internal/knownOptions.ts"
import type { ADuration, AKey, AList } from "../internal/strings.ts"
import { stamps } from "../internal/stamp.ts"
import { codecOf, type EntryCodec } from "../schema/codec.ts"
import { byteLimit, fixedTags, oneOf, positiveMillis, strings } from "./checks.ts"
import type { OnCacheError, RegionSettings } from "./settings.ts"

/** The options of a region. */
export const regionNames: Names<Options> = {
  key: 0,
  schema: 0,
  prefix: 0,
  ttl: 0,
  tags: 0,
  jitter: 0,
  onCacheError: 0,
  compressAbove: 0
}

/** A number is of milliseconds, and one as small as this perhaps meant as seconds. */
export const isShort = (ttl: unknown): boolean => typeof ttl === "number" && ttl < 1_000

export interface Region {
  /** The label in statistics and metrics: the template with its prefix. */
  readonly name: string
  readonly key: CompiledKey
  readonly onCacheError: OnCacheError
  /** `undefined`: values without a schema, which never leave the process. */
  readonly codec: EntryCodec<unknown, unknown> | undefined
  readonly fingerprint: string
  /** Of its entries, where they may bear no tag; otherwise 0. See `FastPath.pick`. */
  readonly stamp: number
  /** `isShort` */
  readonly shortTtl: boolean
  /** Milliseconds, `Infinity` for none; `undefined` for the default. */
  readonly ttl: number | undefined | ((value: unknown, params: unknown) => number)
  /** Tags that every entry bears, known before a read. */
  readonly staticTags: ReadonlyArray<string>
  readonly tagsOf: ((value: unknown, params: unknown) => ReadonlyArray<string>) | undefined
  readonly jitter: number
  readonly compressAbove: number | undefined
}

const noTags: ReadonlyArray<string> = []

/** Of values without a schema. The stamp of a schema is held by its codec. */
const schemaless = stamps.of("")

export interface Options extends Omit<RegionSettings<unknown, string, OnCacheError>, "ttl" | "tags" | "onCacheError"> {
  readonly onCacheError?: OnCacheError | undefined
  readonly ttl?: Duration.Input | ADuration | ((value: never, params: never) => Duration.Input) | undefined
  readonly tags?: ReadonlyArray<string> | AList | ((value: never, params: never) => ReadonlyArray<string>) | undefined
  /** As it is given, or already compiled. */
  readonly key: AnyKey | AKey | CompiledKey
  readonly schema: AnyCodec | undefined
}

/** The options of a region as they were given, perhaps with those of a pattern: a key, a schema, and none that nobody reads. */
export const checkOptions = (options: Options, more?: object): void => {
  knownOptions(options, { ...regionNames, ...more })
  checkKey(options.key)
  codecOf(options.schema as AnyCodec)
}

export const isKey = (key: unknown): key is AnyKey => typeof key === "string" || isMade(key)

export const checkKey = (key: unknown): void => {
  if (!isKey(key)) {
    throw invalidOption("key", key, 'a template, such as "user:{userId}", or CacheKey.make(template, function)')
  }
}

/** What is given beside a region: nothing that the region says itself, for it is made of that already. */
export const checkMore = (more: unknown, known: object): void => {
  if (more === undefined) return
  for (const name of Object.keys(regionNames)) {
    if (!Object.hasOwn(known, name) && Object(more)[name] !== undefined) {
      throw invalidOptionAs(
        name,
        "given beside a region",
        `it in the region: { ...region, ${name} }, or CacheRegion.make`
      )
    }
  }
  knownOptions(more, known)
}

const resolved = new WeakMap<object, Region>()

/** The region of some options, made and checked once. Throws `CacheError`. */
export const resolveUnsafe = (options: Options): Region => {
  let region = resolved.get(options)
  if (region === undefined) {
    region = makeUnsafe(options)
    resolved.set(options, region)
  }
  return region
}

export const makeUnsafe = (options: Options): Region => {
  const key = isKey(options.key) ? compileUnsafe(options.key, { prefix: options.prefix }) : (options.key as CompiledKey) // what is none was refused where it was given
  const { compressAbove, jitter = 0, onCacheError = "bypass", tags, ttl } = options
  if (!(typeof jitter === "number" && jitter >= 0 && jitter <= 1)) {
    throw invalidOption("jitter", jitter, "a number from 0 to 1")
  }
  oneOf("onCacheError", onCacheError, ["bypass", "fail"])
  if (compressAbove !== undefined) byteLimit("compressAbove", compressAbove)
  const codec = options.schema === undefined ? undefined : codecOf(options.schema)
  const fingerprint = codec === undefined ? "" : codec.fingerprint
  const staticTags =
    typeof tags === "function" || tags === undefined
      ? noTags
      : [
          ...new Set(
            fixedTags("tags", strings("tags", tags), "a text, or a function such as (value, { id }) => [`user:${id}`]")
          )
        ]
  return {
    name: key.prefix + key.template,
    key,
    onCacheError,
    codec: codec as EntryCodec<unknown, unknown> | undefined,
    fingerprint,
    shortTtl: isShort(ttl),
    stamp: staticTags.length === 0 ? (codec?.stamp ?? schemaless).number : 0,
    ttl:
      ttl === undefined
        ? undefined
        : typeof ttl === "function"
          ? (value, params) => positiveMillis("ttl", ttl(value as never, params as never))
          : positiveMillis("ttl", ttl as Duration.Input),
    staticTags,
    tagsOf:
      typeof tags === "function"
        ? (value, params) => {
            const found = strings("tags", tags(value as never, params as never))
            return found.length === 0 ? noTags : [...new Set(found)]
          }
        : undefined,
    jitter,
    compressAbove
  }
}
