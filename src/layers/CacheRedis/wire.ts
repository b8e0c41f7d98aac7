/**
 * What goes into a connection and comes out of it.
 */
import type { Redis } from "ioredis"
import type { CacheError } from "../../CacheError.ts"
import type { Connection } from "./connection.ts"
import type { OnRefused } from "./reads.ts"

/** `by` is the connection that was asked. */
export type Reply = (error: CacheError | undefined, reply: unknown, by?: Connection) => void
export type Argument = string | number | Buffer

/** `null` gives bytes, `"utf8"` text. For numbers see `numberOf`. */
export type ReplyEncoding = "utf8" | null

/** A reply that is a number. A client that was brought along gives text for it, if told so (`stringNumbers`). */
export const numberOf = (reply: unknown): number => Number(reply)

/** Whether a script said yes, or a command found one. */
export const isOne = (reply: unknown): boolean => numberOf(reply) === 1

/** What a connection is made of. */
export interface ConnectionOptions {
  readonly client: Redis
  /** False for a client that was brought along. */
  readonly owned: boolean
  readonly timeoutMillis: number
  readonly connectTimeoutMillis: number
  /** Shared by the connections of a cluster. */
  readonly turn: Turn
  /** The server must be a primary. A node of a cluster that is none says so itself, by a redirection. */
  readonly primaryOnly: boolean
  /** Told when the server went away or came back. */
  readonly onChange?: (() => void) | undefined
  /** On Cluster, where a command reads keys of one slot only: takes over reads that failed. */
  readonly onRefused?: OnRefused | undefined
}

/**
 * Moves on when bytes leave and when a command that may write is queued. A `WAIT` may be shared only while it stays: then
 * it was not sent, and nothing that it must speak for is behind it.
 */
export interface Turn {
  count: number
}
