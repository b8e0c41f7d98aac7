import { Effect, Fiber } from "effect"

/**
 * Runs two primitives so that both have sent their commands before either suspends: one flush, and `first` is carried out
 * before `second`. Both are awaited; the first failure in that order is the failure.
 */
export const together = <A, B, E, E2, R, R2>(
  first: Effect.Effect<A, E, R>,
  second: Effect.Effect<B, E2, R2>
): Effect.Effect<readonly [A, B], E | E2, R | R2> =>
  Effect.withFiber<readonly [A, B], E | E2, R | R2>((fiber) => {
    // A fork of its own runs at once, until it has sent. Primitives end within their deadline, so if this fiber is
    // interrupted meanwhile, the fork is not left behind for longer than that.
    const left = Effect.runForkWith(fiber.context as never)(first as Effect.Effect<A, E>)
    return Effect.flatMap(Effect.exit(second), (right) =>
      Effect.flatMap(left.pollUnsafe() ?? Fiber.join(left), (a) => Effect.map(right, (b) => [a, b] as const))
    )
  })
