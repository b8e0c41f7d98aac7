/**
 * What a hit needs of the fiber that asks: its engine, the time, where its metrics go. Each costs as much as the rest of a
 * hit, and is the same for all hits of one run of synchronous code, so it is looked up once in such a run.
 *
 * Also the time of the process (`processTime.ts`): what expires while the run goes on is handed out until it ends, as if it had
 * been asked for at its start. A clock that is not the system's may be moved by the run itself, and is asked each time.
 *
 * A moment is over with the microtasks that follow the run, so it keeps no context alive. Where Node puts them off, behind an
 * exception that nobody caught or more ticks of `process.nextTick`, it lasts as much longer.
 */
import { Clock, Context, Metric } from "effect"
import { liveClock, processMillis } from "../internal/processTime.ts"
import { CacheClient } from "../services/CacheClient.ts"
import { type Engine, engineOf, type When } from "./contract.ts"
import { transactionOf } from "./transaction/current.ts"

// Not the one that programs run in: a moment has not begun.
const noContext: Context.Context<never> = Context.makeUnsafe(new Map())

const schedule = queueMicrotask

export class Moment implements When {
  /** `undefined` where no client was provided, and in a database transaction. */
  engine: Engine | undefined = undefined
  attributes: Metric.Metric.AttributeSet | undefined = undefined
  registry: object | undefined = undefined
  context: Context.Context<never> = noContext
  private clock: Clock.Clock = liveClock
  private ending = false
  /** When the run began; `undefined` with a clock that is not the system's. */
  private startedAt: number | undefined = undefined

  /** Makes it the moment of this fiber. */
  enter(context: Context.Context<never>): void {
    if (context !== this.context) this.look(context)
  }

  /** The time of this process by the fiber's clock, in milliseconds, as of this moment. */
  now(): number {
    return this.startedAt ?? processMillis(this.clock)
  }

  private look(context: Context.Context<never>): void {
    const client = Context.getOrUndefined(context, CacheClient)
    // What a transaction changed is not to be seen in it: it asks the engine, and takes no hit without.
    this.engine = client === undefined || transactionOf(context) !== undefined ? undefined : engineOf(client)
    this.clock = Context.get(context, Clock.Clock)
    this.startedAt = this.clock === liveClock ? processMillis(liveClock) : undefined
    this.attributes = Context.get(context, Metric.CurrentMetricAttributes)
    this.registry = Context.get(context, Metric.MetricRegistry)
    this.context = context
    if (this.ending) return
    this.ending = true
    schedule(this.end)
  }

  private readonly end = (): void => {
    this.ending = false
    this.engine = this.attributes = this.registry = undefined
    this.context = noContext
    this.clock = liveClock
    this.startedAt = undefined
  }
}

const moment = new Moment()

/** The moment of a fiber that is running, by its services. Not to be kept. */
export const momentOf = (services: Context.Context<never>): Moment => {
  moment.enter(services)
  return moment
}
