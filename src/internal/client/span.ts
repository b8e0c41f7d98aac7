import { Effect, type Fiber, Tracer } from "effect"

const nativeTracer = Tracer.Tracer.defaultValue()

/** A span, where somebody looks at spans: opening one that nobody sees would cost more than a hit. */
export const spanned = <A, E, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  name: string,
  attributes: Record<string, unknown>,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  fiber.getRef(Tracer.Tracer) === nativeTracer && fiber.cache.span === undefined
    ? self
    : (Effect.withSpan(self, name, { attributes, captureStackTrace: false }) as Effect.Effect<A, E, R>)
