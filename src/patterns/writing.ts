/**
 * What the patterns of writes share: the lists of what a write makes old, and the call of one that is no cached function.
 */
import { Context, Effect, Exit, type Fiber, type Option } from "effect"
import type { CacheError } from "../CacheError.ts"
import { type AnyKey, compileUnsafe, matcherUnsafe, normalizeKey, type PlaceholderNames } from "../CacheKey.ts"
import {
  type Engine,
  engineOf,
  type Invalidations,
  type Plan,
  type WriteRequest,
  type Written as Ended
} from "../engine/contract.ts"
import { invalidOption } from "../internal/invalidOption.ts"
import type { AnyEffect, Anything } from "../internal/erased.ts"
import type { Names } from "../internal/knownOptions.ts"
import type { AList } from "../internal/strings.ts"
import { fixedTags, strings } from "../region/checks.ts"
import { isKey } from "../region/region.ts"
import type { Intent } from "../services/CacheBackend.ts"
import { CacheClient } from "../services/CacheClient.ts"
import { checkLoad, type Load } from "./cached.ts"
import type { Fault, Free, Giving, OfSchema } from "./fault.ts"
import type { Cached, ErrorIn, ServicesIn, ShapeOf } from "./shape.ts"

/** What the functions of `invalidate*` get of a write that has succeeded. */
export interface Written<A, P, B = never> {
  /** What the write returned. */
  readonly value: A
  /**
   * The cached value that the write replaced: perhaps older than the row it changed. None when nothing of this schema was cached, and
   * of a write whose key is known only after it, or that has many.
   */
  readonly previous: Option.Option<B>
  /** The parameters of its key. */
  readonly params: P
}

/** Texts, fixed or made of what was written. */
export type Listed<W> = ReadonlyArray<string> | ((written: W) => ReadonlyArray<string>)

/** What a completed write makes invalid besides its own entry: lists, or functions of what was written. */
export interface Lists<W> {
  /** Keys, as `invalidateKeys` takes them. */
  readonly invalidateKeys?: Listed<W> | AList | undefined
  /** Patterns, as `invalidatePattern` takes them: `*` stands for any characters. */
  readonly invalidatePatterns?: Listed<W> | AList | undefined
  /** Tags, as `invalidateTags` takes them. */
  readonly invalidateTags?: Listed<W> | AList | undefined
  /**
   * Whether the lists that are fixed, and with `invalidateOwnTags` the fixed tags of its region, are put down in the store before the
   * write, so that others carry them out if this process dies between its write and them. Default: `true`. On Redis it costs at most two
   * commands in the flush that begins the write, and two behind it, for which nobody waits.
   */
  readonly intent?: boolean | undefined
  /**
   * The tags of its own entries, too: those of the entry that it replaced, if there was one, the fixed ones of its region, and those
   * of the new value. Of an entry that was not cached no others are known. Then the new value is not stored if it bears tags: the next
   * read loads it. Default `false`: other entries that bear these tags stay as they are.
   */
  readonly invalidateOwnTags?: boolean | undefined
}

/**
 * A write that is no cached function: it is called, and that is all. `.key`, `.peek`, `.invalidate`, `.refresh` and `.clear` are
 * those of the function that reads what it writes. `WriteCall<{ args: [name: string]; value: User; error: DbError; services: Db }>`.
 */
export interface WriteCall<S extends Cached.Shape> {
  // biome-ignore lint/style/useShorthandFunctionType: editors print an interface by its name, and a function in full
  (...args: S["args"]): Effect.Effect<S["value"], ErrorIn<S>, ServicesIn<S> | CacheClient>
}

/** What becomes of a write by what it is, an effect or a function; `X` and `S` are added to its errors and services. */
export type WriteOf<L, X, S> =
  L extends Effect.Effect<infer A, infer E, infer R>
    ? Effect.Effect<A, E | X, R | S | CacheClient>
    : L extends (...args: infer Args extends ReadonlyArray<Anything>) => Effect.Effect<infer A, infer E, infer R>
      ? WriteCall<ShapeOf<L, Args, A, E | X, R | S, never>>
      : never

