/**
 * Reloads that clients ask for (`Cache-Control: no-cache`, `max-age`). Whoever asks must not get a response whose load began
 * before: an invalidation may have come in between. But if each began a load of its own, one client could keep a handler as
 * busy as it likes. So of each key one turn of reloads runs at a time in a process. Who asks meanwhile waits for it, and then
 * all of those ask for theirs in one evaluation, so that the engine makes one load of them.
 */
import { Effect, Exit } from "effect"

/** Those whose reload is one. */
export class Turn<A> {
  /** What the one among them whose loader ran leaves to the others. */
  made: A | undefined = undefined
  readonly members = new Set<() => void>()
}

/** The turn that runs, and the one that waits for its end. */
interface Line<A> {
  running: Turn<A>
  next: Turn<A>
}

export class Reloads<A> {
  readonly #lines = new Map<string, Line<A>>()

  /** Asks in the fiber that calls, in a turn that begins after this call. */
  ask<B, E, R>(key: string, load: (turn: Turn<A>) => Effect.Effect<B, E, R>): Effect.Effect<B, E, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const line = this.#lines.get(key)
        let begin = (): void => {}
        const turn = line === undefined ? new Turn<A>() : line.next
        const member = (): void => begin()
        turn.members.add(member)
        if (line === undefined) this.#lines.set(key, { running: turn, next: new Turn() })
        const wait =
          line === undefined
            ? Effect.void
            : Effect.callback<void>((resume) => {
                if (line.running === turn) resume(Exit.void)
                else begin = () => resume(Exit.void)
              })
        const asked = Effect.andThen(
          wait,
          Effect.suspend(() => load(turn))
        )
        return Effect.onExit(restore(asked), () =>
          Effect.sync(() => {
            turn.members.delete(member)
            this.#turnOver(key)
          })
        )
      })
    )
  }

  #turnOver(key: string): void {
    const line = this.#lines.get(key)
    if (line === undefined || line.running.members.size > 0) return
    if (line.next.members.size === 0) {
      this.#lines.delete(key)
      return
    }
    line.running = line.next
    line.next = new Turn()
    // All of them before any of their loads is sent.
    for (const begin of [...line.running.members]) begin()
  }
}
