import { Effect, Metric } from "effect"

/** What a registry says of the cache: the value of each series, by its name and labels, but for histograms their count. */
export const seriesOf = (registry: Metric.MetricRegistry): Record<string, number> =>
  Object.fromEntries(
    Effect.runSync(Effect.provideService(Metric.snapshot, Metric.MetricRegistry, registry))
      .filter(({ id }) => id.startsWith("effect_cache_"))
      .map(({ attributes, id, state }) => {
        const labels = Object.entries(attributes ?? {})
          .filter(([name]) => name !== "time_unit")
          .sort()
          .map(([name, value]) => `${name}=${value}`)
        const { count, value } = state as { readonly count?: number; readonly value?: number }
        return [`${id.slice("effect_cache_".length)}{${labels.join(",")}}`, value ?? count!]
      })
  )
