import { Effect } from "effect"

/** Runs the first effect that it is given, and none after it. */
export const makeOnce = (): ((said: Effect.Effect<void>) => Effect.Effect<void>) => {
  let told = false
  return (said) =>
    Effect.suspend(() => {
      if (told) return Effect.void
      told = true
      return said
    })
}
