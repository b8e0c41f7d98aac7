/**
 * The handler, run for the store.
 *
 * **What may be shared.** What may not be stored may not be shared either: a response that turns out to be private, to
 * set a cookie, to stream or to fail belongs to the request whose handler made it. So the load that requests share ends
 * in a stored response or in `notStorable`; on the latter, the request that ran the handler gets what it made, and every
 * other one runs its own.
 */
import { type Cause, Clock, Context, Effect, Exit, Scope } from "effect"
import { HttpEffect, HttpServerRequest, HttpServerRespondable, HttpServerResponse } from "effect/http"
import { invalidOption } from "../internal/invalidOption.ts"
import { makeOnce } from "../internal/once.ts"
import type { CompiledKey } from "../CacheKey.ts"
import { guard } from "./downstream.ts"
import type { Forward } from "./cacheStatus.ts"
import { urlTagUnsafe } from "./key.ts"
import { placeOf } from "./place.ts"
import type { Exchange, Policy } from "./options.ts"
import type { Turn } from "./reloads.ts"
import { RequestState } from "./requestState.ts"
import { storableOf } from "./semantics.ts"
import { store, type StoredResponse } from "./stored.ts"
import { wholeOf } from "./whole.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

/** A handler as a function of the request. */
export type Run = (request: Request) => Effect.Effect<Response, unknown, unknown>

/** The load made nothing that others may have. */
class NotStorable {}
export const notStorable = new NotStorable()

/** When a response was loaded in this process, in the order of loads, and whether it was stored, or may have been. */
export interface Made {
  readonly tick: number
  kept: boolean
}
let ticks = 0
export const madeHere = new WeakMap<object, Made>()

/** One request on its way through the cache. */
export class Call {
  readonly request: Request
  readonly tick = ++ticks
  made: Made | undefined
  /** Where it asked for a reload. Where each caller gets a copy, who shares it cannot tell from it when it was made. */
  turn: Turn<Made> | undefined
  /** What the handler gave to this very request, when it is not for others. */
  own:
    | { readonly exit: Exit.Exit<Response, unknown>; readonly scope: Scope.Closeable; readonly state: RequestState }
    | undefined
  gone = false
  /** It is not to come to the handler. */
  onlyIfCached = false
  /** The key of what it loads. */
  entry = ""
  ttlMillis = 0
  exchange: Exchange | undefined
  /** Where what it loads is stored under another key than that of its URL: the tag by which a change to the URL finds it. */
  urlTag: string | undefined
  /** Why there is no lifetime to store it with. */
  problem: unknown
  /** Why the handler was asked, and, where what it gave is not stored, why that is not. */
  forward: Forward
  forwardStatus: number | undefined
  /** Where the answer is to say it. */
  key: string | undefined
  constructor(request: Request, forward: Forward) {
    this.request = request
    this.forward = forward
  }
}

/** Whether it becomes a response that says something of its user, as a failure may, and a defect that is a response. */
const isOwn = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some(
    (reason) =>
      reason._tag === "Fail" ||
      (reason._tag === "Die" &&
        (HttpServerResponse.isHttpServerResponse(reason.defect) || HttpServerRespondable.isRespondable(reason.defect)))
  )

/** What `storeIf` says. Throws what it throws, and where it says nothing. */
const isWanted = ({ storeIf }: Policy, exchange: Exchange): boolean => {
  if (storeIf === undefined) return true
  const said: unknown = storeIf(exchange)
  // Nobody else listens: if it is rejected, it must not end the process.
  if (said instanceof Promise) said.catch(() => {})
  if (typeof said !== "boolean") throw invalidOption("storeIf", said, "true or false")
  return said
}

/**
 * Runs the handler for the store. In a scope and a request state of its own: the load may outlive the request that began
 * it, and what a handler leaves for one response (a cookie, say) must not be lost on the others unseen.
 */
