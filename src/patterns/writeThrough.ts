import { type Effect, Exit } from "effect"
import type { CacheError } from "../CacheError.ts"
import { type ArgsOf, matcherUnsafe, normalizeKey, type PlaceholderNames } from "../CacheKey.ts"
import type { OnCacheError, RegionOptions, Tags } from "../CacheRegion.ts"
import { paramsOf } from "../engine/contract.ts"
import { strings } from "../region/checks.ts"
import { type Options, resolveUnsafe } from "../region/region.ts"
import type { Intent } from "../services/CacheBackend.ts"
import {
  type Cached,
  type CachedEffect,
  type Call,
  type FailureOf,
  isLoad,
  type Load,
  wrap,
  type Wrap
} from "./cached.ts"

/** What a completed write makes invalid besides its own entry: lists, or functions of the written value and the params. */
export interface WriteOptions<A, T extends string> {
  /** Keys, as `invalidateKeys` takes them. */
  readonly invalidateKeys?: Tags<A, T> | undefined
  /** Patterns, as `invalidatePattern` takes them: `*` stands for any characters. */
  readonly invalidatePatterns?: Tags<A, T> | undefined
  /** Tags, as `invalidateTags` takes them. */
  readonly invalidateTags?: Tags<A, T> | undefined
}

/** The signature of `writeThrough`. */
export interface WriteThrough {
  <const T extends string, A, I, RD, RE, F extends OnCacheError = "bypass">(
    options: RegionOptions<T, A, I, RD, RE, F> & WriteOptions<NoInfer<A>, NoInfer<T>>,
    more?: WriteOptions<NoInfer<A>, NoInfer<T>>
  ): Wrap<T, A, RD | RE, FailureOf<F>>
  <const T extends string, A, I, RD, RE, E, R, F extends OnCacheError = "bypass">(
    write: Effect.Effect<NoInfer<A>, E, R>,
    options: RegionOptions<T, A, I, RD, RE, F> & WriteOptions<NoInfer<A>, NoInfer<T>>
  ): [PlaceholderNames<T>] extends [never] ? CachedEffect<A, E | FailureOf<F>, R, RD | RE> : never
  <const T extends string, A, I, RD, RE, Args extends ArgsOf<T>, E, R, F extends OnCacheError = "bypass">(
    write: (...args: Args) => Effect.Effect<NoInfer<A>, E, R>,
    options: RegionOptions<T, A, I, RD, RE, F> & WriteOptions<NoInfer<A>, NoInfer<T>>
  ): Cached<Args, A, E | FailureOf<F>, R, RD | RE>
}

interface Lists {
  readonly invalidateKeys?: List
  readonly invalidatePatterns?: List
  readonly invalidateTags?: List
}

const listNames = ["invalidateKeys", "invalidatePatterns", "invalidateTags"] as const

type WriteSpec = Options & Lists

type List = ReadonlyArray<string> | ((value: unknown, params: unknown) => ReadonlyArray<string>) | undefined

const none: ReadonlyArray<string> = []

/**
 * Write-through: run the write, store what it returns, and invalidate what it made stale. For writes whose readers must
 * see them at once.
 *
 * The entry is removed before the write and stored after it under a fence: of two writers at once neither leaves its value
 * behind, a reader that loaded the old row cannot store it, and a writer that dies leaves an empty slot. A write that fails
 * leaves the slot empty too. When the write has completed, reads that start later see it or something newer.
 *
 * What it lists is invalidated also when the write failed, apart from what follows from the value. A list that covers the
 * entry itself removes it again, because the entry is stored first.
 *
 * With `onCacheError: "bypass"` the write runs also when the cache cannot be told of it; that is logged, and made up for before the
 * cache is trusted again. With `"fail"` the call fails before the write has begun,
 * or after it when only the end could not be told.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { cacheAside, CacheMemory, CacheRegion, writeThrough } from "effect-cache"
 *
 * const names = new Map([["1", "Ada"]])
 * const Names = CacheRegion.make({ key: "name:{id}", schema: Schema.String, ttl: "5 minutes" })
 * const getName = cacheAside(Names)(({ id }: { readonly id: string }) => Effect.sync(() => names.get(id) ?? "?"))
 * const setName = writeThrough(Names, { invalidatePatterns: ["names:list:*"] })(
 *   ({ id, name }: { readonly id: string; readonly name: string }) => Effect.sync(() => (names.set(id, name), name))
 * )
 * const program = Effect.gen(function*() {
 *   yield* getName({ id: "1" })
 *   yield* setName({ id: "1", name: "Grace" })
 *   return yield* getName({ id: "1" })
 * })
 * assert.equal(await Effect.runPromise(program.pipe(Effect.provide(CacheMemory.layer()))), "Grace")
 * ```
 */
export const writeThrough: WriteThrough = ((first: Load | WriteSpec, second?: WriteSpec) => {
  const make = (options: WriteSpec, more?: Lists) => {
    const region = resolveUnsafe(options)
    const lists: Lists = { ...options, ...more }
    // What is fixed is checked now, not after the first write.
    for (const name of listNames) {
      const list = lists[name]
      if (list !== undefined && typeof list !== "function") strings(name, list)
    }
    if (Array.isArray(lists.invalidateKeys)) lists.invalidateKeys.forEach(normalizeKey)
    if (Array.isArray(lists.invalidatePatterns)) lists.invalidatePatterns.forEach(matcherUnsafe)
    const fixed = (name: (typeof listNames)[number]): ReadonlyArray<string> => {
      const list = lists[name]
      return Array.isArray(list) ? (list as ReadonlyArray<string>) : none
    }
    const intent = {
      keys: fixed("invalidateKeys").map(normalizeKey),
      patterns: fixed("invalidatePatterns"),
      tags: fixed("invalidateTags")
    }
    const call = through(lists, intent)
    return (load: Load) =>
      wrap(load, (load) => ({ region, load, leaseMillis: undefined, wait: undefined, memory: false }), call)
  }
  return isLoad(first) ? make(second as WriteSpec)(first) : make(first, second)
}) as WriteThrough

const through =
  (lists: Lists, intent: Intent): Call =>
  (engine, call) =>
    engine.write(
      { ...call, keys: typeof call.key === "string" ? [call.key] : call.key, fills: true, intent },
      (exit) => {
        const params = paramsOf(call)
        let thrown: { readonly error: unknown } | undefined
        const refused: Array<CacheError> = []
        // Of a write that failed there is no value: only what is listed in any case.
        const listed = (name: (typeof listNames)[number]): ReadonlyArray<string> => {
          const list = lists[name]
          if (list === undefined) return none
          if (typeof list !== "function") return list
          if (Exit.isFailure(exit)) return none
          let made: ReadonlyArray<string>
          try {
            made = list(exit.value, params)
          } catch (error) {
            thrown ??= { error }
            return none
          }
          try {
            return strings(name, made)
          } catch (error) {
            refused.push(error as CacheError)
            return none
          }
        }
        const keys = listed("invalidateKeys")
        const patterns = listed("invalidatePatterns")
        const tags = listed("invalidateTags")
        return { keys, patterns, tags, thrown, refused }
      }
    )
