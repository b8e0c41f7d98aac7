/**
 * Redis Cluster: a connection to each primary, and the map of slots that says which of them has a key.
 *
 * The client of ioredis for clusters is not used: it sends commands again after their callers were told that they failed, and
 * does not say which node carried out a write, which `WAIT` must know. Reads go to primaries only.
 *
 * - The map comes from `CLUSTER SLOTS`, asked of any node. It may be old: a node that does not have a slot (any more) answers
 *   `MOVED`, and the command is sent on, within its deadline; `ASK` sends on this command only.
 * - While a primary is away, its commands fail at once, and the map is asked for again and again: a replica may be promoted.
 */
import { type Context, Effect } from "effect"
import type { CacheError } from "../../../CacheError.ts"
import type { ResolvedOptions } from "../options/options.ts"
import type { Address } from "../options/url.ts"
import { Connection } from "../wire/connection.ts"
import { isServerError, unavailable } from "../wire/describe.ts"
import { Read, type Reader } from "../wire/reads.ts"
import { makeClient } from "../wire/redisClient.ts"
import type { Argument, Link, Reply, ReplyEncoding, Turn } from "../wire/wire.ts"
import type { Nodes, Survey } from "./nodes.ts"
import { calculateSlot } from "./slot.ts"
import { addressKey, type Claim, parseClaim, parseShards, parseSlots, slotCount } from "./slots.ts"

interface Request {
  readonly operation: string
  readonly name: string
  readonly args: ReadonlyArray<Argument>
  readonly encoding: ReplyEncoding
  readonly reply: Reply
  readonly readOnly: boolean
}

/** Redirections that a command follows. Two are usual while a slot moves. */
const maxHops = 5
/** Twice what a cluster is made for. A server that lies must not make us connect for ever. */
const maxConnections = 2_000
/** Every slot has a number below this. */
const partCount = 2 ** 17
/** The least time between two looks at the map. */
const refreshMillis = 200
/** How long primaries may take to agree, beside the deadline of a command. */
const surveyMillis = 2_000
/** How long a node is kept that has no slot, after it was asked for one that is on its way to it, or is being scanned. */
const importMillis = 60_000

const noop = () => {}

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** What the server said, when that is what went wrong. */
const serverMessage = (error: CacheError): string | undefined =>
  error.reason._tag === "Unavailable" && error.reason.cause instanceof Error ? error.reason.cause.message : undefined

export class Cluster implements Nodes {
  readonly timeoutMillis: number
  readonly turn: Turn = { count: 0 }
  readonly inOrder = false

  private readonly options: ResolvedOptions
  private readonly context: Context.Context<never>
  private readonly random: () => number
  private readonly othersReport: (() => boolean) | undefined
  private readonly slots = new Array<Connection | undefined>(slotCount).fill(undefined)
  private readonly connections = new Map<string, Connection>()
  private readonly closing = new Set<Promise<void>>()
  /** When a node was last asked for a slot that is on its way to it. */
  private readonly importing = new Map<Connection, number>()
  /** The seeds, and all nodes that were told of last. */
  private addresses: ReadonlyArray<Address>
  private refreshing: Promise<boolean> | undefined
  private refreshedAt = Number.NEGATIVE_INFINITY
  private timer: NodeJS.Timeout | undefined
  private closed = false

  constructor(
    options: ResolvedOptions,
    seeds: ReadonlyArray<Address>,
    context: Context.Context<never>,
    random: () => number,
    othersReport?: () => boolean
  ) {
    this.options = options
    this.context = context
    this.random = random
    this.othersReport = othersReport
    this.timeoutMillis = options.timeoutMillis
    this.addresses = seeds
    for (const seed of seeds) this.connect(seed)
    this.refreshSoon()
  }

  of(key: string): Connection | undefined {
    return this.slots[calculateSlot(key)] ?? this.anyone()
  }

  partOn(connection: Link, from: number): number | undefined {
    if (this.slots[calculateSlot(String(from))] === connection) return from
    if (!this.slots.some((owner) => owner === connection)) return undefined
    // Most nodes have one of the next few.
    for (let i = 1; i < partCount; i++) {
      const part = (from + i) % partCount
      if (this.slots[calculateSlot(String(part))] === connection) return part
    }
    return undefined
  }

  command(
    key: string,
    operation: string,
    name: string,
    args: ReadonlyArray<Argument>,
    encoding: ReplyEncoding,
    reply: Reply,
    readOnly = false
  ): void {
    this.issue({ operation, name, args, encoding, reply, readOnly }, this.of(key), 0, false, undefined)
  }

  read(name: string, reader: Reader): Read {
    const slot = calculateSlot(name)
    const connection = this.slots[slot] ?? this.anyone()
    if (connection !== undefined) return connection.read(name, slot, reader)
    this.refreshSoon()
    const failed = new Read(name, slot, reader)
    failed.settle(unavailable("read", "no node of the cluster is reachable"), undefined)
    return failed
  }