/** What a pattern knows while it awaits its write. */
interface Awaiting {
  readonly value: unknown
  readonly error?: unknown
  readonly services?: unknown
}

/** What wraps a write that has nothing to make a key of: it is given none, or knows its keys. */
export interface WrapAny<W extends Awaiting> {
  // biome-ignore lint/style/useShorthandFunctionType: editors print an interface by its name, and a function in full
  <L, Args extends ReadonlyArray<unknown>>(
    write: [Fault<L, string, Free>] extends [never] ? Returning<L, W["value"], Args> : NoInfer<Fault<L, string, Free>>
  ): WriteOf<L, ErrorIn<W>, ServicesIn<W>>
}
/** Where any value will do, it is the write alone: what has no type in it is told so. */
type Returning<L, V, Args extends ReadonlyArray<unknown>> = unknown extends V
  ? L
  : L &
      (L extends Effect.Effect<Anything, Anything, Anything>
        ? Effect.Effect<V, unknown, unknown>
        : Giving<OfSchema, Args, V, unknown, unknown>)

/** The value of a write. */
export type ValueOf<L> =
  L extends Effect.Effect<infer A, Anything, Anything>
    ? A
    : L extends (...args: never) => Effect.Effect<infer A, Anything, Anything>
      ? A
      : never

/** The options of all that writes. */
export const writeNames: Names<Lists<never>> = {
  invalidateKeys: 0,
  invalidatePatterns: 0,
  invalidateTags: 0,
  invalidateOwnTags: 0,
  intent: 0
}

const none: ReadonlyArray<string> = []
const listNames = ["invalidateKeys", "invalidatePatterns", "invalidateTags"] as const

/** The lists without the types of what is written. */
// biome-ignore lint/suspicious/noExplicitAny: what they are given was checked where the pattern is called
export type AnyLists = { readonly [K in keyof Lists<any>]: Exclude<Lists<any>[K], AList> }

/** What is fixed is checked when it is given, not after the first write. */
export const checkLists = (lists: AnyLists & { readonly key?: unknown }): AnyLists => {
  if (lists.intent !== undefined && typeof lists.intent !== "boolean") {
    throw invalidOption("intent", lists.intent, "true or false")
  }
  for (const name of listNames) {
    const list = lists[name]
    if (list !== undefined && typeof list !== "function") strings(name, list)
  }
  const { invalidateOwnTags } = lists
  if (invalidateOwnTags !== undefined && typeof invalidateOwnTags !== "boolean") {
    throw invalidOption("invalidateOwnTags", invalidateOwnTags, "true or false")
  }
  const { invalidateKeys, invalidatePatterns, invalidateTags, key } = lists
  const placeholders = isKey(key) ? compileUnsafe(key).placeholders : none
  for (const name of placeholders) {
    for (const [option, list] of Object.entries({ invalidateKeys, invalidatePatterns })) {
      const unfilled = Array.isArray(list) ? list.find((one) => one.includes(`{${name}}`)) : undefined
      if (unfilled !== undefined) {
        throw invalidOption(
          option,
          unfilled,
          "a text, or a function such as ({ params }) => [`row:${params.id}`]: it is no template"
        )
      }
    }
  }
  if (Array.isArray(invalidateTags)) {
    fixedTags("invalidateTags", invalidateTags, "a text, or a function such as ({ params }) => [`user:${params.id}`]")
  }
  if (Array.isArray(invalidateKeys)) invalidateKeys.forEach(normalizeKey)
  if (Array.isArray(invalidatePatterns)) invalidatePatterns.forEach(matcherUnsafe)
  return lists
}

