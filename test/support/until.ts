import { Effect } from "effect"

/** Polls until it holds, for what a server does by itself. A failure counts as not yet; the test's own time limit ends it. */
export const until = (condition: Effect.Effect<boolean, unknown>): Effect.Effect<void> =>
  Effect.flatMap(
    Effect.orElseSucceed(condition, () => false),
    (holds) => (holds ? Effect.void : Effect.andThen(Effect.sleep(25), until(condition)))
  )
