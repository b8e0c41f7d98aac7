/**
 * Cached responses: a route's handler, run once per key and lifetime.
 *
 * **What may be shared.** What may not be stored may not be shared either: a response that turns out to be private, to
 * set a cookie, to stream or to fail belongs to the request whose handler made it. So the load that requests share ends
 * in a stored response or in `notStorable`; on the latter, the request that ran the handler gets what it made, and every
 * other one runs its own.
 */
import { type Cause, Clock, Context, Effect, Exit, type Fiber, Option, Scope } from "effect"
import { HttpEffect, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { CacheError } from "../CacheError.ts"
import type { CompiledKey } from "../CacheKey.ts"
import type { OnCacheError } from "../CacheRegion.ts"
import { engineOf, type Plan } from "../engine/contract.ts"
import type { FailureOf } from "../patterns/shape.ts"
import { leaseMillis, positiveMillis } from "../region/checks.ts"
import { makeUnsafe } from "../region/region.ts"
import { CacheClient } from "../services/CacheClient.ts"
import { guarded, passing } from "./downstream.ts"
import { compileName, keyUnsafe } from "./key.ts"
import { type Exchange, type Policy, policyUnsafe, type ResponseOptions } from "./options.ts"
import { Reloads, type Turn } from "./reloads.ts"
import { RequestState, seesState, unseen } from "./requestState.ts"
import { storableOf, wishOf } from "./semantics.ts"
import { ageOf, answer, type CacheStatus, store, StoredResponse } from "./stored.ts"
import { canBeWhole, wholeOf } from "./whole.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

/** A route's handler: an effect, or a function of the request, as `HttpRouter.add` takes it. */
export type Handler<E, R> = Effect.Effect<Response, E, R> | ((request: Request) => Effect.Effect<Response, E, R>)

/** The handler with a cache before it. */
export type CachedHandler<E, R> = Effect.Effect<Response, E, R | HttpServerRequest.HttpServerRequest | CacheClient>

/** The load made nothing that others may have. */
class NotStorable {}
const notStorable = new NotStorable()

/** When a response was loaded in this process, in the order of loads, and whether it was stored, or may have been. */
interface Made {
  readonly tick: number
  kept: boolean
}
let ticks = 0
const madeHere = new WeakMap<object, Made>()

/** One request on its way through the cache. */
class Call {
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
  ttlMillis = 0
  exchange: Exchange | undefined
  /** Why there is no lifetime to store it with. */
  problem: unknown
  constructor(request: Request) {
    this.request = request
  }
}

type Run = (request: Request) => Effect.Effect<Response, unknown, unknown>

const isFailure = (cause: Cause.Cause<unknown>): boolean => cause.reasons.some(({ _tag }) => _tag === "Fail")

/**
 * Runs the handler for the store. In a scope and a request state of its own: the load may outlive the request that began
 * it, and what a handler leaves for one response (a cookie, say) must not be lost on the others unseen.
 */
const load = (policy: Policy, byHost: boolean, run: Run) => (call: Call) =>
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
        call.made = { tick: ++ticks, kept: false }
        if (call.turn !== undefined) call.turn.made = call.made
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

const marked =
  (policy: Policy, { method }: Request) =>
  (response: Response): Response =>
    HttpServerResponse.setHeader(passing(response, policy, method), "x-cache", "BYPASS")

const region = (compiled: CompiledKey, options: ResponseOptions<OnCacheError>) => {
  const { tags } = options
  return makeUnsafe({
    key: compiled,
    schema: StoredResponse,
    ttl: (_: StoredResponse, call: Call) => {
      if (call.problem !== undefined) throw call.problem
      if (call.made !== undefined) call.made.kept = true
      return call.ttlMillis
    },
    tags: typeof tags === "function" ? (_: StoredResponse, call: Call) => tags(call.exchange!) : tags,
    onCacheError: options.onCacheError
  })
}

/** The plan for reads, the way around the cache, and the reloads under way with each client. */
interface Cache {
  readonly policy: Policy
  readonly compiled: CompiledKey
  readonly plan: Plan
  readonly direct: Plan
  readonly reloads: WeakMap<CacheClient["Service"], Reloads<Made>>
}

const makeCache = (
  run: (request: Request) => Effect.Effect<Response, unknown, unknown>,
  nameOrKey: string,
  options: ResponseOptions<OnCacheError>,
  more?: object
): Cache => {
  const policy = policyUnsafe(options, more)
  const compiled = compileName(nameOrKey, policy.secretQuery)
  const { stampede = false } = options
  const { lockTtl, waitTimeout } = typeof stampede === "object" ? stampede : {}
  const plan: Plan = {
    region: region(compiled, options),
    load: load(policy, !policy.anyHost && compiled.placeholders.length === 0, run),
    leaseMillis: lockTtl === undefined ? undefined : leaseMillis("lockTtl", lockTtl),
    wait:
      stampede === false
        ? undefined
        : {
            timeoutMillis: waitTimeout === undefined ? undefined : positiveMillis("waitTimeout", waitTimeout),
            onTimeout: "load"
          },
    memory: false,
    // Reloads are asked for by clients: they must not keep the loads of others, here or elsewhere, from being stored.
    yields: true,
    refused: (call: Call) => {
      if (call.made !== undefined) call.made.kept = false
    }
  }
  const around = (call: Call) => Effect.map(run(call.request), marked(policy, call.request))
  const direct: Plan = { ...plan, load: around }
  return { policy, compiled, plan, direct, reloads: new WeakMap() }
}

const reloadsOf = ({ reloads }: Cache, client: CacheClient["Service"]): Reloads<Made> => {
  let own = reloads.get(client)
  if (own === undefined) {
    own = new Reloads()
    reloads.set(client, own)
  }
  return own
}

const serve = (
  cache: Cache,
  client: CacheClient["Service"],
  fiber: Fiber.Fiber<unknown, unknown>
): Effect.Effect<Response, unknown, unknown> => {
  const { compiled, direct, plan, policy } = cache
  const engine = engineOf(client)
  const request = Context.getUnsafe(
    fiber.context as Context.Context<HttpServerRequest.HttpServerRequest>,
    HttpServerRequest.HttpServerRequest
  )
  const call = new Call(request)
  const around = Effect.suspend(() => direct.load(call))
  if (!seesState()) return Effect.andThen(unseen, around)
  const wish = wishOf(request, policy)
  // A handler of HEAD alone makes responses without a body, and they are not those of GET.
  if (wish === "bypass" || Context.getOrUndefined(fiber.context, HttpRouter.RouteContext)?.route.method === "HEAD") {
    return around
  }
  let key: string
  try {
    key = keyUnsafe(compiled, policy, request, fiber.context)
  } catch (error) {
    // A parameter is missing, or there are two: that is what a client sent, and no failure of the cache.
    return error instanceof CacheError ? around : Effect.die(error)
  }
  const question = { plan, key, args: [call], receiver: undefined, params: call }
  const maxAge = wish === "refresh" ? 0 : wish.maxAge
  const now = () => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()

  const settle = (cause: Cause.Cause<unknown>): Effect.Effect<Response, unknown, unknown> => {
    if (!cause.reasons.some((reason) => reason._tag === "Fail" && reason.error === notStorable)) {
      return Effect.failCause(cause)
    }
    return call.own === undefined ? around : Effect.map(takeOwn(call, fiber.context), marked(policy, request))
  }
  const statusOf = (made: Made | undefined): CacheStatus =>
    made === undefined || made.tick < call.tick ? "HIT" : made.kept ? "MISS" : "BYPASS"
  const found = (value: unknown): Effect.Effect<Response, unknown, unknown> => {
    const stored = value as StoredResponse
    const status = statusOf(call.made ?? madeHere.get(stored))
    return status === "HIT" && ageOf(stored, now()) > maxAge
      ? renewed
      : Effect.succeed(answer(stored, request, policy, status, now()))
  }
  const renewed: Effect.Effect<Response, unknown, unknown> = Effect.suspend(() => {
    // The same for every request that shares it: one that took what is stored would do for some of them only.
    const load = (turn: Turn<Made>) => {
      call.turn = turn
      return engine.refresh(question)
    }
    return Effect.matchCauseEffect(reloadsOf(cache, client).ask(key, load), {
      onFailure: settle,
      onSuccess: (value) => {
        const stored = value as StoredResponse
        const made = call.made ?? call.turn?.made ?? madeHere.get(stored)
        return Effect.succeed(answer(stored, request, policy, statusOf(made), now()))
      }
    })
  })
  if (!canBeWhole(request)) {
    // A look at what is there, without a load: its response would be taken for that to a GET.
    if (wish === "refresh") return around
    return Effect.matchEffect(engine.peek(plan.region, key), {
      onFailure: (error) => engine.bypass({ plan: direct, args: [call], receiver: undefined }, error),
      onSuccess: Option.match({
        onNone: () => around,
        onSome: (value) =>
          ageOf(value as StoredResponse, now()) > maxAge
            ? around
            : Effect.succeed(answer(value as StoredResponse, request, policy, "HIT", now()))
      })
    }) as Effect.Effect<Response, unknown, unknown>
  }
  return Effect.onExit(
    wish === "refresh"
      ? renewed
      : Effect.matchCauseEffect(engine.getOrLoad(question, fiber), { onFailure: settle, onSuccess: found }),
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
  const cache = makeCache(() => handler, nameOrKey, options, { key: 0 })
  return Effect.withFiber((fiber) => guarded(fiber, serve(cache, client, fiber))) as Effect.Effect<Response, E, R>
}

const wrap = (handler: Handler<unknown, unknown>, nameOrKey: string, options: ResponseOptions<OnCacheError>) => {
  const cache = makeCache(typeof handler === "function" ? handler : () => handler, nameOrKey, options)
  return Effect.withFiber<Response, unknown, unknown>((fiber) =>
    guarded(fiber, serve(cache, Context.getUnsafe(fiber.context as Context.Context<CacheClient>, CacheClient), fiber))
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
 * By a plain name, `"users:list"`, the key is `http:<name>:<scheme>://<host>/<path>?<query>`, so one name serves a route
 * with parameters, and `invalidatePattern("http:users:list:*")` removes them all. Names are made of letters, digits and
 * `_ . ~ @ : / -`. With `anyHost: true` it is `http:<name>:/<path>?<query>`. A request with a malformed host is not cached.
 * A key with placeholders, `"page:{slug}"`, is filled from the parameters of route and query, and is exactly the key of
 * the entry; parameters that it does not name make no difference. A request that lacks one of them (but for `{page?}`), or has one twice, is
 * not cached: its handler runs (`BYPASS`), whatever `onCacheError` says. What `vary` and `authenticated` name is added to
 * either behind a `#`. Paths count as sent, hosts in their one spelling (lower case, without the port of the scheme).
 *
 * **To invalidate one URL**, use tags or a key with placeholders: `invalidateKey(buildCacheKey("page:{slug}", ...))`, or,
 * with variants, `invalidatePattern(buildCachePattern("page:{slug}", ...) + "#*")`. The key of a name holds path and query
 * as they were sent, encoded once more, so `/users/a%20b` is `/users/a%2520b` in it:
 * `buildCachePattern("http:users:https://example.com/users/{id}", { params: { id: encodeURIComponent(id) } })`, if clients
 * encode as that does.
 *
 * **What is stored**: responses with status 200 to GET, with a body in memory of up to `maxBodyBytes`. A HEAD is answered
 * from the response to GET. When there is none, the handler is asked for that of GET where the server passes on a web
 * `Request`; elsewhere, as on Node's own server, it answers the HEAD itself, uncached. Never stored: responses with a
 * cookie, with `Cache-Control: private`, `no-store` or `no-cache`, or with a `Vary` that the policy does not cover;
 * responses to requests with credentials that the policy does not name, with a `Range` or a body; streams, failures.
 *
 * **What it adds**: `ETag` (a hash of the body) and `Cache-Control`, unless the handler set them: `private, no-cache`, so
 * browsers ask each time and get 304 while it holds, and, with `shared: true`, `public, max-age`. `Age`, and `X-Cache`:
 * `HIT` from the cache, `MISS` loaded and stored, `BYPASS` not from the cache and not stored. `If-None-Match` is answered
 * with 304. Clients may ask for a fresh load (`Cache-Control: no-cache`, `max-age`) or for none of this (`no-store`). In a
 * process one fresh load of a key runs at a time, and who asks meanwhile shares the next; it is stored unless another load
 * of the key is under way, so clients that keep asking keep nothing from being stored.
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
