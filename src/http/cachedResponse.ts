/**
 * Cached responses: a route's handler, run once per key and lifetime.
 *
 * **What may be shared.** What may not be stored may not be shared either: a response that turns out to be private, to
 * set a cookie, to stream or to fail belongs to the request whose handler made it. So the load that requests share ends
 * in a stored response or in `notStorable`; on the latter, the request that ran the handler gets what it made, and every
 * other one runs its own.
 */
import { type Cause, Clock, Context, Effect, Exit, type Fiber, Scope } from "effect"
import { Headers, HttpEffect, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { CacheError } from "../CacheError.ts"
import type { CompiledKey } from "../CacheKey.ts"
import type { OnCacheError } from "../CacheRegion.ts"
import type { Plan } from "../internal/client/load.ts"
import { makeUnsafe, positiveMillis } from "../internal/region.ts"
import type { FailureOf } from "../patterns/cached.ts"
import { CacheClient } from "../services/CacheClient.ts"
import { compileName, keyUnsafe } from "./key.ts"
import { type Exchange, type Policy, policyUnsafe, type ResponseOptions } from "./options.ts"
import { storableOf, wishOf } from "./semantics.ts"
import { ageOf, answer, type CacheStatus, store, StoredResponse } from "./stored.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

/** A route's handler: an effect, or a function of the request, as `HttpRouter.add` takes it. */
export type Handler<E, R> = Effect.Effect<Response, E, R> | ((request: Request) => Effect.Effect<Response, E, R>)

/** The handler with a cache before it. */
export type CachedHandler<E, R> = Effect.Effect<Response, E, R | HttpServerRequest.HttpServerRequest | CacheClient>

/** The load made nothing that others may have. */
class NotStorable {}
const notStorable = new NotStorable()

/** What the router keeps of a request: where handlers leave what is to be done to the response before it is sent. */
interface RequestState {
  preResponseHandler: HttpEffect.PreResponseHandler | undefined
  loggerDisabled: boolean
}
// The key is not exported. Should it change, handlers find the state of the request instead, as they would without us.
const RequestState = Context.Service<RequestState>("effect/http/HttpEffect/CurrentRequestState")

/** When a response was loaded in this process, in the order of loads, and whether it was on its way to the store. */
interface Made {
  readonly tick: number
  sealed: boolean
}
let ticks = 0
const madeHere = new WeakMap<object, Made>()

/** One request on its way through the cache. */
class Call {
  readonly request: Request
  readonly tick = ++ticks
  made: Made | undefined
  /** What the handler gave to this very request, when it is not for others. */
  own:
    | { readonly exit: Exit.Exit<Response, unknown>; readonly scope: Scope.Closeable; readonly state: RequestState }
    | undefined
  gone = false
  ttlMillis = 0
  exchange: Exchange | undefined
  /** Why there is no lifetime to store it with. */
  problem: unknown
  constructor(request: Request) {
    this.request = request
  }
}

/** The request as the load sees it. The response is for the store, so it is a whole one: a GET without conditions. */
const forLoad = (request: Request): Request => {
  const conditional =
    request.headers["if-none-match"] !== undefined || request.headers["if-modified-since"] !== undefined
  if (request.method === "GET" && !conditional) return request
  return Object.create(request, {
    method: { value: "GET" },
    headers: { value: Headers.removeMany(request.headers, ["if-none-match", "if-modified-since"]) }
  })
}

const isFailure = (cause: Cause.Cause<unknown>): boolean => cause.reasons.some(({ _tag }) => _tag === "Fail")

/**
 * Runs the handler for the store. In a scope and a request state of its own: the load may outlive the request that began
 * it, and what a handler leaves for one response (a cookie, say) must not be lost on the others unseen.
 */
const load = (policy: Policy, run: (request: Request) => Effect.Effect<Response, unknown, unknown>) => (call: Call) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber<StoredResponse, unknown, unknown>((fiber) => {
      const scope = Scope.makeUnsafe()
      const state: RequestState = { preResponseHandler: undefined, loggerDisabled: false }
      const request = forLoad(call.request)
      const context = fiber.context.pipe(
        Context.add(Scope.Scope, scope),
        Context.add(RequestState, state),
        Context.add(HttpServerRequest.HttpServerRequest, request)
      )
      const handled = Effect.suspend(() => run(request)) as Effect.Effect<Response, unknown>
      return Effect.flatMap(Effect.exit(restore(Effect.provideContext(handled, context))), (exit) => {
        const keep = (): Effect.Effect<never, NotStorable> => {
          call.own = { exit, scope, state }
          // Nobody is left to take it.
          return Effect.andThen(call.gone ? leave(call, exit) : Effect.void, Effect.fail(notStorable))
        }
        if (Exit.isFailure(exit)) {
          // A failure becomes a response too, and may hold as much of its user as any other. Defects and interruptions
          // say nothing of anybody, and are shared.
          return isFailure(exit.cause) ? keep() : Effect.andThen(Scope.close(scope, exit), Effect.failCause(exit.cause))
        }
        const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        const storable = state.preResponseHandler === undefined ? storableOf(exit.value, policy, now) : undefined
        if (storable === undefined) return keep()
        call.exchange = { request: call.request, response: exit.value }
        try {
          const ttl = typeof policy.ttl === "function" ? policy.ttl(call.exchange) : policy.ttl
          call.ttlMillis = Math.min(ttl, storable.maxMillis)
        } catch (problem) {
          call.problem = problem
        }
        const stored = store(storable, policy, call.ttlMillis, now)
        call.made = { tick: ++ticks, sealed: false }
        madeHere.set(stored, call.made)
        return Effect.as(Scope.close(scope, exit), stored)
      })
    })
  )

