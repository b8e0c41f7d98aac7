/**
 * The hits of a region, and the calls that share a load, as metrics that are read when somebody looks at them: an update for
 * each hit would cost as much as the rest of the hit. What is counted is what updates would count.
 */
import { type Context, Metric } from "effect"

/** Where a fiber's metrics go. A `Moment` is one. */
export interface Meter {
  readonly context: Context.Context<never>
  readonly attributes: Metric.Metric.AttributeSet | undefined
  readonly registry: object | undefined
}

/** Counted up by all clients of the process that share its labels, as one series of a metric is. */
export class HitSeries {
  readonly registry: Meter["registry"]
  readonly attributes: Meter["attributes"]
  readonly tally: { count: number }

  constructor(moment: Pick<Meter, "attributes" | "registry">, tally: { count: number }) {
    this.registry = moment.registry
    this.attributes = moment.attributes
    this.tally = tally
  }

  /** Whether hits of this moment belong here. */
  isOf(moment: Meter): boolean {
    return moment.registry === this.registry && moment.attributes === this.attributes
  }
}

/** Whose reading a state is. The registry keeps the series, so nothing else has to. */
const tallies = new WeakMap<object, { count: number }>()

/** The series of a metric in the registry of a moment, registered the first time. */
export const hitSeries = (metric: Metric.Counter<number>, moment: Meter): HitSeries => {
  const { context } = moment
  let tally = tallies.get(metric.valueUnsafe(context))
  if (tally === undefined) {
    const made = { count: 0 }
    const get = () => {
      const state = { count: made.count, incremental: true }
      tallies.set(state, made)
      return state
    }
    Metric.registerUnsafe(metric, context, { get, update: ignore, modify: ignore })
    tally = made
  }
  return new HitSeries(moment, tally)
}

const ignore = () => {}