/** What is to be invalidated whatever the write returns: others are told of it before the write begins. */
export const intentOf = (lists: AnyLists, { staticTags }: Plan["region"]): Intent | undefined => {
  const fixed = (list: AnyLists[keyof AnyLists]): ReadonlyArray<string> => (Array.isArray(list) ? list : none)
  const keys = fixed(lists.invalidateKeys).map(normalizeKey)
  const patterns = fixed(lists.invalidatePatterns)
  const own = lists.invalidateOwnTags === true ? staticTags : none
  const tags = [...new Set([...fixed(lists.invalidateTags), ...own])]
  return lists.intent === false || keys.length + patterns.length + tags.length === 0
    ? undefined
    : { keys, patterns, tags }
}

/** The lists of a write that has ended. */
export const listed =
  (lists: AnyLists) =>
  (ended: Ended): Invalidations => {
    const { exit } = ended
    let thrown: { readonly error: unknown } | undefined
    const refused: Array<CacheError> = []
    // Of a write that failed there is no value: only what is listed in any case.
    const made = (name: (typeof listNames)[number]): ReadonlyArray<string> => {
      const list = lists[name]
      if (list === undefined) return none
      if (typeof list !== "function") return list
      if (Exit.isFailure(exit)) return none
      let found: ReadonlyArray<string>
      try {
        found = list(new WrittenImpl(exit.value, ended))
      } catch (error) {
        thrown ??= { error }
        return none
      }
      try {
        return strings(name, found)
      } catch (error) {
        refused.push(error as CacheError)
        return none
      }
    }
    const keys = made("invalidateKeys")
    const patterns = made("invalidatePatterns")
    const tags = made("invalidateTags")
    return { keys, patterns, tags, thrown, refused }
  }

/** Getters, so that what cannot be had is missed only by who asks for it, and what costs something costs it only then. */
class WrittenImpl implements Written<unknown, unknown, unknown> {
  readonly value: unknown
  readonly #ended: Ended
  constructor(value: unknown, ended: Ended) {
    this.value = value
    this.#ended = ended
  }
  get previous(): Option.Option<unknown> {
    return this.#ended.previous()
  }
  get params(): unknown {
    return this.#ended.params()
  }
}

/** Whether a function of them may ask for what was replaced. */
export const asksPrevious = (lists: AnyLists): boolean => listNames.some((name) => typeof lists[name] === "function")

/** What a call writes: which slots it holds, and what becomes of them. */
export type RequestOf = (args: ReadonlyArray<unknown>) => Omit<WriteRequest, "plan" | "args" | "receiver">

/** Wraps a write, a function or an effect. What `requestOf` throws is a defect of the call, and nothing is written. */
export const wrapWrite = (
  write: Load,
  planOf: (write: Plan["load"]) => Plan,
  lists: AnyLists,
  requestOf: RequestOf
): unknown => {
  checkLoad(write)
  const plan = planOf(Effect.isEffect(write) ? () => write : (write as Plan["load"]))
  const madeOld = listed(lists)
  const intent = intentOf(lists, plan.region)
  const call = (args: ReadonlyArray<unknown>, receiver: unknown): AnyEffect =>
    Effect.withFiber((fiber) => {
      let request: ReturnType<RequestOf>
      try {
        request = requestOf(args)
      } catch (error) {
        return Effect.die(error)
      }
      return engineFor(fiber).write(
        { plan, args, receiver, intent, ownTags: lists.invalidateOwnTags, ...request },
        madeOld
      )
    })
  if (Effect.isEffect(write)) return call([], undefined)
  return function (this: unknown, ...args: ReadonlyArray<unknown>): AnyEffect {
    return call(args, this)
  }
}

const engineFor = (fiber: Fiber.Fiber<unknown, unknown>): Engine =>
  engineOf(Context.getUnsafe(fiber.context as Context.Context<CacheClient>, CacheClient))

/** `T` has no placeholder: its write may be an effect. */
export type IsPlain<T extends AnyKey> = [PlaceholderNames<T>] extends [never] ? true : false
