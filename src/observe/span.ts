import { Effect, type Fiber, Tracer } from "effect"

const nativeTracer = Tracer.Tracer.defaultValue()

/** Whether somebody looks at spans. */
export const isTraced = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  fiber.cache.span !== undefined || fiber.getRef(Tracer.Tracer) !== nativeTracer

/** A span, where somebody looks at spans: opening one that nobody sees would cost more than a hit. */
export const spanned = <A, E, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  name: string,
  attributes: Record<string, unknown>,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  isTraced(fiber)
    ? (Effect.withSpan(self, name, { attributes, captureStackTrace: false }) as Effect.Effect<A, E, R>)
    : self
