/**
 * One process of a world: a real client, and the commands it has sent.
 *
 * A command is a step. It waits in a queue until the explorer carries it out on the server, and then its reply is handed
 * over, at once or, as another step, later. Commands on one slot keep their order, but writes may pass reads; those on different
 * slots need not: that is what Redis Cluster does, and it includes all that a single server does.
 */
import { make as makeLockManager } from "../../src/engine/locks.ts"
import { twoPasses } from "../../src/protocol/passes.ts"
import type { Primitives } from "../../src/services/CachePrimitives.ts"
import { Clock, Context, Duration, Effect, Exit, identity, Metric, Random, References, Scheduler, Scope } from "effect"
import { CacheError, NoRoom, TimedOut } from "../../src/CacheError.ts"
import { CacheConfig } from "../../src/CacheConfig.ts"
import { assemble } from "../../src/layers/assemble.ts"
import { makeClient } from "../../src/engine/client.ts"
import type { Lookup } from "../../src/services/CacheBackend.ts"
import { around } from "../../src/stores/around.ts"
import { makeMemoryPrimitives } from "../../src/stores/memory/primitives.ts"
import { CacheClient } from "../../src/services/CacheClient.ts"
import { primitivesOf } from "./primitives.ts"
import { StandingClock, type Turns } from "./scheduler.ts"
import { Row } from "./server.ts"
import { fold, foldText } from "./hash.ts"
import { digestOf } from "./state.ts"
import type { World } from "./world.ts"

/** What a command does on the server, and how it is told. */
export interface Work<A> {
  readonly slot: string
  readonly label: string
  readonly run: (variant: string | undefined) => A
  /** Different ways it may be carried out; the explorer picks one. */
  readonly variants?: ReadonlyArray<string> | undefined
  /** It changes nothing. It goes out at the end of its flush, so what is sent after it may be carried out before it. */
  readonly reads?: boolean | undefined
  /** A server that is full refuses it. */
  readonly needsRoom?: boolean | undefined
  /** It may be carried out also when its process has died since. */
  readonly drifts?: boolean | undefined
  /** It may be carried out only when this holds. */
  readonly enabled?: (() => boolean) | undefined
}

export interface Command {
  readonly work: Work<unknown>
  /** `store`: over the network, so it may time out. `database`: a row. `hint`: somebody's lease has ended. */
  readonly kind: "store" | "database" | "hint"
  readonly number: number
  /** Carried out; the reply is on its way. */
  reply: { readonly value: unknown } | undefined
  readonly deliver: (exit: Exit.Exit<unknown, CacheError>) => void
}

type Shared = NonNullable<Lookup["shared"]>

/** A read that was not sent yet, and who asks for it. */
interface Gathered {
  readonly work: Work<unknown>
  readonly readers: Array<(exit: Exit.Exit<unknown, CacheError>, shared: Shared | undefined) => void>
  shared: Shared | undefined
}

const timedOut: Exit.Exit<never, CacheError> = Exit.fail(
  new CacheError({ reason: new TimedOut({ backend: "model", operation: "command", millis: 1 }) })
)

const noRoom: Exit.Exit<never, CacheError> = Exit.fail(
  new CacheError({ reason: new NoRoom({ backend: "model", operation: "command", cause: new Error("full") }) })
)

/** Where a loader runs. */
export class Here extends Context.Service<Here, Process>()("verify/model/Here") {}

/** How long the calls that are patient wait for others. */
export const patienceMillis = 200

/** When the call began for which code runs, by the clock of its process. */
const CalledAt = Context.Reference<number>("verify/model/CalledAt", { defaultValue: () => 0 })

const settings = Effect.runSync(Effect.map(CacheConfig, identity))

/** No program takes a lock, and a manager is costly to make. */
const locks = makeLockManager(Effect.runSync(makeMemoryPrimitives({})).locks, { defaultTtl: settings.lockTtl })

const random = { nextIntUnsafe: () => 0, nextDoubleUnsafe: () => 0.5 }

