/**
 * The policy of an endpoint: what it says, and what its functions are told.
 *
 * They get the path and the query as the handler does, decoded by the schemas of the endpoint: a tag made of what was sent
 * would be another one for `7` and `7.0`, and an invalidation would miss.
 */
import { Context, Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { HttpApiEndpoint } from "effect/http-api"
import { invalidOptionAs } from "../internal/invalidOption.ts"
import type { Exchange, ResponseOptions } from "./options.ts"

/** Path and query of which no schema is known here. */
export type Unknown = Readonly<Record<string, unknown>>

/** The two ends of a load, and what the endpoint was asked for. */
export interface EndpointExchange<Params = Unknown, Query = Unknown> extends Exchange {
  /** The parameters of the path, decoded by the schema of the endpoint; as they were sent where it has none. */
  readonly params: Params
  /** The same of the query. */
  readonly query: Query
}

type Decoded<S extends Schema.Constraint> = [S] extends [never] ? Unknown : S["Type"]

/** What the functions of a policy of this endpoint are told. */
export type ExchangeOf<E> = EndpointExchange<Decoded<HttpApiEndpoint.Params<E>>, Decoded<HttpApiEndpoint.Query<E>>>

type Told<Option, X> = Option extends (exchange: Exchange) => infer A ? (exchange: X) => A : Option
type Functions<X> = { readonly [K in keyof ResponseOptions]: Told<ResponseOptions[K], X> }

/** The policy of an endpoint: the options of `cachedResponse`, its key, and who gets the response of whom. */
export interface CachePolicyOptions<X extends Exchange = EndpointExchange> extends Functions<X> {
  /**
   * A name, or a key with placeholders for parameters of path and query, as `cachedResponse` takes it. Default: the name
   * `<group>.<endpoint>`; needed where those hold characters that no name may.
   */
  readonly key?: string | undefined
  /**
   * The response is the same for everybody whom the middleware outside of the cache lets through. Then no credential is in
   * the key. It stays `private` for the caches behind, which authenticate nobody. Default: what the endpoint declares as
   * security is in the key, as with `authenticated`.
   */
  readonly sameForAll?: boolean | undefined
  /**
   * The response is the same for all for whom this gives the same text, such as the users of a tenant:
   * `sameFor: Effect.map(CurrentUser, ({ tenant }) => tenant)`. It runs for each request, behind the middleware outside of the
   * cache, whose services it may use. Its text is in the key, as a hash, in place of the credentials. If it fails, so does the
   * request. For the caches behind it stays `private`.
   */
  readonly sameFor?: Effect.Effect<string, never, unknown> | undefined
  /**
   * What the endpoint declares and the key leaves out on purpose: names of parameters of path and query, and of headers. `*`: what
   * the path has there. `query:id`: a parameter of the query that has the name of one of the path. `query:*` and `header:*`: all
   * parameters and headers that nothing names, where a schema takes any.
   */
  readonly ignore?: ReadonlyArray<string> | undefined
  /**
   * Middleware inside of the cache that a response from it may go without, because it decides nothing of who sees what. All
   * other middleware has to be outside, that is, added later.
   */
  readonly skips?: ReadonlyArray<{ readonly key: string }> | undefined
}

/**
 * The annotation that gives an endpoint its policy: `.annotate(CachePolicy, { ttl: "1 minute" })`. `cachedEndpoint` adds it
 * together with the middleware, and knows the types of path and query.
 */
export class CachePolicy extends Context.Service<CachePolicy, CachePolicyOptions>()("effect-cache/http/CachePolicy") {}

/** The policy of an endpoint, or `undefined`. */
export const policyOf = (annotated: { readonly annotations: Context.Context<never> }): CachePolicyOptions | undefined =>
  Context.getOrUndefined(annotated.annotations, CachePolicy)

/** What is decoded for the functions of a policy, by the response that they are told of. */
const decoded = new WeakMap<object, { readonly params: unknown; readonly query: unknown }>()

/** What takes the whole exchange: all functions but this one, which sees no request. */
const toldOfTime = "cacheControl"

/** The options for `cachedResponse`, whose functions are told more than it knows. */
export const toldMore = (name: string, options: ResponseOptions): ResponseOptions => {
  const told: Record<string, unknown> = { ...options }
  for (const [option, value] of Object.entries(options)) {
    if (typeof value !== "function" || option === toldOfTime) continue
    const given = value as (exchange: EndpointExchange) => unknown
    told[option] = (exchange: Exchange) => {
      const more = decoded.get(exchange.response)
      if (more === undefined) {
        throw invalidOptionAs(`${option} of ${name}`, "without path and query", "some that its schemas can decode")
      }
      return given({ ...exchange, ...more } as EndpointExchange)
    }
  }
  return told as unknown as ResponseOptions
}

const needsMore = (options: ResponseOptions): boolean =>
  Object.entries(options).some(([option, value]) => typeof value === "function" && option !== toldOfTime)

/** The handler, which leaves for the functions of the policy what they are told. */
export const leavesMore = <E, R>(
  endpoint: HttpApiEndpoint.Top,
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  options: ResponseOptions
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R> => {
  if (!needsMore(options)) return handler
  const decode = <S extends Schema.Constraint>(schema: S | undefined) =>
    schema === undefined ? Effect.succeed : Schema.decodeUnknownEffect(schema)
  const params = decode(endpoint.params)
  // As the builder of the API does: one value is a list of one where the schema wants a list.
  const query = decode(endpoint.query === undefined ? undefined : Schema.toCodecArrayFromSingle(endpoint.query))
  return Effect.flatMap(handler, (response) =>
    Effect.withFiber((fiber) => {
      // A handler may give one response to all, and each load has its own path and query.
      const own = HttpServerResponse.setStatus(response, response.status)
      const context = fiber.context as Context.Context<never>
      const found = Effect.all({
        params: params(Context.getOrUndefined(context, HttpRouter.RouteContext)?.params ?? {}),
        query: query(Context.getOrUndefined(context, HttpServerRequest.ParsedSearchParams) ?? {})
      }) as Effect.Effect<{ readonly params: unknown; readonly query: unknown }, unknown>
      // The handler has decoded the same: what fails here alone leaves nothing, and the functions say so.
      return Effect.as(Effect.ignore(Effect.map(found, (more) => decoded.set(own, more))), own)
    })
  )
}
