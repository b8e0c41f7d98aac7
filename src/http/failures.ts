/**
 * Failures that are answers. What a handler fails with becomes a response outside of the cache, where nobody could store it; so where
 * the policy lists the status of that response, it is made for the store, by the same rules.
 */
import { Effect } from "effect"
import { HttpServerRespondable, type HttpServerResponse } from "effect/http"
import type { Policy } from "./options.ts"

type Response = HttpServerResponse.HttpServerResponse

/** A handler for the store: a failure that `respond` makes a response of is one, if its status is listed. */
export const answering = <E, R>(
  handled: Effect.Effect<Response, E, R>,
  { statuses }: Pick<Policy, "statuses">,
  respond: (error: E) => Effect.Effect<Response> | undefined
): Effect.Effect<Response, E, R> =>
  Effect.catch(handled, (error) => {
    const responded = respond(error)
    return responded === undefined
      ? Effect.fail(error)
      : Effect.flatMap(responded, (response) =>
          // By default 200 is listed, and who fails with a response has not been asked whether it may be shared.
          response.status >= 300 && statuses.has(response.status) ? Effect.succeed(response) : Effect.fail(error)
        )
  })

/** Of a route: what says itself how it answers. */
export const respondable = <E, R>(handled: Effect.Effect<Response, E, R>, policy: Pick<Policy, "statuses">) =>
  answering(handled, policy, (error) =>
    HttpServerRespondable.isRespondable(error) ? HttpServerRespondable.toResponse(error) : undefined
  )
