/**
 * A command on its way: queued, sent, answered or given up.
 */
import type { Command, Redis } from "ioredis"
import { driver } from "../driver.ts"
import type { Waiting } from "./deadlines.ts"
import type { Argument, Reply, ReplyEncoding } from "./wire.ts"

export interface Job extends Waiting {
  at: number
  readonly operation: string
  readonly name: string
  readonly args: ReadonlyArray<Argument>
  readonly encoding: ReplyEncoding
  readonly reply: Reply
  /** Since when it is on its connection; `at` is earlier where it was sent elsewhere first. Moves on with `at`. */
  arrived: number
  /** How many replies its connection had seen then. */
  seen: number
  /**
   * Its deadline counts from when it is sent, and `at` moves on then: it was asked for on a connection that is open, and waits for
   * the turn of the event loop to end, or for others to be answered.
   */
  readonly held: boolean
  command: Command | undefined
  /** When its flush was sent, if it is the last of it; otherwise 0. */
  flushedAt: number
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

let defuses: boolean | undefined

/** Whether a command is written as it is when it is sent, and not as it was when it was made. */
const tryDefuse = (): boolean => {
  const { Command } = driver()
  try {
    const command = new Command("set", ["k", Buffer.from("v")], {}, () => {})
    defuse(command)
    return String(command.toWritable({})) === "*1\r\n$4\r\nping\r\n"
  } catch {
    return false
  }
}

/** Whether a client may carry out a command whose caller was told that it failed. */
export const sendsLate = ({ options }: Redis): boolean =>
  !(defuses ??= tryDefuse()) &&
  (options.enableOfflineQueue !== false || options.autoResendUnfulfilledCommands !== false)
