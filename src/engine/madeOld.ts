/**
 * What a write has made old, once it is known how it ended. Nothing of it is carried out here.
 */
import { Effect, Exit } from "effect"
import { CacheError } from "../CacheError.ts"
import { type ListsOf, paramsOf, type WriteRequest } from "./contract.ts"
import { normalEach } from "./many.ts"

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
 * The key of what was written is that of a row which may have been written since, or its tags and patterns invalidated: no lease was
 * held while it was, so its value must not be stored.
 */
export const madeOld = (
  request: WriteRequest,
  listsOf: ListsOf,
  exit: Exit.Exit<unknown, unknown>
): Effect.Effect<MadeOld> =>
  Effect.suspend(() => {
    const { keyOf, plan } = request
    const before: Array<CacheError> = []
    let params = (): unknown => paramsOf(request)
    let created: string | undefined
    let threw: { readonly error: unknown } | undefined
    if (keyOf !== undefined && Exit.isSuccess(exit)) {
      try {
        const made = keyOf(exit.value)
        params = () => made
        created = plan.region.key.buildUnsafe((made ?? {}) as Readonly<Record<string, unknown>>)
      } catch (error) {
        if (error instanceof CacheError) before.push(error)
        else {
          threw = { error }
          params = () => {
            throw error
          }
        }
      }
    }
    const { keys, patterns, refused = [], tags, thrown = threw } = listsOf({ exit, params })
    return Effect.map(normalEach(keys), (normal) => ({
      created,
      keys: normal.good,
      patterns,
      tags,
      refused: [...before, ...refused, ...normal.refused],
      thrown: threw ?? thrown
    }))
  })
