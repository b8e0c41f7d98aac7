/**
 * The servers that hold the keys: one primary, or those of a cluster. A command comes with the key that decides where it goes.
 */
import { Effect } from "effect"
import type { CacheError } from "../../../CacheError.ts"
import type { Connection } from "../wire/connection.ts"
import type { Read, Reader } from "../wire/reads.ts"
import type { Argument, Link, Reply, ReplyEncoding, Turn } from "../wire/wire.ts"

/** The primaries at one moment, and what tells that keys have moved between two moments. */
export interface Survey {
  readonly primaries: ReadonlyArray<Connection>
  /** Which primary has which slots. */
  readonly owners: string
  /** Keys are on their way from one primary to another. */
  readonly moving: boolean
}

export interface Nodes {
  readonly timeoutMillis: number
  readonly turn: Turn
  /** Commands are carried out in the order in which they are queued, whatever their keys. */
  readonly inOrder: boolean
  /** The connection that a command for this key would be sent on; `undefined` when none is known. */
  readonly of: (key: string) => Connection | undefined
  /** A number whose slot this connection has: `from`, if it is one; `undefined` when it has no slot. */
  readonly partOn: (connection: Link, from: number) => number | undefined
  /**
   * Queues a command. `reply` is called exactly once, within the deadline, which counts from when it is sent. How long it waits
   * to be sent is bounded, too: see `wire/outbox.ts`.
   */
  readonly command: (
    key: string,
    operation: string,
    name: string,
    args: ReadonlyArray<Argument>,
    encoding: ReplyEncoding,
    reply: Reply,
    readOnly?: boolean
  ) => void
  /** Reads a key, with others of this tick. `reader` is told exactly once, within the same deadline. */
  readonly read: (name: string, reader: Reader) => Read
  /** All primaries there are, asked of them now. */
  readonly survey: Effect.Effect<Survey, CacheError>
  /** The primaries as they are known, for what may be approximate. */
  readonly primaries: () => ReadonlyArray<Connection>
  readonly close: () => Promise<void>
}

/** A primary by itself. */
export class Single implements Nodes {
  readonly turn: Turn
  readonly timeoutMillis: number
  readonly inOrder = true
  readonly survey: Effect.Effect<Survey>
  readonly connection: Connection

  constructor(connection: Connection, turn: Turn) {
    this.connection = connection
    this.turn = turn
    this.timeoutMillis = connection.timeoutMillis
    this.survey = Effect.succeed({ primaries: [connection], owners: "", moving: false })
  }

  of(_key: string): Connection {
    return this.connection
  }

  partOn(_connection: Link, from: number): number {
    return from
  }

  command(
    _key: string,
    operation: string,
    name: string,
    args: ReadonlyArray<Argument>,
    encoding: ReplyEncoding,
    reply: Reply,
    readOnly?: boolean
  ): void {
    this.connection.command(operation, name, args, encoding, reply, readOnly)
  }

  read(name: string, reader: Reader): Read {
    return this.connection.read(name, 0, reader)
  }

  primaries(): ReadonlyArray<Connection> {
    return [this.connection]
  }

  close(): Promise<void> {
    return this.connection.close()
  }
}
