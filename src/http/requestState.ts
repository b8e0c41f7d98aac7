/**
 * What the router keeps of a request, found by a key that it does not export.
 *
 * A load has a request state of its own, so that what a handler leaves for its response is seen before that is stored. Should
 * the key change, the handler would find the state of the request that began the load: a cookie set there would reach that
 * request, but would not keep the response from all others. So it is tried, and where it is not seen nothing is stored.
 */
import { Context, Effect } from "effect"
import { HttpEffect } from "effect/http"
import { makeOnce } from "../internal/once.ts"

/** Where handlers leave what is to be done to the response before it is sent. */
export interface RequestState {
  preResponseHandler: HttpEffect.PreResponseHandler | undefined
  loggerDisabled: boolean
}
export const RequestState = Context.Service<RequestState>("effect/http/HttpEffect/CurrentRequestState")

const tryState = (): boolean => {
  const state: RequestState = { preResponseHandler: undefined, loggerDisabled: false }
  const handler: HttpEffect.PreResponseHandler = (_, response) => Effect.succeed(response)
  try {
    HttpEffect.appendPreResponseHandlerUnsafe(Context.make(RequestState, state) as Context.Context<never>, handler)
  } catch {
    return false
  }
  return state.preResponseHandler === handler
}

let seen: boolean | undefined

/** Whether what a handler leaves for its response is found in a state of ours. */
export const seesState = (): boolean => (seen ??= tryState())

/** Says, once in a process, that no response is cached. */
export const unseen: Effect.Effect<void> = makeOnce()(
  Effect.logWarning(
    "effect-cache: responses are not cached, every request runs its handler. This version of effect keeps what handlers " +
      "append to a response (HttpEffect.appendPreResponseHandler) where it is not seen, and a cookie for one user could be " +
      "stored for all."
  )
)