export class Process {
  readonly world: World
  readonly name: string
  readonly clock = new StandingClock()
  readonly context: Context.Context<CacheClient | Here>
  readonly queues = new Map<string, Array<Command>>()
  /** Timed out for their sender, but the server may still carry them out, now or never, in any order. */
  adrift: Array<Command> = []
  alive = true
  /** Commands that were sent. */
  sent = 0
  /** Commands that timed out. Once there was one, it may have to do without the store. */
  timeouts = 0
  /** Tokens it has made. */
  tokens = 0
  /** Loads in flight by key, but for those of callers that have lost their patience. */
  readonly loading = new Map<string, number>()
  /** The rows it has changed. */
  readonly committed: Array<Row> = []
  /** The value to which `tagCacheKey` last added a tag. */
  tagged: Row | undefined = undefined
  /** Digests all that this process was told. It is deterministic, so processes that were told the same are in one state. */
  history = 0
  #gathered = new Map<string, Gathered>()
  #pendings = 0
  #rows = 0

  constructor(world: World, name: string, turns: Turns) {
    this.world = world
    this.name = name
    const base = Context.make(Clock.Clock, this.clock as Clock.Clock).pipe(
      Context.add(Random.Random, random),
      Context.add(Scheduler.Scheduler, turns as Scheduler.Scheduler),
      Context.add(Scope.Scope, Scope.makeUnsafe()),
      Context.add(References.MinimumLogLevel, "None"),
      // A client shows what it holds until it is closed, and these never are: of its own, the registry goes with it.
      Context.add(Metric.MetricRegistry, new Map()),
      Context.add(Here, this as Process)
    )
    this.context = Context.merge(base, Effect.runSyncWith(base)(this.#client()))
  }

  /**
   * The client as `CacheMemory` and `CacheRedis` put it together. The guard sees to commands that fail; where none can, it
   * only hands on, but for the two passes of a pattern, and is left out because a world is built anew for each schedule.
   */
  #client(): Effect.Effect<Context.Context<CacheClient>, CacheError, Scope.Scope> {
    const { program, server } = this.world
    const primary = program.store === "memory" ? server.memory : primitivesOf(this)
    if (program.budget.timeouts > 0) return assemble({ ...primary, locks })
    // Of one that waits for nothing time would pass for ever.
    const own = program.processes["ABCDE".indexOf(this.name)]!
    const sweepInterval = own.flat().some(({ sweeps }) => sweeps === true) && Duration.seconds(10)
    return Effect.map(
      makeClient({ primary: this.#guarded(primary), settings: { ...settings, sweepInterval } }),
      (client) => Context.make(CacheClient, client)
    )
  }

  #guarded(primary: Primitives): Primitives {
    if (primary.backend.local !== undefined) return primary
    const { backend, tags } = around(primary, ({ operation }, self) =>
      operation === "removeMatching" ? twoPasses(self) : self
    )
    return { tags, backend: { ...backend, fast: primary.backend.fast } }
  }

  tell(what: string, number = 0): void {
    this.history = fold(foldText(this.history, what), number)
  }

  /** A row as the database gives it out here. */
  row(key: string, version: number): Row {
    return new Row(key, version, `${this.name}${++this.#rows}`)
  }

  fork<A, E>(effect: Effect.Effect<A, E, CacheClient | Here>) {
    return Effect.runForkWith(Context.add(this.context, CalledAt, this.clock.currentTimeMillisUnsafe()))(effect)
  }

  /** Sends commands in one flush; succeeds with all their replies. */
  send<A>(works: ReadonlyArray<Work<A>>): Effect.Effect<ReadonlyArray<A>, CacheError> {
    return Effect.callback((resume) => {
      const replies = new Array<A>(works.length)
      let left = works.length
      works.forEach((work, i) => {
        this.#queue("store", work, (exit) => {
          if (exit._tag === "Failure") return resume(Exit.failCause(exit.cause))
          replies[i] = exit.value as A
          if (--left === 0) resume(Exit.succeed(replies))
        })
      })
    })
  }

  /** Reads for whoever asks: those who ask in one turn share a command, which goes out behind the others of the turn. */
  read<A>(
    work: Omit<Work<A>, "reads">,
    done: (exit: Exit.Exit<A, CacheError>, shared: Shared | undefined) => void
  ): void {
    const reader = done as Gathered["readers"][number]
    const name = `${work.slot} ${work.label}`
    const known = this.#gathered.get(name)
    this.sent++
    if (known === undefined) {
      this.#gathered.set(name, { work: { ...work, reads: true }, readers: [reader], shared: undefined })
    } else {
      known.shared ??= {}
      known.readers.push(reader)
    }
  }

