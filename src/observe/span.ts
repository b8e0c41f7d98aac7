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

/**
 * How a call came to its value, as its spans say: a valid entry, the loader because there was none or it was stale, the load of
 * another caller of this process, or the loader without the cache.
 */
export type Outcome = "hit" | "miss" | "stale" | "shared" | "bypass"

const outcomeKey = "cache.outcome"

/** Of what a look at a store has found. */
export const outcomeOf = (found: object | "miss" | "stale" | "unsettled"): Outcome =>
  typeof found === "object" ? "hit" : found === "miss" ? "miss" : "stale"

/** What a span about one entry says; `layer` is the store that is asked. A call without a key has none. */
export const attributesOf = (
  region: string,
  key: string | undefined,
  layer: string,
  outcome?: Outcome
): Record<string, unknown> => ({
  "cache.region": region,
  ...(key === undefined ? {} : { "cache.key": key }),
  "cache.layer": layer,
  ...(outcome === undefined ? {} : { [outcomeKey]: outcome })
})

/**
 * Says it on the span that is open, where somebody looks; what is said last counts. To be called inside of what `spanned` is
 * around: elsewhere the span that is open is somebody else's.
 */
export const sayOutcome = (fiber: Fiber.Fiber<unknown, unknown>, outcome: Outcome): void => {
  const span = spanOf(fiber)
  if (span?._tag === "Span") span.attribute(outcomeKey, outcome)
}

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
  /** Ends it with an answer that is there; with another, when that has come. `said` is the outcome that the answer means. */
  readonly over: <A, E, R>(
    answer: Effect.Effect<A, E, R>,
    said?: (exit: Exit.Exit<A, E>) => Outcome | undefined
  ) => Effect.Effect<A, E, R>
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
  const end = <A, E>(exit: Exit.Exit<A, E>, said?: (exit: Exit.Exit<A, E>) => Outcome | undefined): void => {
    if (span.status._tag === "Ended") return
    const outcome = said?.(exit)
    if (outcome !== undefined) span.attribute(outcomeKey, outcome)
    span.end(timed ? clock.currentTimeNanosUnsafe() : 0n, exit)
  }
  return {
    services: Context.add(fiber.context, Tracer.ParentSpan, span) as Context.Context<never>,
    over: <A, E, R>(answer: Effect.Effect<A, E, R>, said?: (exit: Exit.Exit<A, E>) => Outcome | undefined) => {
      if (Exit.isExit(answer)) {
        end(answer as Exit.Exit<A, E>, said)
        return answer
      }
      return Effect.onExit(Effect.withParentSpan(answer, span, { captureStackTrace: false }), (exit) =>
        Effect.sync(() => end(exit as Exit.Exit<A, E>, said))
      ) as Effect.Effect<A, E, R>
    },
    broken: Effect.sync(() => end(Exit.interrupt()))
  }
}