  primaries(): ReadonlyArray<Connection> {
    const owners = new Set(this.slots.filter((owner) => owner !== undefined))
    // Before the first map came, the seeds are all there is.
    return [...(owners.size > 0 ? owners : this.connections.values())]
  }

  readonly survey: Effect.Effect<Survey, CacheError> = Effect.tryPromise({
    try: () => this.surveyNow(),
    catch: (error) => error as CacheError
  })

  async close(): Promise<void> {
    this.closed = true
    clearTimeout(this.timer)
    for (const connection of this.connections.values()) this.disconnect(connection)
    this.connections.clear()
    await Promise.all(this.closing)
  }

  /** `at` is when it was first sent: its deadline counts from there, wherever it goes on to. */
  private issue(
    request: Request,
    connection: Connection | undefined,
    hops: number,
    asking: boolean,
    at: number | undefined
  ): void {
    const { args, encoding, name, operation, readOnly, reply } = request
    if (connection === undefined) {
      this.refreshSoon()
      return reply(unavailable(operation, "no node of the cluster is reachable"), undefined)
    }
    // Nothing comes between the two: they are queued in one turn.
    if (asking) connection.command(operation, "asking", [], "utf8", noop, true, at)
    connection.command(
      operation,
      name,
      args,
      encoding,
      (error, value, by, sentAt) => {
        if (error === undefined || !this.redirect(request, error, connection, hops, sentAt)) reply(error, value, by)
      },
      readOnly,
      at
    )
  }

  /** Follows a redirection. `false`: it is none. */
  private redirect(
    request: Request,
    error: CacheError,
    from: Connection,
    hops: number,
    at: number | undefined
  ): boolean {
    const message = serverMessage(error) ?? ""
    const found = /^(MOVED|ASK) (\d{1,5}) (\S*):(\d{1,5})( |$)/.exec(message)
    if (found === null) {
      // The node is gone, or knows that something is wrong with the cluster.
      if (error.reason._tag === "TimedOut" || !from.usable || /^(CLUSTERDOWN|READONLY|LOADING)/.test(message)) {
        this.refreshSoon()
      }
      return false
    }
    if (hops >= maxHops || this.closed) return false
    const [, kind, slot, host, port] = found
    const target = this.connect({ host: host || (from.client.options.host ?? ""), port: Number(port) })
    if (target === undefined) return false
    if (kind === "ASK") this.importing.set(target, performance.now())
    if (kind === "MOVED" && Number(slot) < slotCount) {
      this.slots[Number(slot)] = target
      this.refreshSoon()
    }
    this.issue(request, target, hops + 1, kind === "ASK", at)
    return true
  }

  /** Reads that a node refused are sent on one by one: their slot may be on its way, and they on two nodes (`TRYAGAIN`). */
  private readonly refused = (
    reads: ReadonlyArray<Read>,
    error: CacheError,
    at: number | undefined,
    from: Connection
  ): void => {
    for (const read of reads) {
      const request: Request = {
        operation: "read",
        name: "get",
        args: [read.name],
        encoding: null,
        reply: (failed, value) => read.answer(failed, value),
        readOnly: true
      }
      if (reads.length > 1 && isServerError(error, "TRYAGAIN")) this.issue(request, from, 1, false, at)
      else if (!this.redirect(request, error, from, 0, at)) read.answer(error, undefined)
    }
  }

  private anyone(): Connection | undefined {
    let usable: Connection | undefined
    for (const connection of this.connections.values()) {
      if (connection.ready) return connection
      if (connection.usable) usable ??= connection
    }
    return usable
  }

  private connect(told: Address): Connection | undefined {
    const address = this.options.natMap.get(addressKey(told)) ?? told
    const key = addressKey(address)
    const known = this.connections.get(key)
    if (known !== undefined) return known
    if (this.closed || this.connections.size >= maxConnections) return undefined
    const connection: Connection = new Connection(
      {
        client: makeClient(this.options, this.random, address),
        owned: true,
        timeoutMillis: this.timeoutMillis,
        connectTimeoutMillis: this.options.connectTimeoutMillis,
        pingMillis: this.options.pingMillis,
        turn: this.turn,
        primaryOnly: false,
        othersReport: this.othersReport,
        onChange: () => this.refreshSoon(),
        onRefused: (reads, error, at) => this.refused(reads, error, at, connection)
      },
      this.context
    )
    this.connections.set(key, connection)
    return connection
  }

  private disconnect(connection: Connection): void {
    const done = connection.close().finally(() => this.closing.delete(done))
    this.closing.add(done)
  }