  /** The end of a turn: what is read from now on is asked for anew. */
  flush(): void {
    if (this.#gathered.size === 0) return
    const gathered = this.#gathered
    this.#gathered = new Map()
    for (const { readers, shared, work } of gathered.values()) {
      this.#queue("store", work, (exit) => {
        for (const reader of readers) reader(exit, shared)
      })
    }
  }

  one<A>(work: Work<A>): Effect.Effect<A, CacheError> {
    return Effect.callback((resume) => {
      this.#queue("store", work, resume as (exit: Exit.Exit<unknown, CacheError>) => void)
    })
  }

  /** A command that is gone when nobody waits for it any more. */
  wait<A>(kind: "database" | "hint", work: Omit<Work<A>, "slot">): Effect.Effect<A> {
    return Effect.callback((resume) => {
      // No order among these.
      const slot = `${kind} ${this.sent}`
      this.#queue(kind, { ...work, slot }, (exit) => resume(exit as Exit.Exit<A>))
      return Effect.sync(() => this.queues.delete(slot))
    })
  }

  /** Sends a command whose reply nobody looks at. */
  post(work: Work<unknown>): void {
    this.#queue("store", work, () => {})
  }

  #queue(kind: Command["kind"], work: Work<unknown>, deliver: Command["deliver"]): void {
    const command: Command = { kind, work, number: this.sent++, reply: undefined, deliver }
    const queue = this.queues.get(work.slot)
    if (queue === undefined) this.queues.set(work.slot, [command])
    else queue.push(command)
  }

  #leave(command: Command): void {
    const { slot } = command.work
    const queue = this.queues.get(slot)!
    if (queue.length === 1) this.queues.delete(slot)
    else queue.splice(queue.indexOf(command), 1)
  }

  carryOut(command: Command, variant: string | undefined): unknown {
    const queue = this.queues.get(command.work.slot)!
    const at = queue.findIndex(({ reply }) => reply === undefined)
    // A write that passes reads has its reply before theirs.
    if (queue[at] !== command && queue.includes(command))
      queue.splice(at, 0, ...queue.splice(queue.indexOf(command), 1))
    const value = command.work.run(variant)
    command.reply = { value }
    return value
  }

  /** Hands the reply of the first command of a slot over. */
  deliver(command: Command): void {
    this.#leave(command)
    const { value } = command.reply!
    this.tell("deliver", command.number)
    this.tell("deliver", digestOf(this.world, value))
    command.deliver(Exit.succeed(value))
  }

  timeOut(command: Command): void {
    this.#leave(command)
    this.timeouts++
    if (command.reply === undefined) this.adrift.push(command)
    this.tell("time out", command.number)
    command.deliver(timedOut)
  }

  /** The server was full, so it did not happen, and will not. */
  refuse(command: Command): void {
    this.#leave(command)
    this.tell("refuse", command.number)
    command.deliver(noRoom)
  }

  readonly die = (): void => this.world.kill(this)

  /** What it has sent may still be carried out; nothing else happens here any more. */
  crash(): void {
    this.alive = false
    for (const queue of this.queues.values()) {
      for (const command of queue) {
        const goesOn = command.kind === "store" || command.work.drifts === true
        if (goesOn && command.reply === undefined) this.adrift.push(command)
      }
    }
    this.queues.clear()
  }

  /** A load: the row is read in one step, and returned in another. */
  load(key: string): Effect.Effect<Row> {
    return Effect.withFiber((fiber) => {
      const counts = this.clock.currentTimeMillisUnsafe() - fiber.getRef(CalledAt) < patienceMillis ? 1 : 0
      this.loading.set(key, (this.loading.get(key) ?? 0) + counts)
      this.world.loadBegins(this, key)
      const read = this.wait("database", {
        label: `database: read ${key}`,
        run: () => this.row(key, this.world.server.rows.get(key) ?? 0)
      })
      return Effect.onExit(read, () =>
        Effect.sync(() => {
          this.loading.set(key, this.loading.get(key)! - counts)
        })
      )
    })
  }

  /** A commit to some rows. */
  commit(keys: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Row>> {
    return this.wait("database", {
      label: `database: commit ${keys.join(", ")}`,
      enabled: () => keys.every((key) => this.world.isFree(key)),
      run: () => {
        const rows = keys.map((key) => this.world.commit(key, this))
        this.committed.push(...rows)
        return rows
      }
    })
  }

  pendingText(): string {
    return `?${this.name}${++this.#pendings}`
  }
}
