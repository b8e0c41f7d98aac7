/**
 * One connection to Redis: commands of one tick go out in one write, each has a deadline, and nothing waits for a server
 * that is away. Reads of one tick go out behind them, in as few commands as they take: see `reads.ts`.
 *
 * States: `first` (the first connect is under way: commands wait for it, within their deadline), `ready` (all of the handshake
 * was answered well), `coming` (it was closed while it was idle: commands wait for the reconnect, within their deadline; a reconnect
 * that fails, or a deadline that is missed, is an outage), `down` (commands fail at once with `Unavailable`; ioredis reconnects),
 * `closed`. ioredis's own auto-pipelining is not used: it sends a batch only after the batch before it was answered, and does
 * not say when bytes leave, which sharing a read must know.
 */
import { type Context, Effect } from "effect"
import type { Redis } from "ioredis"
import type { CacheError } from "../../../CacheError.ts"
import { Attempts } from "./attempts.ts"
import { learnt, makeCommand, nextChunks } from "./chunks.ts"
import { Deadlines } from "./deadlines.ts"
import { makeDescribe, refusal, timedOut, unavailable } from "./describe.ts"
import { watchHandshake } from "./handshake.ts"
import { defuse, type Job } from "./job.ts"
import { Large } from "./large.ts"
import { Outbox } from "./outbox.ts"
import { Pings } from "./pings.ts"
import { Pulse } from "./pulse.ts"
import { Gathered, Read, type Reader } from "./reads.ts"
import { closeClient, type ConnectionOptions, endpointOf, secretsOf, within } from "./redisClient.ts"
import { Reports } from "./reports.ts"
import type { Argument, Link, Reply, ReplyEncoding, Turn } from "./wire.ts"

/** Of a client whose first connect is still to come. */
const connecting = new Set(["wait", "connecting", "connect"])

const noop = () => {}

export class Connection implements Link {
  readonly client: Redis
  /** False for a client that was brought along. */
  readonly owned: boolean
  readonly endpoint: string
  readonly timeoutMillis: number
  /** Scripts that this connection has sent, by hash. Forgotten when it reconnects: the server may be a new one. */
  readonly loaded = new Map<string, string>()
  readonly describe: (error: unknown) => string
  readonly reports: Reports

  /** Grows with every connect: what one connection wrote, the next one knows nothing of. */
  incarnation = 0

  private readonly turn: Turn
  private readonly primaryOnly: boolean
  private readonly onChange: () => void
  private state: "first" | "ready" | "coming" | "down" | "closed"
  private lastProblem: string | undefined
  private readonly queue: Outbox
  private readonly gathered: Gathered
  /** When the first of what waits for the flush was asked for. */
  private tickAt = 0
  private scheduled = false
  /** Whether what commands write can be gathered; `undefined` until the first flush shows it. */
  private gathers: boolean | undefined
  private readonly deadlines: Deadlines<Job>
  private readonly attempts: Attempts
  private readonly pulse: Pulse
  private readonly pings: Pings
  private readonly large: Large
  /** What was lost when it was closed while it was idle. */
  private rested: Redis["stream"] | undefined
  private readonly flush: () => void
  private readonly listeners: ReadonlyArray<readonly [string, (error?: unknown) => void]>

  constructor(options: ConnectionOptions, context: Context.Context<never>) {
    this.timeoutMillis = options.timeoutMillis
    this.owned = options.owned
    this.client = options.client
    this.turn = options.turn
    this.primaryOnly = options.primaryOnly
    this.onChange = options.onChange ?? noop
    this.gathered = new Gathered(
      {
        queue: (name, keys, reply) => this.enqueue("read", name, keys, null, reply, undefined),
        again: (name, keys, reply, at) => this.command("read", name, keys, null, reply, true, at),
        failure: (problem) => this.unavailable("read", problem)
      },
      options.onRefused
    )
    this.queue = new Outbox(options.timeoutMillis, this.fail)
    this.deadlines = new Deadlines(options.timeoutMillis, this.onLate, (now, late) => {
      // Replies have made room: what goes out now is not late.
      if (this.ready) this.send()
      return this.queue.look(now, this.ready, late)
    })
    this.endpoint = endpointOf(this.client)
    this.describe = makeDescribe(secretsOf(this.client))
    this.reports = new Reports(this.endpoint, Effect.runForkWith(context), options.othersReport)
    this.pulse = new Pulse(options, context)
    this.pings = new Pings(options.pingMillis, () => this.pulse.usedAt, this.ping)
    this.large = new Large(this.reports, options.timeoutMillis)
    this.flush = () => {
      this.scheduled = false
      if (this.state === "ready") this.send()
      // Others who wait for the connect have later deadlines, and must not share these.
      else this.gathered.flush()
    }
    this.attempts = new Attempts(options, this.describe, {
      open: () => this.open(),
      refuse: (problem, refused) => this.onClose(problem, refused),
      isClosed: () => this.state === "closed",
      isDown: () => this.state === "down"
    })
    this.listeners = [
      ["connect", this.attempts.onConnect],
      ["ready", () => this.attempts.onReady(false)],
      ["error", (error) => this.onError(this.describe(error))],
      ["close", () => this.onLost()],
      ["end", () => this.onEnd()],
      ["select", () => this.onSelect()]
    ]
    for (const [event, listener] of this.listeners) this.client.on(event, listener)
    const { status } = this.client
    this.state = status === "ready" || connecting.has(status) ? "first" : "down"
    if (this.owned) watchHandshake(this.client, this.describe, (command, problem) => this.onError(problem, command))
    if (status === "ready") this.attempts.onReady(false)
    if (status === "wait") this.client.connect().catch(noop)
  }

