/**
 * From a socket that is connected to a connection that may be used, or to the next attempt.
 */
import type { Redis } from "ioredis"
import { checkDatabase, checkOwn, type Checked } from "./handshake.ts"
import type { ConnectionOptions } from "./redisClient.ts"

/** How long to leave a server alone that is a replica, or a client that has given up, before trying again. */
const againMillis = 400

const noop = () => {}

/** What a connection is told, and asked. */
interface Told {
  readonly open: () => void
  readonly refuse: (problem: string, refused: string | undefined) => void
  readonly isClosed: () => boolean
  readonly isDown: () => boolean
}

export class Attempts {
  private readonly options: ConnectionOptions
  private readonly client: Redis
  private readonly describe: (error: unknown) => string
  private readonly told: Told
  private timer: NodeJS.Timeout | undefined

  constructor(options: ConnectionOptions, describe: (error: unknown) => string, told: Told) {
    this.options = options
    this.client = options.client
    this.describe = describe
    this.told = told
  }

  stop(): void {
    clearTimeout(this.timer)
  }

  // ioredis limits the time of the TCP connect, but would wait for ever for a server that accepts and then says nothing.
  readonly onConnect = (): void => {
    const { connectTimeoutMillis, owned } = this.options
    if (!owned) return
    this.stop()
    const { stream } = this.client
    this.timer = setTimeout(() => stream.destroy(), connectTimeoutMillis).unref()
  }

  /** What ioredis calls ready, and we look at once more. `moved`: to another database. */
  onReady(moved: boolean): void {
    const { client, describe, told } = this
    const { database, owned, primaryOnly } = this.options
    if (told.isClosed()) return
    if (owned && !primaryOnly) return told.open()
    const done: Checked = (problem, refused) => {
      if (told.isClosed() || client.status !== "ready") return
      if (problem === undefined) return told.open()
      told.refuse(problem, refused)
      this.timer = setTimeout(() => {
        if (!told.isDown()) return
        if (owned) client.disconnect(true)
        else if (client.status === "ready") this.onReady(true)
      }, againMillis).unref()
    }
    if (owned) checkOwn(client, describe, done)
    else checkDatabase(client, describe, done, moved, database)
  }

  // ioredis gives up for good when sentinels name another primary in the middle of its asking for one.
  onEnd(): void {
    const { client, told } = this
    if (!this.options.owned || told.isClosed()) return
    setTimeout(() => {
      if (told.isDown() && client.status === "end") client.connect().catch(noop)
    }, againMillis).unref()
  }
}