  private ask(connection: Connection, ...args: ReadonlyArray<string>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const reply: Reply = (error, value) => (error === undefined ? resolve(value) : reject(error))
      connection.command("cluster", "cluster", args, "utf8", reply, true)
    })
  }

  /** Asks for the map in a moment, and again while something is missing from it. */
  private refreshSoon(least = 0): void {
    if (this.closed || this.timer !== undefined || this.refreshing !== undefined) return
    const since = performance.now() - this.refreshedAt
    this.timer = setTimeout(
      () => {
        this.timer = undefined
        void this.refresh()
      },
      Math.max(least, refreshMillis - since, 0)
    ).unref()
  }

  private refresh(): Promise<boolean> {
    this.refreshing ??= this.refreshNow().then((found) => {
      this.refreshing = undefined
      this.refreshedAt = performance.now()
      if (!found || this.slots.some((owner) => owner?.usable !== true)) {
        this.refreshSoon(refreshMillis * (1 + this.random()))
      }
      return found
    })
    return this.refreshing
  }

  private async refreshNow(): Promise<boolean> {
    const ready = this.shuffled([...this.connections.values()].filter((connection) => connection.ready))
    const asked = new Set<Connection>()
    const tell = async (connection: Connection | undefined): Promise<boolean> => {
      if (connection === undefined || asked.has(connection) || this.closed) return false
      asked.add(connection)
      try {
        const told = parseSlots(await this.ask(connection, "slots"), connection.client.options.host ?? "")
        if (told === undefined || this.closed) return false
        this.install(told.owners, told.addresses)
        return true
      } catch {
        // The next one may know.
        return false
      }
    }
    for (const connection of ready) if (await tell(connection)) return true
    for (const address of this.shuffled(this.addresses)) if (await tell(this.connect(address))) return true
    return false
  }

  private install(owners: ReadonlyArray<Address | undefined>, addresses: ReadonlyArray<Address>): void {
    const { target } = this.options
    const seeds = target.mode === "cluster" ? target.seeds : []
    this.addresses = [...new Map([...seeds, ...addresses].map((address) => [addressKey(address), address])).values()]
    // Slots of one range share one address, so few of them are looked up.
    let connection: Connection | undefined
    owners.forEach((owner, slot) => {
      if (slot === 0 || owner !== owners[slot - 1]) connection = owner === undefined ? undefined : this.connect(owner)
      this.slots[slot] = connection
    })
    const used = new Set(this.slots)
    const since = performance.now() - importMillis
    for (const [key, connection] of this.connections) {
      if (used.has(connection) || (this.importing.get(connection) ?? since) > since) continue
      this.importing.delete(connection)
      this.connections.delete(key)
      this.disconnect(connection)
    }
  }

  /**
   * The primaries by their own word, because a map may be old: each says which slots it has, and together they must have all.
   */
  private async surveyNow(): Promise<Survey> {
    let problem = "slots without a primary"
    const end = performance.now() + this.timeoutMillis + surveyMillis
    for (let round = 0; !this.closed && performance.now() < end; round++) {
      if (round > 0) await pause(refreshMillis * (0.5 + this.random()))
      if (round > 0 || this.slots.includes(undefined)) await this.refresh()
      const primaries = new Set(this.primaries())
      const claims: Array<Claim> = []
      try {
        const asked = [...primaries]
        const importers: Array<Promise<ReadonlyArray<Connection>>> = []
        const replies = await Promise.all(asked.map((connection) => this.ask(connection, "nodes")))
        for (const [i, reply] of replies.entries()) {
          const claim = parseClaim(reply)
          if (claim === undefined) continue
          claims.push(claim)
          if (claim.importers.length > 0) importers.push(this.importersOf(asked[i]!, claim))
        }
        for (const importer of (await Promise.all(importers)).flat()) primaries.add(importer)
      } catch (error) {
        problem = (error as CacheError).message
        continue
      }
      if (claims.reduce((sum, { slots }) => sum + slots, 0) === slotCount) {
        return {
          primaries: [...primaries],
          owners: claims
            .map(({ owner }) => owner)
            .sort()
            .join(),
          moving: claims.some(({ moving }) => moving)
        }
      }
      problem = "slots without a primary"
    }
    throw unavailable("cluster", `the cluster is changing: ${problem}`)
  }

  /** A slot on its way has keys on both its nodes, and the one that it is going to may be in no map yet. */
  private async importersOf(owner: Connection, { importers }: Claim): Promise<ReadonlyArray<Connection>> {
    const { host = "", tls } = owner.client.options
    const addresses = parseShards(await this.ask(owner, "shards"), host, tls !== undefined)
    return importers.map((name) => {
      const address = addresses.get(name)
      const connection = address === undefined ? undefined : this.connect(address)
      if (connection === undefined) throw unavailable("cluster", "a node that a slot is on its way to is not known")
      this.importing.set(connection, performance.now())
      return connection
    })
  }

  private shuffled<A>(items: ReadonlyArray<A>): Array<A> {
    return items
      .map((item) => [this.random(), item] as const)
      .sort(([a], [b]) => a - b)
      .map(([, item]) => item)
  }
}