export const load = (compiled: CompiledKey, policy: Policy, run: Run) => {
  const byHost = !policy.anyHost && compiled.placeholders.length === 0
  const once = makeOnce()
  return (call: Call) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.withFiber<StoredResponse, unknown, unknown>((fiber) => {
        const scope = Scope.makeUnsafe()
        const state: RequestState = { preResponseHandler: undefined, loggerDisabled: false }
        const request = wholeOf(call.request, policy, byHost)
        const context = fiber.context.pipe(
          Context.add(Scope.Scope, scope),
          Context.add(RequestState, state),
          Context.add(HttpServerRequest.HttpServerRequest, request)
        )
        const now = () => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        const asked = now()
        const handled = Effect.suspend(() => run(request)) as Effect.Effect<Response, unknown>
        return Effect.flatMap(Effect.exit(restore(Effect.provideContext(handled, context))), (exit) => {
          /** It is of this request alone, because of that. */
          const forItself = (why: string): Effect.Effect<never, NotStorable> => {
            call.own = { exit, scope, state }
            call.forward = { ...call.forward, detail: why }
            // Nobody is left to take it.
            return Effect.andThen(call.gone ? leave(call, exit) : Effect.void, Effect.fail(notStorable))
          }
          if (Exit.isFailure(exit)) {
            // A failure becomes a response too, and may hold as much of its user as any other. Other defects and interruptions
            // say nothing of anybody, and are shared.
            return isOwn(exit.cause)
              ? forItself("failure")
              : Effect.andThen(Scope.close(scope, exit), Effect.failCause(exit.cause))
          }
          call.forwardStatus = exit.value.status
          // That of a cached handler inside, which looks for cookies, is the same here.
          if (state.preResponseHandler !== undefined && state.preResponseHandler !== guard)
            return forItself("pre-response-handler")
          const came = now()
          const storable = storableOf(exit.value, policy, { asked, came })
          if (typeof storable === "string") return forItself(storable)
          call.exchange = { request: call.request, response: exit.value }
          try {
            if (!isWanted(policy, call.exchange)) return forItself("store-if")
          } catch (problem) {
            // It may have been about to say that this is for nobody else.
            return Effect.andThen(
              once(
                Effect.logWarning(
                  `effect-cache: storeIf of ${compiled.template} gave no answer, so a response is not stored`,
                  problem
                )
              ),
              Effect.suspend(() => forItself("store-if"))
            )
          }
          try {
            const ttl = typeof policy.ttl === "function" ? policy.ttl(call.exchange) : policy.ttl
            call.ttlMillis = Math.min(ttl, storable.maxMillis)
          } catch (problem) {
            call.problem = problem
          }
          const stored = store(storable, policy, call.ttlMillis, came)
          call.urlTag = urlTagUnsafe(compiled, policy, placeOf(call.request), fiber.context, call.entry)
          call.made = { tick: ++ticks, kept: false }
          if (call.turn !== undefined) call.turn.made = call.made
          madeHere.set(stored, call.made)
          return Effect.as(Scope.close(scope, exit), stored)
        })
      })
    )
}

/** Lets go of what the handler made for a request that will not use it. */
export const leave = (call: Call, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { own } = call
    call.own = undefined
    return own === undefined ? Effect.void : Scope.close(own.scope, exit)
  })

/** Hands a request what its handler made: its scope ends with that of the request, which waits for streams. */
export const takeOwn = (call: Call, context: Context.Context<never>): Effect.Effect<Response, unknown> => {
  const { exit, scope, state } = call.own!
  call.own = undefined
  const requestScope = Context.getOrUndefined(context, Scope.Scope)
  const outer = Context.getOrUndefined(context, RequestState)
  if (outer !== undefined && state.loggerDisabled) outer.loggerDisabled = true
  if (state.preResponseHandler !== undefined) {
    HttpEffect.appendPreResponseHandlerUnsafe(context, state.preResponseHandler)
  }
  const handOver =
    requestScope === undefined
      ? Scope.close(scope, exit)
      : Scope.addFinalizerExit(requestScope, (end) => Scope.close(scope, end))
  return Effect.andThen(handOver, exit)
}
