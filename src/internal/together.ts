import { Context, Effect, Fiber } from "effect"

/** Whether a fork has run, until it first waits, when it is there. Nobody has promised that, so it is tried. */
let atOnce: boolean | undefined

export const forksAtOnce = (): boolean => (atOnce ??= tryFork())

const tryFork = (): boolean => {
  let sent = false
  const sends = Effect.callback<void>((resume) => {
    sent = true
    resume(Effect.void)
  })
  Effect.runForkWith(Context.empty())(Effect.andThen(Effect.void, sends))
  return sent
}

/**
 * Runs two primitives so that both have sent their commands before either suspends: one flush, and `first` is carried out
 * before `second`. Both are awaited; the first failure in that order is the failure.
 */
export const together = <A, B, E, E2, R, R2>(
  first: Effect.Effect<A, E, R>,
  second: Effect.Effect<B, E2, R2>
): Effect.Effect<readonly [A, B], E | E2, R | R2> =>
  Effect.withFiber<readonly [A, B], E | E2, R | R2>((fiber) => {
    if (!forksAtOnce()) return inTurn(first, second)
    // A fork of its own runs at once, until it has sent. Primitives end within their deadline, so if this fiber is
    // interrupted meanwhile, the fork is not left behind for longer than that.
    const left = Effect.runForkWith(fiber.context as never)(first as Effect.Effect<A, E>)
    return Effect.flatMap(Effect.exit(second), (right) =>
      Effect.flatMap(left.pollUnsafe() ?? Fiber.join(left), (a) => Effect.map(right, (b) => [a, b] as const))
    )
  })

/** Two flushes, in the order that counts. */
const inTurn = <A, B, E, E2, R, R2>(
  first: Effect.Effect<A, E, R>,
  second: Effect.Effect<B, E2, R2>
): Effect.Effect<readonly [A, B], E | E2, R | R2> =>
  Effect.flatMap(Effect.exit(first), (left) =>
    Effect.flatMap(Effect.exit(second), (right) =>
      Effect.flatMap(left, (a) => Effect.map(right, (b) => [a, b] as const))
    )
  )