  get ready(): boolean {
    return this.state === "ready"
  }
  /** It is not known to be away: a command would be sent, or wait for the connect. */
  get usable(): boolean {
    return this.state === "ready" || this.state === "first" || this.state === "coming"
  }

  /**
   * Queues a command. `reply` is called exactly once: at once when the server is away, otherwise within the deadline, which counts
   * from when it is sent (`outbox.ts`), or from `at` where it was sent elsewhere first.
   */
  command(
    operation: string,
    name: string,
    args: ReadonlyArray<Argument>,
    encoding: ReplyEncoding,
    reply: Reply,
    readOnly = false,
    at?: number
  ): void {
    if (!this.usable) return reply(this.unavailable(operation), undefined, this)
    if (!readOnly) this.turn.count++
    this.schedule()
    this.enqueue(operation, name, args, encoding, reply, at)
  }

  /**
   * Reads a key with the next flush, or with others of it earlier. `reader` is told exactly once, within the deadline; at once
   * when the server is away.
   */
  read(name: string, slot: number, reader: Reader): Read {
    // The server may begin with a full command while the rest of this turn goes on.
    if (this.gathered.full && this.state === "ready") this.send()
    // After that: who was told may have closed the connection.
    if (this.usable) {
      this.schedule()
      return this.gathered.add(name, slot, reader)
    }
    const failed = new Read(name, slot, reader)
    failed.settle(this.unavailable("read"), undefined)
    return failed
  }

  /** How many commands and reads wait to be sent. */
  get waiting(): number {
    return this.queue.size + this.gathered.size
  }

