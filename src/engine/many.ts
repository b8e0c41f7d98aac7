/**
 * Lists of keys and tags as callers give them, made ready a step at a time: hashing and comparing 100,000 of them would hold
 * the event loop.
 */
import { Effect } from "effect"
import type { CacheError } from "../CacheError.ts"
import { normalizeKey } from "../CacheKey.ts"
import { inSteps, stepSize } from "../internal/inSteps.ts"
import { checked, stringsOf } from "../region/checks.ts"

/** Texts that go into a set in one step. */
const setStep = 4_096

/** Keys that are read and opened in one step. */
export const readStep = 1_024

/** Texts as a caller gave them, taken at once: the list is the caller's, and may change while others run. */
export const listOf = (option: string, items: Iterable<string>): Effect.Effect<ReadonlyArray<string>, CacheError> =>
  checked(() => stringsOf(option, items))

/** Each of them once, in the order of their first. */
export const distinct = (all: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>> =>
  Effect.suspend(() => {
    const seen = new Set<string>()
    return Effect.map(
      inSteps(all, setStep, (step) =>
        Effect.sync(() => {
          for (const item of step) seen.add(item)
        })
      ),
      () => (seen.size === all.length ? all : [...seen])
    )
  })

/** Each of the keys as it is stored. A long one is hashed. */
export const normalKeys = (keys: Iterable<string>): Effect.Effect<ReadonlyArray<string>, CacheError> =>
  Effect.flatMap(listOf("keys", keys), (list) =>
    Effect.map(
      inSteps(list, stepSize, (step) => checked(() => step.map(normalizeKey))),
      (steps) => (steps.length === 1 ? steps[0]! : steps.flat())
    )
  )

interface NormalEach {
  readonly good: ReadonlyArray<string>
  readonly refused: ReadonlyArray<CacheError>
}

const nothing: ReadonlyArray<never> = []
const noKeys = Effect.succeed<NormalEach>({ good: nothing, refused: nothing })

const normalOne = (key: string): NormalEach => {
  try {
    return { good: [normalizeKey(key)], refused: nothing }
  } catch (error) {
    return { good: nothing, refused: [error as CacheError] }
  }
}

/** The same, each by itself: what is no key is told of, and left out. */
export const normalEach = (keys: ReadonlyArray<string>): Effect.Effect<NormalEach> => {
  if (keys.length === 0) return noKeys
  if (keys.length === 1) return Effect.succeed(normalOne(keys[0]!))
  return Effect.suspend(() => {
    const good = new Set<string>()
    const refused: Array<CacheError> = []
    const some = (step: ReadonlyArray<string>) =>
      Effect.sync(() => {
        for (const key of step) {
          try {
            good.add(normalizeKey(key))
          } catch (error) {
            refused.push(error as CacheError)
          }
        }
      })
    return Effect.map(inSteps([...keys], stepSize, some), () => ({ good: [...good], refused }))
  })
}
