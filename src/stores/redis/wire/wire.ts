/**
 * What goes into a connection and comes out of it.
 */
import type { CacheError } from "../../../CacheError.ts"

/** What others than its owner know of a connection. */
export interface Link {
  /** Grows with every connect: what one connection wrote, the next one knows nothing of. */
  readonly incarnation: number
  readonly command: (
    operation: string,
    name: string,
    args: ReadonlyArray<Argument>,
    encoding: ReplyEncoding,
    reply: Reply,
    readOnly?: boolean
  ) => void
}

/** `by` is the connection that was asked. The deadline began at `at`, which goes with what is sent on elsewhere. */
export type Reply = (error: CacheError | undefined, reply: unknown, by?: Link, at?: number) => void
export type Argument = string | number | Buffer

/** `null` gives bytes, `"utf8"` text. For numbers see `numberOf`. */
export type ReplyEncoding = "utf8" | null

/** A reply that is a number. A client that was brought along gives text for it, if told so (`stringNumbers`). */
export const numberOf = (reply: unknown): number => Number(reply)

/** Whether a script said yes, or a command found one. */
export const isOne = (reply: unknown): boolean => numberOf(reply) === 1

/**
 * Moves on when bytes leave and when a command that may write is queued. A `WAIT` may be shared only while it stays: then
 * it was not sent, and nothing that it must speak for is behind it.
 */
export interface Turn {
  count: number
}
