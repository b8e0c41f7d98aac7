/**
 * What a write has made old, once it is known how it ended. Nothing of it is carried out here.
 */
import { Effect, Exit, type Option } from "effect"
import { CacheError } from "../CacheError.ts"
import { invalidOptionAs } from "../internal/invalidOption.ts"
import { isDone } from "../internal/isDone.ts"
import type { ListsOf, WriteRequest } from "./contract.ts"
import { normalEach } from "./many.ts"
import type { Replaced } from "./replaced.ts"
import { tagsOf } from "./seal.ts"

/** What is to be invalidated, in this order, and what came in the way of it. */
export interface MadeOld {
  /** Of a create: the key of what was written. Its slot is emptied before the rest, and never filled. */
  readonly created: string | undefined
  /** As they are stored, each once. */
  readonly keys: ReadonlyArray<string>
  readonly patterns: ReadonlyArray<string>
  readonly tags: ReadonlyArray<string>
  /** What is wrong with keys and lists. */
  readonly refused: ReadonlyArray<CacheError>
  /** What a function of the caller's threw: a defect of the call, once the others are done with. */
  readonly thrown: { readonly error: unknown } | undefined
}

/**
 * Whether the value of a write may be left in its slot. One that bears tags which the write invalidates would be stale at once: its
 * epoch is that of before the write, and no later one would do, because others may have invalidated those tags meanwhile.
 */
export const leavesValue = ({ fills, ownTags, plan: { region } }: WriteRequest): boolean =>
  fills && !(ownTags === true && (region.tagsOf !== undefined || region.staticTags.length > 0))

/** In place of a value that has to be waited for. */
const later = new Error("the value that was replaced is not there yet")

/** A list is made of parameters that there are none of: what it would have named stays. */
const lost = invalidOptionAs(
  "invalidate*",
  "a function of params, which the call does not give",
  "a key that can be made, or a list without params"
)

export const madeOld = (
  request: WriteRequest,
  listsOf: ListsOf,
  exit: Exit.Exit<unknown, unknown>,
  replaced: Replaced
): Effect.Effect<MadeOld, never, unknown> =>
  Effect.suspend(() => {
    const { plan } = request
    const before: Array<CacheError> = []
    const created = createdBy(request, exit, before)
    let previous: Option.Option<unknown> | undefined
    let waiting: ReturnType<Replaced["value"]> | undefined
    const written = {
      exit,
      params: created.params,
      previous: (): Option.Option<unknown> => {
        if (previous !== undefined) return previous
        const found = waiting ?? replaced.value()
        if (isDone(found)) return (previous = found.value)
        waiting = found
        throw later
      }
    }
    let lists = listsOf(written)
    const made = () => {
      const { keys, patterns, refused = [], tags, thrown } = lists
      const own = new Set(tags)
      const isLost = thrown !== undefined && thrown.error === request.keys
      if (request.ownTags === true) {
        for (const tag of plan.region.staticTags) own.add(tag)
        for (const tag of replaced.tags()) own.add(tag)
        for (const tag of newTags(request, exit, created, before)) own.add(tag)
      }
      return Effect.map(normalEach(keys), (normal) => ({
        created: created.key,
        keys: normal.good,
        patterns,
        tags: [...own],
        refused: [...before, ...refused, ...(isLost ? [lost] : []), ...normal.refused],
        thrown: created.thrown ?? (isLost ? undefined : thrown)
      }))
    }
    if (waiting === undefined) return made()
    return Effect.flatMap(waiting as ReturnType<Replaced["value"]>, (found) => {
      previous = found
      lists = listsOf(written)
      return made()
    })
  })

interface Created {
  readonly key: string | undefined
  readonly params: () => unknown
  readonly thrown: MadeOld["thrown"]
}

/**
 * The key of what was written is that of a row which may have been written since, or its tags and patterns invalidated: no lease was
 * held while it was, so its value must not be stored.
 */
const createdBy = (request: WriteRequest, exit: Exit.Exit<unknown, unknown>, refused: Array<CacheError>): Created => {
  const { keyOf, plan } = request
  if (keyOf === undefined || Exit.isFailure(exit)) {
    const given = () => {
      if (request.params === undefined) throw request.keys
      return request.params
    }
    return { key: undefined, params: given, thrown: undefined }
  }
  let made: unknown
  try {
    made = keyOf(exit.value)
    const key = plan.region.key.buildUnsafe((made ?? {}) as Readonly<Record<string, unknown>>)
    return { key, params: () => made, thrown: undefined }
  } catch (error) {
    if (error instanceof CacheError) {
      refused.push(error)
      return { key: undefined, params: () => made, thrown: undefined }
    }
    const rethrow = () => {
      throw error
    }
    return { key: undefined, params: rethrow, thrown: { error } }
  }
}

/** Those of the entry that the value makes, or would make. */
const newTags = (
  request: WriteRequest,
  exit: Exit.Exit<unknown, unknown>,
  { key, params, thrown }: Created,
  refused: Array<CacheError>
): ReadonlyArray<string> => {
  const { fills, keyOf, keys, plan } = request
  if (Exit.isFailure(exit) || thrown !== undefined || (fills ? request.params : keyOf) === undefined) return []
  const made = tagsOf(plan.region, key ?? String(keys), exit.value, params())
  if (!(made instanceof CacheError)) return made
  refused.push(made)
  return []
}
