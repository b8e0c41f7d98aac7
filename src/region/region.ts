/**
 * A region as the runtime uses it: checked, its template compiled, its codec made.
 */
import type { Duration } from "effect"
import { type CompiledKey, compileUnsafe } from "../CacheKey.ts"
import type { OnCacheError, RegionSettings } from "./settings.ts"
import type { AnyCodec } from "../internal/erased.ts"
import { invalid, positiveMillis } from "./checks.ts"
import { codecOf, type EntryCodec } from "../schema/codec.ts"
import { stampOf } from "../internal/stamp.ts"

export interface Region {
  /** The label in statistics and metrics: the template with its prefix. */
  readonly name: string
  readonly key: CompiledKey
  readonly onCacheError: OnCacheError
  /** `undefined`: values without a schema, which never leave the process. */
  readonly codec: EntryCodec<unknown, unknown> | undefined
  readonly fingerprint: string
  /** Of its entries, where they may bear no tag; otherwise 0. See `LocalPrimitives.pick`. */
  readonly stamp: number
  /** Milliseconds, `Infinity` for none; `undefined` for the default. */
  readonly ttl: number | undefined | ((value: unknown, params: unknown) => number)
  /** Tags that every entry bears, known before a read. */
  readonly staticTags: ReadonlyArray<string>
  readonly tagsOf: ((value: unknown, params: unknown) => ReadonlyArray<string>) | undefined
  readonly jitter: number
  readonly compressAbove: number | undefined
}

const noTags: ReadonlyArray<string> = []

export interface Options extends Omit<RegionSettings<unknown, string, OnCacheError>, "ttl" | "tags"> {
  readonly ttl?: Duration.Input | ((value: never, params: never) => Duration.Input) | undefined
  readonly tags?: ReadonlyArray<string> | ((value: never, params: never) => ReadonlyArray<string>) | undefined
  /** A template, or a key already compiled. */
  readonly key: string | CompiledKey
  readonly schema: AnyCodec | undefined
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
  const key = typeof options.key === "string" ? compileUnsafe(options.key, { prefix: options.prefix }) : options.key
  const { jitter = 0, onCacheError = "bypass", tags, ttl } = options
  if (!(jitter >= 0 && jitter <= 1)) throw invalid("jitter", jitter, "a number from 0 to 1")
  if (onCacheError !== "bypass" && onCacheError !== "fail") {
    throw invalid("onCacheError", onCacheError, '"bypass" or "fail"')
  }
  const { compressAbove } = options
  if (compressAbove !== undefined && !(compressAbove >= 0))
    throw invalid("compressAbove", compressAbove, "a number of bytes")
  if (tags !== undefined && typeof tags !== "function" && !isTags(tags))
    throw invalid("tags", tags, "an array of strings")
  const codec = options.schema === undefined ? undefined : codecOf(options.schema)
  const fingerprint = codec === undefined ? "" : codec.fingerprint
  const staticTags = typeof tags === "function" || tags === undefined ? noTags : [...new Set(tags)]
  return {
    name: key.prefix + key.template,
    key,
    onCacheError,
    codec: codec as EntryCodec<unknown, unknown> | undefined,
    fingerprint,
    stamp: staticTags.length === 0 ? stampOf(fingerprint) : 0,
    ttl:
      ttl === undefined
        ? undefined
        : typeof ttl === "function"
          ? (value, params) => positiveMillis("ttl", ttl(value as never, params as never))
          : positiveMillis("ttl", ttl),
    staticTags,
    tagsOf:
      typeof tags === "function"
        ? (value, params) => {
            const found = tags(value as never, params as never)
            if (!isTags(found)) throw invalid("tags", found, "an array of strings")
            return found.length === 0 ? noTags : [...new Set(found)]
          }
        : undefined,
    jitter,
    compressAbove
  }
}

const isTags = (u: unknown): u is ReadonlyArray<string> => Array.isArray(u) && u.every((tag) => typeof tag === "string")
