import { type Context, Metric } from "effect"

const boundaries = Metric.exponentialBoundaries({ start: 0.125, factor: 2, count: 17 })

/**
 * How long trips take, of a layer and one of its connections: told once for each flush. A registry that throws must not keep that reply from
 * those who wait for it.
 */
export const tripTimes = (
  context: Context.Context<never>,
  layer: string,
  connection: "main" | "durable"
): ((millis: number) => void) => {
  // As a timer is, without making a duration for each.
  const times = Metric.histogram("effect_cache_trip", {
    description: "Duration of trips: from a flush to its last reply",
    boundaries,
    attributes: { layer, connection, time_unit: "milliseconds" }
  })
  return (millis) => {
    try {
      times.updateUnsafe(millis, context)
    } catch {}
  }
}
