import { type Effect, Exit } from "effect"

/** Whether an effect has succeeded before it is run. Where nothing takes time, its caller goes on in the same evaluation. */
export const isDone = <A, E, R>(self: Effect.Effect<A, E, R>): self is Exit.Success<A, E> =>
  Exit.isExit(self) && Exit.isSuccess(self)
