/**
 * Long lists, a step at a time: others get their turn between two steps, and each step has deadlines of its own.
 */
import { Effect } from "effect"

/** Items of one step where each is a command of its own, or is hashed: some milliseconds of this side, and of a server. */
export const stepSize = 256

/**
 * Gives `f` so many items at a time, one step after the other, and others their turn between two. The first step is run at
 * once; a list that is one step is handed on as it is.
 */
export const inSteps = <A, B, E, R>(
  items: ReadonlyArray<A>,
  size: number,
  f: (step: ReadonlyArray<A>) => Effect.Effect<B, E, R>
): Effect.Effect<ReadonlyArray<B>, E, R> => {
  if (items.length <= size) return Effect.map(f(items), (one) => [one])
  return Effect.suspend(() => {
    const results: Array<B> = []
    const from = (at: number): Effect.Effect<ReadonlyArray<B>, E, R> =>
      Effect.flatMap(f(items.slice(at, at + size)), (result) => {
        results.push(result)
        const next = at + size
        if (next >= items.length) return Effect.succeed(results)
        return Effect.andThen(
          Effect.yieldNow,
          Effect.suspend(() => from(next))
        )
      })
    return from(0)
  })
}

export const sum = (counts: ReadonlyArray<number>): number => counts.reduce((total, count) => total + count, 0)
