/**
 * The errors that an endpoint declares: their statuses, and what they are answered with.
 */
import { Context, Effect, Schema } from "effect"
import type { HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { answering } from "./failures.ts"
import type { Policy } from "./options.ts"

type Response = HttpServerResponse.HttpServerResponse

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

/** A handler for the store, of which declared errors are answers. */
export const declared = <E, R>(
  handled: Effect.Effect<Response, E, R>,
  policy: Pick<Policy, "statuses">,
  endpoint: HttpApiEndpoint.Top
): Effect.Effect<Response, E, R> => {
  // All of them: two may have one shape, and what is answered is the first that has it.
  const errors = [...endpoint.error]
  if (!errors.some((schema) => statusesOf(schema).some((one) => policy.statuses.has(one)))) return handled
  const isOne = Schema.is(Schema.Union(errors))
  const fails = HttpApiBuilder.endpoint(apiThatFails(errors), "one", "one", () =>
    Effect.flatMap(Failure, (error) => Effect.fail(error as never))
  )
  const encoded = Effect.runSync(fails as unknown as Effect.Effect<Effect.Effect<Response>>)
  return answering(handled, policy, (error) =>
    isOne(error) ? Effect.provideService(encoded, Failure, error) : undefined
  )
}
