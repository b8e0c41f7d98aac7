/**
 * Failures that are answers. What a handler fails with becomes a response outside of the cache, where nobody could store it; so where
 * the policy lists the status of that response, it is made for the store, by the same rules.
 */
import { Context, Effect, Schema } from "effect"
import { HttpServerRespondable, type HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import type { Policy } from "./options.ts"

type Response = HttpServerResponse.HttpServerResponse

/** A handler for the store: a failure that `respond` makes a response of is one, if its status is listed. */
const answering = <E, R>(
  handled: Effect.Effect<Response, E, R>,
  { statuses }: Pick<Policy, "statuses">,
  respond: (error: E) => Effect.Effect<Response> | undefined
): Effect.Effect<Response, E, R> =>
  Effect.catch(handled, (error) => {
    const responded = respond(error)
    return responded === undefined
      ? Effect.fail(error)
      : Effect.flatMap(responded, (response) =>
          statuses.has(response.status) ? Effect.succeed(response) : Effect.fail(error)
        )
  })

/** Of a route: what says itself how it answers. */
export const respondable = <E, R>(handled: Effect.Effect<Response, E, R>, policy: Pick<Policy, "statuses">) =>
  answering(handled, policy, (error) =>
    HttpServerRespondable.isRespondable(error) ? HttpServerRespondable.toResponse(error) : undefined
  )

/** An API of one endpoint that fails like this, for what effect knows of it. */
const apiThatFails = (errors: ReadonlyArray<Schema.Top>) =>
  HttpApi.make("one").add(
    HttpApiGroup.make("one").add(
      HttpApiEndpoint.get("one", "/", { disableCodecs: true, error: errors as ReadonlyArray<Schema.Top & never> })
    )
  )

/** The statuses that a declared error can have. */
export const statusesOf = (schema: Schema.Top): ReadonlyArray<number> => {
  const { members } = schema as { readonly members?: ReadonlyArray<Schema.Top> }
  const found = Array.isArray(members) ? members.flatMap(statusesOf) : []
  HttpApi.reflect(apiThatFails([schema]), {
    onGroup: () => {},
    onEndpoint: ({ errors }) => {
      found.push(...errors.keys())
    }
  })
  return found
}

const Failure = Context.Reference<unknown>("effect-cache/http/Failure", { defaultValue: () => undefined })

/** Of an endpoint: the errors that it declares. */
export const declared = <E, R>(
  handled: Effect.Effect<Response, E, R>,
  policy: Pick<Policy, "statuses">,
  endpoint: HttpApiEndpoint.Top
): Effect.Effect<Response, E, R> => {
  const errors = [...endpoint.error].filter((schema) => statusesOf(schema).some((one) => policy.statuses.has(one)))
  if (errors.length === 0) return handled
  const isOne = Schema.is(Schema.Union(errors))
  const fails = HttpApiBuilder.endpoint(apiThatFails(errors), "one", "one", () =>
    Effect.flatMap(Failure, (error) => Effect.fail(error as never))
  )
  const encoded = Effect.runSync(fails as unknown as Effect.Effect<Effect.Effect<Response>>)
  return answering(handled, policy, (error) =>
    isOne(error) ? Effect.provideService(encoded, Failure, error) : undefined
  )
}
