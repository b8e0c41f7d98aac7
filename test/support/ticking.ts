import { Effect } from "effect"

/**
 * Runs something beside a ticking that stands for all others of the process: it counts the turns of the event loop that it gets.
 * How long a turn takes says more of the host than of the code; how many there are does not.
 */
export const ticking = <A, E, R>(self: (ticks: () => number) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    let count = 0
    let next: NodeJS.Immediate
    const tick = () => {
      count++
      next = setImmediate(tick)
    }
    next = setImmediate(tick)
    return Effect.ensuring(
      self(() => count),
      Effect.sync(() => clearImmediate(next))
    )
  })
