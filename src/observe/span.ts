import { Clock, Context, Effect, Exit, type Fiber, References, Tracer } from "effect"

const nativeTracer = Tracer.Tracer.defaultValue()

/** Whether a fiber keeps the span that is open at hand; looked up among its services, it costs several times as much. */
let atHand: boolean | undefined

const tryCache = (): boolean => {
  const span = Tracer.externalSpan({ traceId: "0", spanId: "0" })
  const kept = (context: Context.Context<never>) =>
    Effect.runSyncWith(context)(Effect.withFiber((fiber) => Effect.succeed(fiber.cache?.span)))
  const open = Context.make(Tracer.ParentSpan, span) as Context.Context<never>
  return kept(open) === span && kept(Context.empty()) === undefined
}

const spanOf = (fiber: Fiber.Fiber<unknown, unknown>): Tracer.AnySpan | undefined =>
  (atHand ??= tryCache()) ? fiber.cache.span : Context.getOrUndefined(fiber.context, Tracer.ParentSpan)

/** Whether somebody looks at spans. Opening one that nobody sees would cost more than a hit. */
const isTraced = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  spanOf(fiber) !== undefined || fiber.getRef(Tracer.Tracer) !== nativeTracer

/** Of a span; made only where somebody looks, if they are a function. */
type Attributes = Record<string, unknown> | (() => Record<string, unknown>)

const made = (attributes: Attributes): Record<string, unknown> =>
  typeof attributes === "function" ? attributes() : attributes

/** A span around an effect, where somebody looks at spans. */
export const spanned = <A, E, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  name: string,
  attributes: Attributes,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  isTraced(fiber)
    ? (Effect.withSpan(self, name, { attributes: made(attributes), captureStackTrace: false }) as Effect.Effect<
        A,
        E,
        R
      >)
    : self

/** A span over a question that is no effect: from when it is asked until its answer is there. */
export interface OpenSpan {
  /** The services of what is asked for under it. */
  readonly services: Context.Context<never>
  /** Ends it with an answer that is there; with another, when that has come. */
  readonly over: <A, E, R>(answer: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Ends it without an answer. */
  readonly broken: Effect.Effect<void>
}

/** Opens a span for a fiber, where somebody looks at spans. */
export const openSpan = (
  fiber: Fiber.Fiber<unknown, unknown>,
  name: string,
  attributes: Attributes
): OpenSpan | undefined => {
  if (!isTraced(fiber)) return undefined
  const span = Effect.runSyncWith(fiber.context)(Effect.makeSpan(name, { attributes: made(attributes) }))
  const clock = fiber.getRef(Clock.Clock)
  const timed = fiber.getRef(References.TracerTimingEnabled)
  const end = (exit: Exit.Exit<unknown, unknown>): void => {
    if (span.status._tag !== "Ended") span.end(timed ? clock.currentTimeNanosUnsafe() : 0n, exit)
  }
  return {
    services: Context.add(fiber.context, Tracer.ParentSpan, span) as Context.Context<never>,
    over: <A, E, R>(answer: Effect.Effect<A, E, R>) => {
      if (Exit.isExit(answer)) {
        end(answer)
        return answer
      }
      return Effect.onExit(Effect.withParentSpan(answer, span, { captureStackTrace: false }), (exit) =>
        Effect.sync(() => end(exit))
      ) as Effect.Effect<A, E, R>
    },
    broken: Effect.sync(() => end(Exit.interrupt()))
  }
}
