/**
 * Hints that a lease ended, by pub/sub on one more connection that is opened when somebody first waits. A hint may be
 * lost: without the connection, or with too many keys waited for, nothing ever completes, and callers poll.
 */
import { Effect } from "effect"
import type { Redis } from "ioredis"
import type { Nodes } from "./nodes/nodes.ts"
import type { Connection } from "./wire/connection.ts"
import { watchHandshake } from "./wire/handshake.ts"
import { Pings } from "./wire/pings.ts"
import { closeClient, duplicated } from "./wire/redisClient.ts"

interface Waiter {
  /** Asks whether the lease is gone already; called once the subscription is in force. */
  readonly check: () => void
  readonly wake: () => void
}

interface Channel {
  readonly waiters: Set<Waiter>
  subscribed: boolean
}

/** More channels than this are not subscribed to. */
const maxChannels = 10_000

/** The pause before a connection that has ended for good is replaced. */
const reopenMillis = 500

const noop = () => {}

export class Hints {
  private readonly nodes: Nodes
  private readonly pings: Pings
  private pinging = false
  private readonly channels = new Map<string, Channel>()
  private subscriber: Redis | undefined
  /** The connection that it is a duplicate of. */
  private from: Connection | undefined
  private closed = false
  private reopening: NodeJS.Timeout | undefined

  constructor(nodes: Nodes, pingMillis: number | undefined) {
    this.nodes = nodes
    this.pings = new Pings(pingMillis, () => 0, this.ping)
  }

  /** How many channels are waited for. */
  get size(): number {
    return this.channels.size
  }

  /** Completes on the next message of `channel`, or when `isGone` says that there is nothing left to wait for. */
  wait(channel: string, isGone: (gone: () => void) => void): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.closed) return
      let entry = this.channels.get(channel)
      if (entry === undefined) {
        if (this.channels.size >= maxChannels) return
        entry = { waiters: new Set(), subscribed: false }
        this.channels.set(channel, entry)
        this.subscribe([channel])
      }
      const { waiters } = entry
      const leave = () => {
        if (!waiters.delete(waiter) || waiters.size > 0 || this.channels.get(channel)?.waiters !== waiters) return
        this.channels.delete(channel)
        const subscriber = this.subscriber
        if (subscriber?.status === "ready") subscriber.unsubscribe(channel).catch(this.refused("unsubscribe"))
      }
      const waiter: Waiter = {
        wake: () => {
          leave()
          resume(Effect.void)
        },
        check: () =>
          isGone(() => {
            if (waiters.has(waiter)) waiter.wake()
          })
      }
      waiters.add(waiter)
      // A lease that ended before the subscription was in force sends no message any more.
      if (entry.subscribed) waiter.check()
      return Effect.sync(leave)
    })
  }

  async close(): Promise<void> {
    this.closed = true
    this.pings.stop()
    this.channels.clear()
    const subscriber = this.subscriber
    this.subscriber = undefined
    if (subscriber !== undefined) await closeClient(subscriber)
  }

  private subscribe(channels: ReadonlyArray<string>): void {
    const subscriber = (this.subscriber ??= this.open())
    // Otherwise `ready` subscribes to all of them.
    if (subscriber?.status !== "ready" || channels.length === 0) return
    subscriber.subscribe(...channels, (error?: Error | null) => {
      if (error) return this.refused("subscribe")(error)
      for (const name of channels) {
        const channel = this.channels.get(name)
        if (channel === undefined) continue
        channel.subscribed = true
        for (const waiter of [...channel.waiters]) waiter.check()
      }
    })
  }

  // In subscriber mode, too, a PING is allowed.
  private readonly ping = (): void => {
    const { subscriber } = this
    if (subscriber?.status !== "ready") return
    if (this.pinging) {
      // The one before was not answered: the peer is gone, and hints would be missing without a word.
      subscriber.disconnect(true)
      subscriber.stream.destroy()
      return
    }
    this.pinging = true
    subscriber.ping((error?: Error | null) => {
      this.pinging = false
      if (error) this.refused("ping")(error)
    })
  }

  /** Without hints callers poll, and nobody would see why. */
  private refused(name: string): (error: unknown) => void {
    const { from } = this
    return (error) => from?.reports.refused(name, from.describe(error))
  }

  private reopenSoon(): void {
    this.reopening ??= setTimeout(() => {
      this.reopening = undefined
      if (!this.closed && this.channels.size > 0) this.subscribe([...this.channels.keys()])
    }, reopenMillis).unref()
  }

  // A message reaches every node of a cluster, so any of them will do, and another when that one is gone.
  private open(): Redis | undefined {
    const { nodes } = this
    const primaries = nodes.primaries()
    const from = primaries.find((connection) => connection.ready) ?? primaries[0]
    if (from === undefined) {
      this.reopenSoon()
      return undefined
    }
    this.from = from
    const { client, describe, reports } = from
    const name = client.options.connectionName
    const subscriber = client.duplicate({
      ...duplicated,
      enableOfflineQueue: false,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      disconnectTimeout: 500,
      monitor: false,
      ...(nodes.inOrder ? {} : { retryStrategy: null }),
      ...(name ? { connectionName: `${name}:hints` } : {})
    })
    // An outage is reported by the main connection.
    subscriber.on("error", noop)
    watchHandshake(subscriber, describe, (_command, problem) => {
      if (from.ready) reports.withoutHints(problem)
    })
    subscriber.on("ready", () => {
      this.pinging = false
      this.pings.start()
      this.subscribe([...this.channels.keys()])
    })
    subscriber.on("close", () => {
      this.pings.stop()
      for (const channel of this.channels.values()) channel.subscribed = false
    })
    subscriber.on("end", () => {
      if (this.subscriber !== subscriber) return
      this.subscriber = undefined
      this.reopenSoon()
    })
    subscriber.on("message", (name: string) => {
      const channel = this.channels.get(name)
      if (channel !== undefined) {
        for (const waiter of [...channel.waiters]) waiter.wake()
      }
    })
    subscriber.connect().catch(noop)
    return subscriber
  }
}
