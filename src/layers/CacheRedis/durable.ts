/**
 * Acknowledgements that wait for replicas.
 *
 * `WAIT` speaks of what was written by the connection it is sent on, so it goes to the very connections that carried the
 * writes out. It blocks the connection it is sent on; so these writes have connections of their own, where no read waits
 * behind them. The protocol needs no order between commands of two operations that are under way at once.
 */
import { Effect } from "effect"
import { CacheError, NotReplicated, Unavailable } from "../../CacheError.ts"
import { all, Commands, type Served } from "./commands.ts"
import { type Connection, numberOf, type Reply } from "./connection.ts"
import type { Nodes } from "./nodes.ts"

/** Runs writes; with `durability`, until replicas have them. Otherwise fails with `NotReplicated`, and they may have happened. */
export type Replicated = <A>(
  write: (commands: Commands) => Effect.Effect<A, CacheError>,
  /** Whether this outcome needs replicas. Default: every one. */
  matters?: (outcome: A) => boolean
) => Effect.Effect<A, CacheError>

/** For a layer without `durability`: the primary's word is enough. */
export const notReplicated =
  (commands: Commands): Replicated =>
  (write) =>
    write(commands)

interface Waiting {
  readonly turn: number
  readonly replies: Array<Reply>
}

export const makeReplicated = (
  nodes: Nodes,
  { replicas, timeoutMillis }: { readonly replicas: number; readonly timeoutMillis: number }
): Replicated => {
  const commands = new Commands(nodes)
  const queued = new Map<Connection, Waiting>()

  /** One `WAIT` speaks for all that was written before it, so those of one flush share it. */
  const wait = (connection: Connection, incarnation: number, reply: Reply): void => {
    if (connection.incarnation !== incarnation) {
      const cause = new Error("the connection was lost before replicas could be asked")
      return reply(
        new CacheError({ reason: new Unavailable({ backend: "redis", operation: "wait", cause }) }),
        undefined
      )
    }
    const shared = queued.get(connection)
    if (shared?.turn === nodes.turn.count) return void shared.replies.push(reply)
    const waiting: Waiting = { turn: nodes.turn.count, replies: [reply] }
    queued.set(connection, waiting)
    connection.command(
      "wait",
      "wait",
      [replicas, timeoutMillis],
      "utf8",
      (error, value, by) => {
        if (queued.get(connection) === waiting) queued.delete(connection)
        for (const each of waiting.replies) each(error, value, by)
      },
      true
    )
  }

  return (write, matters = () => true) =>
    Effect.suspend(() => {
      const served: Served = new Map()
      return Effect.tap(write(commands.noting(served)), (outcome) => {
        if (!matters(outcome)) return Effect.void
        const connections = [...served]
        return Effect.flatMap(
          all(connections.length, (i, reply) => wait(...connections[i]!, reply)),
          (counts) => {
            const acknowledged = counts.reduce<number>((least, count) => Math.min(least, numberOf(count)), Infinity)
            return acknowledged >= replicas
              ? Effect.void
              : Effect.fail(
                  new CacheError({
                    reason: new NotReplicated({ backend: "redis", replicas, acknowledged, millis: timeoutMillis })
                  })
                )
          }
        )
      })
    })
}
