/**
 * What a region can do besides standing for its options: its keys, its patterns, and their invalidation, through the client that
 * is provided.
 */
import { Effect } from "effect"
import type { CacheError } from "../CacheError.ts"
import {
  type AnyKey,
  type CacheKey,
  buildCachePattern,
  type CompiledKey,
  type KeyParams,
  type KeyPart,
  type ParamsOf,
  type PlaceholderNames
} from "../CacheKey.ts"
import { invalidKey } from "../key/encoding.ts"
import type { Anything } from "../internal/erased.ts"
import { CacheClient } from "../services/CacheClient.ts"
import { checked } from "./checks.ts"
import type { Region } from "./region.ts"

/** A list without the arguments that no key is made of. */
type Cut<L extends ReadonlyArray<Anything>> = L extends readonly [infer Part, ...infer Rest]
  ? [Part, ...Cut<Rest>]
  : Required<L> extends readonly [Anything, ...Anything]
    ? Left<CutAll<Required<L>>>
    : []
type CutAll<L extends ReadonlyArray<Anything>> = L extends readonly [infer Part, ...infer Rest]
  ? [Part, ...CutAll<Rest>]
  : []
/** The same, where each may be left out. */
type Left<L extends ReadonlyArray<Anything>> = { [K in keyof L]?: L[K] | undefined }

/**
 * The parameters of a key as arguments: one object by name, the parts by position, or none; or what the function takes that makes
 * the key.
 */
export type RegionArgs<T extends AnyKey> =
  T extends CacheKey<Anything, infer Taken>
    ? Taken
    : KeyParams<T> extends ReadonlyArray<Anything>
      ? Cut<KeyParams<T>>
      : [PlaceholderNames<T>] extends [never]
        ? []
        : {} extends ParamsOf<T>
          ? [params?: KeyParams<T>]
          : [params: KeyParams<T>]

/** Some of the parameters of a key: an object by name, or a list by position. */
export type PatternParams<T extends AnyKey> =
  KeyParams<T> extends ReadonlyArray<Anything>
    ? ReadonlyArray<KeyPart | undefined>
    : { readonly [K in keyof ParamsOf<T>]?: ParamsOf<T>[K] | undefined }

/**
 * Whether one list stands in place of the arguments, as of a template known only when it runs. Where the first argument is a part, or a
 * later one is required, a list can be nothing else. Where it may as well be an argument that is no part, it is refused.
 */
const isList = (args: ReadonlyArray<unknown>, { template }: CompiledKey): boolean => {
  if (args.length !== 1 || !Array.isArray(args[0])) return false
  if (/\{(0\??|\d)\}/.test(template)) return true
  throw invalidKey(
    template,
    "a list alone may be the first argument or all of them: give the arguments, (first, undefined) or (...list)"
  )
}

/**
 * As properties that do not enumerate: what is made by spreading a region has other options, and must not have these. They need no
 * `this`, so they can be handed on by themselves.
 */
export const controlsOf = ({ key }: Region): PropertyDescriptorMap => {
  const keyFor = (...args: ReadonlyArray<unknown>): string =>
    key.ofArguments(key.positional && isList(args, key) ? (args[0] as ReadonlyArray<unknown>) : args)
  const pattern = (some?: unknown): string =>
    buildCachePattern(key.template, { prefix: key.prefix, params: some, args: some } as never)
  const invalidate = (...args: ReadonlyArray<unknown>): Effect.Effect<void, CacheError, CacheClient> =>
    Effect.flatMap(
      checked(() => keyFor(...args)),
      (made) => CacheClient.use((client) => client.invalidateKeys([made]))
    )
  // A template without placeholders has one key, and that is no pattern.
  const clear = CacheClient.use((client) =>
    key.pattern.includes("*") ? client.invalidatePattern(key.pattern) : client.invalidateKeys([key.pattern])
  )
  return {
    keyFor: { value: keyFor },
    pattern: { value: pattern },
    invalidate: { value: invalidate },
    clear: { value: clear }
  }
}
