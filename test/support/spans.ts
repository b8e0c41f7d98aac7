import { Effect, Tracer } from "effect"

/** A tracer that keeps its spans, and says of each: its name, the store that was asked, how it went. */
export const keeping = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const said = (): ReadonlyArray<string> =>
    spans.map(
      ({ attributes, name }) =>
        `${name} ${attributes.get("cache.layer") ?? "-"} ${attributes.get("cache.outcome") ?? "-"}`
    )
  return { said, spans, traced: Effect.provideService(Tracer.Tracer, tracer) }
}