/** Lets go of what the handler made for a request that will not use it. */
const leave = (call: Call, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { own } = call
    call.own = undefined
    return own === undefined ? Effect.void : Scope.close(own.scope, exit)
  })

/** Hands a request what its handler made: its scope ends with that of the request, which waits for streams. */
const takeOwn = (call: Call, context: Context.Context<never>): Effect.Effect<Response, unknown> => {
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

const marked = (response: Response): Response => HttpServerResponse.setHeader(response, "x-cache", "BYPASS")

const region = (compiled: CompiledKey, options: ResponseOptions<OnCacheError>) => {
  const { tags } = options
  return makeUnsafe({
    key: compiled,
    schema: StoredResponse,
    ttl: (_: StoredResponse, call: Call) => {
      if (call.problem !== undefined) throw call.problem
      if (call.made !== undefined) call.made.sealed = true
      return call.ttlMillis
    },
    tags: typeof tags === "function" ? (_: StoredResponse, call: Call) => tags(call.exchange!) : tags,
    onCacheError: options.onCacheError
  })
}

/** The plan for reads, and the way around the cache. */
interface Cache {
  readonly policy: Policy
  readonly compiled: CompiledKey
  readonly plan: Plan
  readonly direct: Plan
}

const makeCache = (
  run: (request: Request) => Effect.Effect<Response, unknown, unknown>,
  nameOrKey: string,
  options: ResponseOptions<OnCacheError>
): Cache => {
  const policy = policyUnsafe(options)
  const compiled = compileName(nameOrKey)
  const { stampede = false } = options
  const waits = typeof stampede === "object" ? stampede : {}
  const millis = (name: "lockTtl" | "waitTimeout") =>
    waits[name] === undefined ? undefined : positiveMillis(name, waits[name])
  const plan: Plan = {
    region: region(compiled, options),
    load: load(policy, run),
    leaseMillis: millis("lockTtl"),
    wait: stampede === false ? undefined : { timeoutMillis: millis("waitTimeout"), onTimeout: "load" },
    memory: false
  }
  return { policy, compiled, plan, direct: { ...plan, load: (call: Call) => Effect.map(run(call.request), marked) } }
}

const serve = (
  { compiled, direct, plan, policy }: Cache,
  client: CacheClient["Service"],
  fiber: Fiber.Fiber<unknown, unknown>
): Effect.Effect<Response, unknown, unknown> => {
  const request = Context.getUnsafe(
    fiber.context as Context.Context<HttpServerRequest.HttpServerRequest>,
    HttpServerRequest.HttpServerRequest
  )
  const call = new Call(request)
  const around = Effect.suspend(() => direct.load(call))
  const wish = wishOf(request, policy)
  // A handler of HEAD alone makes responses without a body, and they are not those of GET.
  if (wish === "bypass" || Context.getOrUndefined(fiber.context, HttpRouter.RouteContext)?.route.method === "HEAD") {
    return around
  }
  let key: string
  try {
    key = keyUnsafe(compiled, policy, request, fiber.context)
  } catch (error) {
    return error instanceof CacheError ? (client.bypass(direct, [call], error) as typeof around) : Effect.die(error)
  }
  const question = { plan, key, args: [call] }

  const settle = (cause: Cause.Cause<unknown>): Effect.Effect<Response, unknown, unknown> => {
    if (!cause.reasons.some((reason) => reason._tag === "Fail" && reason.error === notStorable)) {
      return Effect.failCause(cause)
    }
    return call.own === undefined ? around : Effect.map(takeOwn(call, fiber.context), marked)
  }
  const found = (value: unknown, fresh: boolean): Effect.Effect<Response, unknown, unknown> => {
    const stored = value as StoredResponse
    const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
    const made = call.made ?? madeHere.get(stored)
    const status: CacheStatus = made === undefined || made.tick < call.tick ? "HIT" : made.sealed ? "MISS" : "BYPASS"
    if (!fresh && status === "HIT" && ageOf(stored, now) > maxAge) return renewed
    return Effect.succeed(answer(stored, request, policy, status, now))
  }
  const maxAge = wish === "refresh" ? 0 : wish.maxAge
  const renewed: Effect.Effect<Response, unknown, unknown> = Effect.suspend(() =>
    Effect.matchCauseEffect(client.refresh(question), { onFailure: settle, onSuccess: (value) => found(value, true) })
  )
  return Effect.onExit(
    wish === "refresh"
      ? renewed
      : Effect.matchCauseEffect(client.getOrLoad(question, fiber), {
          onFailure: settle,
          onSuccess: (value) => found(value, false)
        }),
    (exit) => {
      call.gone = true
      return leave(call, exit)
    }
  )
}

/** The cached form of a handler for a client that is known: for `HttpCache`. Throws `CacheError`. */
export const cachedWith = <E, R>(
  client: CacheClient["Service"],
  handler: Effect.Effect<Response, E, R>,
  nameOrKey: string,
  options: ResponseOptions
): Effect.Effect<Response, E, R | HttpServerRequest.HttpServerRequest> => {
  const cache = makeCache(() => handler, nameOrKey, options)
  return Effect.withFiber((fiber) => serve(cache, client, fiber)) as Effect.Effect<Response, E, R>
}

const wrap = (handler: Handler<unknown, unknown>, nameOrKey: string, options: ResponseOptions<OnCacheError>) => {
  const cache = makeCache(typeof handler === "function" ? handler : () => handler, nameOrKey, options)
  return Effect.withFiber<Response, unknown, unknown>((fiber) =>
    serve(cache, Context.getUnsafe(fiber.context as Context.Context<CacheClient>, CacheClient), fiber)
  )
}

/** The signature of `cachedResponse`: curried or data-first. */
export interface CachedResponse {
  <F extends OnCacheError = "bypass">(
    nameOrKey: string,
    options: ResponseOptions<F>
  ): <E, R>(handler: Handler<E, R>) => CachedHandler<E | FailureOf<F>, R>
  <E, R, F extends OnCacheError = "bypass">(
    handler: Handler<E, R>,
    nameOrKey: string,
    options: ResponseOptions<F>
  ): CachedHandler<E | FailureOf<F>, R>
}

/**
 * Caches the responses of a route's handler. Throws `CacheError` when an option is out of range or a key malformed.
 *
 * By a plain name, `"expensive"`, the key is `http:<name>:<path>?<query>`, so one name serves a route with parameters,
 * and `invalidatePattern("http:expensive:*")` removes them all. A key with placeholders, `"page:{slug}"`, is filled from
 * the parameters of route and query, and is exactly the key of the entry; parameters that it does not name make no
 * difference. What `vary` and `authenticated` name is added to either behind a `#`. Paths count as sent, hosts do not:
 * name `"host"` in `vary` where a handler looks at it.
 *
 * **What is stored**: responses with status 200 to GET, with a body in memory of up to `maxBodyBytes`. A HEAD is answered
 * from the response to GET, which the handler is asked for when there is none. Never stored: responses with a cookie,
 * with `Cache-Control: private`, `no-store` or `no-cache`, or with a `Vary` that the policy does not cover; responses to
 * requests with credentials that the policy does not name, with a `Range` or a body; streams, failures.
 *
 * **What it adds**: `ETag` (a hash of the body) and `Cache-Control`, unless the handler set them, `Age`, and `X-Cache`:
 * `HIT` from the cache, `MISS` loaded and stored, `BYPASS` neither read nor stored; `STALE` is kept for a grace window.
 * `If-None-Match` is answered with 304. Clients may ask for a fresh load (`Cache-Control: no-cache`, `max-age`) or for
 * none of this (`no-store`).
 *
 * A hit skips the handler and all that it provides for itself, so authorization belongs outside of the cached handler.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 * import { CacheMemory } from "effect-cache"
 * import { cachedResponse } from "effect-cache/http"
 *
 * let runs = 0
 * const handler = Effect.sync(() => HttpServerResponse.jsonUnsafe({ run: ++runs }))
 * const route = HttpRouter.add("GET", "/expensive", cachedResponse("expensive", { ttl: "10 minutes" })(handler))
 * const web = HttpRouter.toWebHandler(route.pipe(HttpRouter.provideRequest(CacheMemory.layer())), { disableLogger: true })
 *
 * const first = await web.handler(new Request("http://localhost/expensive"))
 * const again = await web.handler(new Request("http://localhost/expensive"))
 * assert.deepEqual([first.headers.get("x-cache"), again.headers.get("x-cache")], ["MISS", "HIT"])
 * assert.deepEqual(await again.json(), { run: 1 })
 * await web.dispose()
 * ```
 */
export const cachedResponse: CachedResponse = ((first: unknown, second: unknown, third: unknown) =>
  typeof first === "string"
    ? (handler: Handler<unknown, unknown>) => wrap(handler, first, second as ResponseOptions<OnCacheError>)
    : wrap(first as Handler<unknown, unknown>, second as string, third as ResponseOptions<OnCacheError>)) as never
