/**
 * Reloads that clients ask for (`Cache-Control: no-cache`, `max-age`). Whoever asks must not get a response whose load began
 * before; but if each began a load of its own, one client could keep a handler as busy as it likes. So of each key one
 * reload runs at a time in a process. Who asks meanwhile waits for it, and then all of those share the next.
 */
import { Effect, type Exit, Fiber } from "effect"

/** A reload that runs, or waits for its turn. */
class Turn<A> {
  fiber: Fiber.Fiber<A, unknown> | undefined
  waiters = 0
  begun = false
  /** The last who waited has left, and it is being interrupted. */
  left = false
}

export class Reloads<A> {
  readonly #lines = new Map<string, ReadonlyArray<Turn<A>>>()

  /**
   * Waits for a reload that begins after this call; with `orRunning`, for one that runs already, if there is one. `load` is
   * used if no other call has a reload to share; it is interrupted when the last one who waits has left.
   */
  ask(
    key: string,
    caller: Fiber.Fiber<unknown, unknown>,
    load: Effect.Effect<A, unknown, unknown>,
    orRunning: boolean
  ): Effect.Effect<A, unknown> {
    return Effect.callback((resume) => {
      const line = this.#lines.get(key) ?? []
      // Looked up and joined in one evaluation: a turn that has begun is no longer for those who come.
      const turn =
        line.find(({ begun, left }) => !left && (orRunning || !begun)) ?? this.#begin(key, line, caller, load)
      const fiber = turn.fiber!
      const done = fiber.pollUnsafe()
      if (done !== undefined) return resume(done)
      turn.waiters++
      const forget = fiber.addObserver((exit: Exit.Exit<A, unknown>) => resume(exit))
      return Effect.suspend(() => {
        forget()
        if (--turn.waiters > 0 || fiber.pollUnsafe() !== undefined) return Effect.void
        turn.left = true
        return Fiber.interrupt(fiber)
      })
    })
  }

  #begin(
    key: string,
    before: ReadonlyArray<Turn<A>>,
    caller: Fiber.Fiber<unknown, unknown>,
    load: Effect.Effect<A, unknown, unknown>
  ): Turn<A> {
    const turn = new Turn<A>()
    this.#lines.set(key, [...before, turn])
    const body = Effect.suspend(() => {
      turn.begun = true
      return load
    })
    const inTurn =
      before.length === 0
        ? body
        : Effect.yieldNow.pipe(
            Effect.andThen(Effect.forEach(before, ({ fiber }) => Fiber.await(fiber!), { discard: true })),
            Effect.andThen(body)
          )
    turn.fiber = Effect.runForkWith(caller.context as never)(inTurn as Effect.Effect<A, unknown>)
    turn.fiber.addObserver(() => {
      const left = this.#lines.get(key)!.filter((other) => other !== turn)
      if (left.length === 0) this.#lines.delete(key)
      else this.#lines.set(key, left)
    })
    return turn
  }
}
