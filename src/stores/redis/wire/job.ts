/**
 * A command on its way: queued, sent, answered or given up.
 */
import type { Command } from "ioredis"
import type { Waiting } from "./deadlines.ts"
import type { Argument, Reply, ReplyEncoding } from "./wire.ts"

export interface Job extends Waiting {
  readonly operation: string
  readonly name: string
  readonly args: ReadonlyArray<Argument>
  readonly encoding: ReplyEncoding
  readonly reply: Reply
  /** How many replies its connection had seen when it was queued. */
  readonly seen: number
  command: Command | undefined
}

/**
 * Takes a command out of what is sent. A client that was brought along keeps one until it is answered, also one that timed
 * out, and may send it again after a reconnect, or late from its offline queue. A PING goes in its place. What was written
 * already is not changed.
 */
export const defuse = (command: Command): void => {
  command.name = "ping"
  command.args = []
}
