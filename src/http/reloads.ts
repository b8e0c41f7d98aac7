/**
 * Reloads that clients ask for (`Cache-Control: no-cache`, `max-age`). Whoever asks must not get a response whose load began
 * before: an invalidation may have come in between. But if each began a load of its own, one client could keep a handler as
 * busy as it likes. So of each key one reload runs at a time in a process. Who asks meanwhile waits for it, and then all of
 * those share the next.
 */
import { Context, Effect, type Exit, Fiber } from "effect"

/** One who waits for a turn, and could lend it the context of a request that is still there. */
interface Waiter<A> {
  readonly caller: Fiber.Fiber<unknown, unknown>
  readonly load: Effect.Effect<A, unknown, unknown>
}

/** A reload that runs, or waits for its turn. */
class Turn<A> {
  fiber: Fiber.Fiber<A, unknown> | undefined
  readonly waiting = new Set<Waiter<A>>()
  begun = false
  /** The last who waited has left, and it is being interrupted. */
  left = false
}

export class Reloads<A> {
  readonly #lines = new Map<string, ReadonlyArray<Turn<A>>>()

  /**
   * Waits for a reload that begins after this call. `load` is used if no other call has one to share; the reload is
   * interrupted when the last one who waits has left.
   */
  ask(
    key: string,
    caller: Fiber.Fiber<unknown, unknown>,
    load: Effect.Effect<A, unknown, unknown>
  ): Effect.Effect<A, unknown> {
    return Effect.callback((resume) => {
      const line = this.#lines.get(key) ?? []
      const waiter: Waiter<A> = { caller, load }
      // Looked up and joined in one evaluation: a turn that has begun is no longer for those who come.
      const turn = line.find(({ begun, left }) => !left && !begun) ?? new Turn<A>()
      turn.waiting.add(waiter)
      if (turn.fiber === undefined) this.#launch(key, line, turn)
      const fiber = turn.fiber!
      const done = fiber.pollUnsafe()
      if (done !== undefined) return resume(done)
      const forget = fiber.addObserver((exit: Exit.Exit<A, unknown>) => resume(exit))
      return Effect.suspend(() => {
        forget()
        turn.waiting.delete(waiter)
        if (turn.waiting.size > 0 || fiber.pollUnsafe() !== undefined) return Effect.void
        turn.left = true
        return Fiber.interrupt(fiber)
      })
    })
  }

  #launch(key: string, before: ReadonlyArray<Turn<A>>, turn: Turn<A>): void {
    this.#lines.set(key, [...before, turn])
    // In the context of one who still waits when the turn comes: that of who asked first may have ended with its request.
    const begin = Effect.suspend(() => {
      const [first] = turn.waiting
      if (first === undefined) return Effect.interrupt
      turn.begun = true
      return Effect.provideContext(first.load, first.caller.context as Context.Context<unknown>)
    })
    const inTurn =
      before.length === 0
        ? begin
        : Effect.yieldNow.pipe(
            Effect.andThen(Effect.forEach(before, ({ fiber }) => Fiber.await(fiber!), { discard: true })),
            Effect.andThen(begin)
          )
    turn.fiber = Effect.runForkWith(Context.empty())(inTurn)
    turn.fiber.addObserver(() => {
      const left = this.#lines.get(key)!.filter((other) => other !== turn)
      if (left.length === 0) this.#lines.delete(key)
      else this.#lines.set(key, left)
    })
  }
}