  /**
   * With nothing under way a flush waits for the code that runs now, so that one caller alone loses no time. Otherwise it
   * waits for all that this turn of the event loop brings, such as the requests of many sockets.
   */
  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    this.tickAt = performance.now()
    if (this.deadlines.size === 0) process.nextTick(this.flush)
    else setImmediate(this.flush)
  }

  private enqueue(
    operation: string,
    name: string,
    args: ReadonlyArray<Argument>,
    encoding: ReplyEncoding,
    reply: Reply,
    at: number | undefined
  ): void {
    const job: Job = {
      operation,
      name,
      args,
      encoding,
      reply,
      at: at ?? this.tickAt,
      arrived: at === undefined ? this.tickAt : Math.max(at, this.tickAt),
      seen: this.pulse.replies,
      held: at === undefined && (this.queue.full || this.state === "ready"),
      done: false,
      command: undefined,
      flushedAt: 0
    }
    this.queue.add(job, at !== undefined)
    this.deadlines.asked(job.at)
    if (!job.held) this.deadlines.begin(job)
  }

  unavailable(operation: string, problem?: string): CacheError {
    const text =
      problem ?? this.lastProblem ?? (this.state === "closed" ? "the connection is closed" : "the connection is down")
    return unavailable(operation, `${text} (${this.endpoint})`)
  }

  /** A replica where there was a primary: look the primary up again, or wait until it is one. */
  private leaveReplica(): void {
    if (!this.primaryOnly || !this.owned || this.state !== "ready") return
    this.onClose("the server is a replica, expected a primary")
    this.client.disconnect(true)
  }

  private send(): void {
    this.gathered.flush()
    if (this.queue.size === 0) return
    const { client, gathers, large, pulse } = this
    // It is closed, and the event is still to come.
    if ((client.status !== "ready" || !client.stream?.writable) && this.rest()) return
    const batch = this.queue.take(performance.now(), pulse.replies)
    if (batch.length === 0) return
    this.turn.count++
    pulse.usedAt = Math.max(pulse.usedAt, this.tickAt)
    if (client.status !== "ready") {
      for (const job of batch) this.settle(job, this.unavailable(job.operation), undefined)
      return
    }
    const chunks = nextChunks(client, gathers)
    let sent = 0
    const failed: Array<readonly [Job, CacheError]> = []
    for (const job of batch) {
      // Expired while it waited for the connect: its caller is gone, so it must not happen any more.
      if (job.done) continue
      if (job.held) this.deadlines.begin(job)
      const onReply = (error: Error | null | undefined, reply: unknown) => {
        pulse.answered(job, error)
        large.replied(client.stream)
        if (job.done) return
        if (!error) return this.settle(job, undefined, reply)
        const problem = this.describe(error)
        this.reports.refused(job.name, problem, () => this.loaded.get(String(job.args[0])) ?? String(job.args[0]))
        this.settle(job, refusal(job.operation, problem, this.endpoint, this.primaryOnly), undefined)
        if (problem.startsWith("READONLY ")) this.leaveReplica()
      }
      const command = makeCommand(gathers ? chunks : undefined, job, onReply)
      job.command = command
      pulse.sent(job)
      this.queue.sent()
      try {
        client.sendCommand(command, chunks)
        sent++
      } catch (error) {
        pulse.unsent(job)
        failed.push([job, this.unavailable(job.operation, this.describe(error))])
      }
    }
    this.gathers = learnt(chunks, sent, gathers)
    chunks?.flush()
    pulse.flushed()
    // Not before: who is told may send again, behind the bytes of commands that wait for earlier replies.
    for (const [job, error] of failed) this.settle(job, error, undefined)
  }

  private settle(job: Job, error: CacheError | undefined, reply: unknown): void {
    if (job.done) return
    job.done = true
    // R1: what its caller is told has failed must not happen later. An error of the server's is final anyhow.
    if (error !== undefined && job.command !== undefined) defuse(job.command)
    if (job.command !== undefined) this.queue.answered()
    // They hold each other: what is left of a burst would be copied by each collection, for tens of milliseconds.
    job.command = undefined
    this.deadlines.ended()
    if (this.queue.size > 0 && this.state === "ready") this.schedule()
    job.reply(error, reply, this, job.at)
  }

  private readonly fail = (job: Job): void => {
    this.settle(job, timedOut(job.operation, this.timeoutMillis), undefined)
    if (this.state === "coming") this.onClose("the server closed the connection, and the reconnect takes long")
  }

  private readonly onLate = (job: Job, now: number): void => {
    const { client, large, pulse } = this
    // Whether answers come, those tell that were here for a whole deadline.
    if (job.seen === pulse.replies && job.arrived + this.timeoutMillis <= now) this.queue.expire(now, this.ready, true)
    if (pulse.missed(job)) large.late(job, client.stream, pulse.replies)
    this.fail(job)
    if (this.state !== "ready" || !this.owned || !pulse.isSilent(now)) return
    this.onClose(large.arrived(client.stream) > 0 ? "a reply does not end" : "the server stopped answering")
    client.disconnect(true)
    client.stream?.destroy()
  }

  /** A client that was brought along is moved to another database. */
  private onSelect(): void {
    if (this.owned || this.state !== "ready") return
    this.state = "first"
    this.attempts.onReady(true)
  }

  private open(): void {
    this.attempts.stop()
    this.state = "ready"
    this.incarnation++
    this.gathers = undefined
    this.loaded.clear()
    this.pulse.opened(performance.now())
    this.large.replied(this.client.stream)
    this.lastProblem = undefined
    this.reports.back()
    this.pings.start()
    this.onChange()
    this.send()
  }

  private readonly ping = (): void => {
    if (this.state !== "ready" || this.scheduled || this.deadlines.size > 0) return
    this.enqueue("ping", "ping", [], "utf8", noop, performance.now())
    this.send()
  }

  /** It was closed while it was idle: no outage, unless it does not come back. `false`: it was not idle. */
  private rest(): boolean {
    if (this.state !== "ready" || !this.pulse.isIdle(performance.now())) return false
    this.state = "coming"
    this.rested = this.client.stream
    this.pings.stop()
    return true
  }

  private onLost(): void {
    // Of what is known to be closed already; a reconnect has a stream of its own.
    if (this.state === "coming" && this.client.stream === this.rested) return
    if (!this.rest()) this.onClose()
  }

  // Sentinels that cannot be reached close no connection, because none was opened.
  private onError(problem: string, refused?: string): void {
    if (this.state === "first" || this.state === "coming") this.onClose(problem, refused)
    else this.onProblem(problem, refused)
  }

  private onClose(problem?: string, refused?: string): void {
    this.attempts.stop()
    this.pings.stop()
    if (this.state === "closed") return
    this.state = "down"
    this.onProblem(problem ?? this.lastProblem ?? "the connection was closed", refused)
    this.failAll()
    this.onChange()
  }

  private onEnd(): void {
    this.onClose()
    this.attempts.onEnd()
  }

  private onProblem(problem: string, refused?: string): void {
    if (this.state === "closed") return
    this.lastProblem = problem
    // A problem on a connection that stays up is the next reply's to report.
    if (this.state !== "ready") this.reports.away(problem, refused)
  }

  private failAll(): void {
    this.gathered.flush()
    for (const job of [...this.deadlines.all(), ...this.queue.clear()]) {
      if (!job.done) this.settle(job, this.unavailable(job.operation), undefined)
    }
  }

  /** Answers what is in flight, within the deadline, then closes the client if it is ours. */
  async close(): Promise<void> {
    if (this.state === "closed") return
    if (this.state === "ready" && (this.deadlines.size > 0 || this.gathered.size > 0)) {
      this.send()
      await within(this.timeoutMillis, (done) => this.deadlines.whenDrained(done))
    }
    this.state = "closed"
    this.failAll()
    this.deadlines.stop()
    this.pings.stop()
    this.attempts.stop()
    for (const [event, listener] of this.listeners) this.client.off(event, listener)
    if (this.owned) await closeClient(this.client)
  }
}
