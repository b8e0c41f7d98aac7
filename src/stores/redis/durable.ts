/**
 * Acknowledgements that wait for replicas.
 *
 * `WAIT` speaks of what was written by the connection it is sent on, so it goes to the very connections that carried the
 * writes out. It blocks the connection it is sent on; so these writes have connections of their own, where no read waits
 * behind them. The protocol needs no order between commands of two operations that are under way at once.
 *
 * It must also speak of what others wrote: an entry that is not found any more may be gone only here. From Redis 7.2 on it
 * speaks of the last command of the connection that changed something, so one that always does is sent before it, also to a
 * server that is out of memory: freeing some is what invalidations are for.
 */
import { Effect } from "effect"
import { CacheError, NotReplicated } from "../../CacheError.ts"
import { all, Commands, type Names, type Served } from "./commands.ts"
import type { Nodes } from "./nodes/nodes.ts"
import { isServerError, unavailable } from "./wire/describe.ts"
import { type Link, numberOf, type Reply } from "./wire/wire.ts"

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

interface Asking {
  readonly reply: Reply
  readonly incarnation: number
}

/** The `WAIT`s of a connection: at most one under way, and those who came too late for it. */
interface Line {
  asked: Array<Asking> | undefined
  /** The turn in which it was queued. While that lasts it was not sent, and speaks for whoever joins. */
  turn: number
  next: Array<Asking>
  /** Decides the slot of what is written before a `WAIT`. */
  part: number
  /** How often that slot turned out to be elsewhere, since the last `WAIT` that went well. */
  misplaced: number
}

const mark = `#!lua flags=allow-oom
return redis.call("SET", KEYS[1], "", "PX", ARGV[1])`

const markMillis = 60_000

const maxMisplaced = 5

export const makeReplicated = (
  nodes: Nodes,
  names: Pick<Names, "wait">,
  { replicas, timeoutMillis }: { readonly replicas: number; readonly timeoutMillis: number }
): Replicated => {
  const commands = new Commands(nodes)
  const lines = new WeakMap<Link, Line>()

  const lost = () => unavailable("wait", "the connection was lost before replicas could be asked")

  const send = (connection: Link, line: Line): void => {
    const asked: Array<Asking> = []
    for (const one of line.next) {
      if (one.incarnation === connection.incarnation) asked.push(one)
      else one.reply(lost(), undefined)
    }
    line.next = []
    if (asked.length === 0) return
    line.asked = asked
    const part = nodes.partOn(connection, line.part)
    // In a node without slots nothing can be written for oneself.
    let marked = part === undefined
    let misplaced = false
    if (part !== undefined) {
      line.part = part
      connection.command("wait", "eval", [mark, 1, names.wait(part), markMillis], "utf8", (error) => {
        marked = error === undefined
        misplaced = isServerError(error, "MOVED") || isServerError(error, "ASK")
      })
    }
    line.turn = nodes.turn.count
    connection.command(
      "wait",
      "wait",
      [replicas, timeoutMillis],
      "utf8",
      (error, value, by) => {
        line.asked = undefined
        if (misplaced && line.misplaced++ < maxMisplaced) {
          // The slot has just moved away; another one may be still here.
          line.part++
          line.next.unshift(...asked)
        } else {
          line.misplaced = 0
          for (const { reply } of asked) reply(error, marked ? value : 0, by)
        }
        if (line.asked === undefined) send(connection, line)
      },
      true
    )
  }

  /**
   * One `WAIT` speaks for all that was written before it, so those of one flush share it. Redis answers those of a connection one
   * after the other, each after its whole timeout if replicas are missing: so there is never more than one.
   */
  const wait = (connection: Link, incarnation: number, reply: Reply): void => {
    let line = lines.get(connection)
    if (line === undefined)
      lines.set(connection, (line = { asked: undefined, turn: -1, next: [], part: 0, misplaced: 0 }))
    const one = { reply, incarnation }
    if (line.asked !== undefined && line.turn === nodes.turn.count && incarnation === connection.incarnation) {
      return void line.asked.push(one)
    }
    line.next.push(one)
    if (line.asked === undefined) send(connection, line)
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
            // What is no number is no acknowledgement.
            const acknowledged = counts.reduce<number>(
              (least, count) => Math.min(least, numberOf(count) || 0),
              Infinity
            )
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
