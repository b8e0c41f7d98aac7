/**
 * Cached responses: a route's handler, run once per key and lifetime.
 */
import { type Cause, Clock, Context, Effect, type Fiber, Option } from "effect"
import { HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http"
import { CacheError } from "../CacheError.ts"
import type { OnCacheError } from "../CacheRegion.ts"
import { engineOf } from "../engine/contract.ts"
import type { FailureOf } from "../patterns/shape.ts"
import { invalidOption } from "../internal/invalidOption.ts"
import { isDone } from "../internal/isDone.ts"
import { CacheClient } from "../services/CacheClient.ts"
import { type Cache, makeCache, reloadsOf } from "./cache.ts"
import { type Forward, isMarked, marked, type Told } from "./cacheStatus.ts"
import { changing, isUnsafe } from "./changes.ts"
import { guarded, passing } from "./downstream.ts"
import { respondable } from "./failures.ts"
import { keyUnsafe } from "./key.ts"
import { Call, leave, type Made, madeHere, notStorable, type Run, takeOwn } from "./load.ts"
import type { Policy, ResponseOptions } from "./options.ts"
import type { Turn } from "./reloads.ts"
import { seesState, unseen } from "./requestState.ts"
import { ageOf, answer, leftOf, ownAnswer, type StoredResponse } from "./stored.ts"
import { canBeWhole } from "./whole.ts"
import { wishOf } from "./wish.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

/** A route's handler: an effect, or a function of the request, as `HttpRouter.add` takes it. */
export type Handler<E, R> = Effect.Effect<Response, E, R> | ((request: Request) => Effect.Effect<Response, E, R>)

/** The handler with a cache before it. */
export type CachedHandler<E, R> = Effect.Effect<Response, E, R | HttpServerRequest.HttpServerRequest | CacheClient>

const byRequest: Forward = { fwd: "request" }

/** Whether a response was there before the request came. */
const isBefore = (made: Made | undefined, call: Call): boolean => made === undefined || made.tick < call.tick

const toldOf = (call: Call, stored: StoredResponse, made: Made | undefined): Told => {
  const { forward, key } = call
  if (made === undefined || isBefore(made, call)) return { forward: undefined, key }
  const told = { forwardStatus: stored.status, collapsed: call.made === undefined, key }
  return made.kept
    ? { ...told, forward, stored: true }
    : { ...told, forward: { ...forward, detail: forward.detail ?? "not-stored" } }
}

/** The response, and what is said of it where a failure becomes one outside of the cache. */
const serve = (
  cache: Cache,
  client: CacheClient["Service"],
  fiber: Fiber.Fiber<unknown, unknown>,
  who: string
): Effect.Effect<Response, unknown, unknown> => {
  const { miss, policy } = cache
  const request = Context.getUnsafe(
    fiber.context as Context.Context<HttpServerRequest.HttpServerRequest>,
    HttpServerRequest.HttpServerRequest
  )
  const call = new Call(request, miss)
  return guarded(fiber, respond(cache, client, fiber, who, call), (response) => {
    const told = passing(response, policy, request.method)
    const { forward, key } = call
    return isMarked(told)
      ? told
      : marked(told, { forward: { ...forward, detail: forward.detail ?? "failure" }, forwardStatus: told.status, key })
  })
}

const respond = (
  cache: Cache,
  client: CacheClient["Service"],
  fiber: Fiber.Fiber<unknown, unknown>,
  who: string,
  call: Call
): Effect.Effect<Response, unknown, unknown> => {
  const { compiled, direct, miss, plan, policy } = cache
  const { request } = call
  const engine = engineOf(client)
  const around = Effect.suspend(() => direct.load(call))
  if (!seesState()) return Effect.andThen(unseen, around)
  const wish = wishOf(request, policy)
  call.onlyIfCached = wish.onlyIfCached
  /** What becomes of a request that is not answered from what is stored, nor loads for it. */
  const pass = (forward: Forward): Effect.Effect<Response, unknown, unknown> => {
    call.forward = forward
    return around
  }
  if (wish.around !== undefined) {
    const passed = pass(wish.around)
    return isUnsafe(request.method) ? changing(cache, client, request, fiber.context, passed) : passed
  }
  // A handler of HEAD alone makes responses without a body, and they are not those of GET.
  if (Context.getOrUndefined(fiber.context, HttpRouter.RouteContext)?.route.method === "HEAD") {
    return pass({ fwd: "bypass", detail: "head-route" })
  }
  let key: string
  try {
    key = keyUnsafe(compiled, policy, request, fiber.context, who)
  } catch (error) {
    // A parameter is missing, or there are two: that is what a client sent, and no failure of the cache.
    return error instanceof CacheError
      ? Effect.andThen(cache.unkeyed(error, fiber.context), pass({ fwd: "bypass", detail: "no-key" }))
      : Effect.die(error)
  }
  call.entry = key
  if (policy.saysKey) call.key = key
  const question = { plan, key, args: [call], receiver: undefined, params: call }
  const now = () => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()

  /** What may not be stored is this request's alone. */
  const alone = Effect.map(around, (response) => ownAnswer(response, request))
  const settle = (cause: Cause.Cause<unknown>): Effect.Effect<Response, unknown, unknown> => {
    if (!cause.reasons.some((reason) => reason._tag === "Fail" && reason.error === notStorable)) {
      return Effect.failCause(cause)
    }
    if (call.own === undefined) return alone
    const { forward, forwardStatus, key } = call
    // A failure is one of a moment, and a reload is what a client asks for.
    const isOfMoment = forward.detail === "failure" || (forwardStatus ?? 0) >= 500
    if (!isOfMoment && call.turn === undefined) cache.passes.note(call.entry, forward.detail!, now())
    return Effect.map(takeOwn(call, fiber.context), (response) =>
      ownAnswer(marked(passing(response, policy, request.method), { forward, forwardStatus, key }), request)
    )
  }
  const answered = (stored: StoredResponse, made: Made | undefined): Effect.Effect<Response> =>
    cache.warned(answer(stored, request, policy, toldOf(call, stored, made), now()))
  /** Whether what is there will do. An entry of a status that is listed no more will not. */
  const suits = (stored: StoredResponse): boolean =>
    policy.statuses.has(stored.status) &&
    ageOf(stored, now()) <= wish.maxAge &&
    Math.max(0, leftOf(stored, now())) >= wish.minFresh
  const found = (value: unknown): Effect.Effect<Response, unknown, unknown> => {
    const stored = value as StoredResponse
    const made = call.made ?? madeHere.get(stored)
    if (call.made !== undefined) cache.passes.forget(key)
    if (!isBefore(made, call) || suits(stored)) return answered(stored, made)
    call.forward = policy.statuses.has(stored.status) ? byRequest : miss
    return renewed
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
        return answered(stored, call.made ?? call.turn?.made ?? madeHere.get(stored))
      }
    })
  })
  /** A look at what is there, without a load. */
  const look = (without: () => Effect.Effect<Response, unknown, unknown>) =>
    Effect.matchEffect(engine.peek(plan.region, key), {
      onFailure: (error) => {
        call.forward = { fwd: "bypass", detail: "cache-error" }
        return engine.bypass({ plan: direct, args: [call], receiver: undefined }, error)
      },
      onSuccess: Option.match({
        onNone: without,
        onSome: (value) =>
          suits(value as StoredResponse) ? answered(value as StoredResponse, undefined) : pass(byRequest)
      })
    }) as Effect.Effect<Response, unknown, unknown>
  // The response to a HEAD would be taken for that to a GET, and a part for the whole.
  if (!canBeWhole(request) || wish.onlyIfCached || wish.part) {
    return wish.refresh ? pass(byRequest) : look(() => pass(miss))
  }
  if (wish.refresh) call.forward = byRequest
  else {
    const why = cache.passes.of(key, now())
    if (why !== undefined) {
      return look(() => {
        call.forward = { ...miss, detail: why }
        return alone
      })
    }
  }
  const leaving = (answer: Effect.Effect<Response, unknown, unknown>) =>
    Effect.onExit(answer, (exit) => {
      call.gone = true
      return leave(call, exit)
    })
  if (wish.refresh) return leaving(renewed)
  const asked = engine.getOrLoad(question, fiber)
  if (!isDone(asked)) return leaving(Effect.matchCauseEffect(asked, { onFailure: settle, onSuccess: found }))
  // A hit in memory is there already, and nothing was begun that is to be left.
  const hit = found(asked.value)
  return isDone(hit) ? hit : leaving(hit)
}

/** What may be given to an endpoint as well. */
export const endpointOptions = { key: 0, sameFor: 0, sameForAll: 0, ignore: 0, skips: 0 }

const notText = (who: never, name: string) => Effect.die(invalidOption(`sameFor of ${name}`, who, "a text"))

/**
 * The cached form of a handler for a client that is known: for `HttpCache`, which may grant more. `stored`: the handler for the
 * store. `name`: whose options they are. Throws `CacheError`.
 */
export const cachedWith = <E, R>(
  name: string,
  client: CacheClient["Service"],
  handler: Effect.Effect<Response, E, R>,
  nameOrKey: string,
  options: ResponseOptions,
  granted: Partial<Policy>,
  stored: (policy: Policy) => Effect.Effect<Response, E, R>
): Effect.Effect<Response, E, R | HttpServerRequest.HttpServerRequest> => {
  const storing = (policy: Policy) => {
    const made = stored(policy)
    return () => made
  }
  const cache = makeCache(name, () => handler, nameOrKey, options, storing, endpointOptions, granted)
  const { sameFor } = cache.policy
  const answered = (who: string) =>
    Effect.withFiber<Response, unknown, unknown>((fiber) => serve(cache, client, fiber, who))
  return (
    sameFor === undefined
      ? answered("")
      : Effect.flatMap(sameFor, (who) => (typeof who === "string" ? answered(who) : notText(who, name)))
  ) as Effect.Effect<Response, E, R>
}

const wrap = (handler: Handler<unknown, unknown>, nameOrKey: string, options: ResponseOptions<OnCacheError>) => {
  const run: Run = typeof handler === "function" ? handler : () => handler
  const storing =
    (policy: Policy): Run =>
    (request) =>
      respondable(run(request), policy)
  if (typeof nameOrKey !== "string") throw invalidOption("the name of a cached response", nameOrKey, "a text")
  const cache = makeCache(nameOrKey, run, nameOrKey, options, storing)
  return Effect.withFiber<Response, unknown, unknown>((fiber) =>
    serve(cache, Context.getUnsafe(fiber.context as Context.Context<CacheClient>, CacheClient), fiber, "")
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
 * **What is stored**: responses to GET with status 200, or one that `statuses` lists, and a body in memory of up to
 * `maxBodyBytes`. A HEAD is answered from the response to GET. When there is none, the handler is asked for that of GET where
 * the server passes on a web `Request`; elsewhere, as on Node's own server, it answers the HEAD itself, uncached. Never stored:
 * responses with a cookie, with `Cache-Control: private`, `no-store` or `no-cache`, with a `Vary` or a `Content-Encoding` that the
 * policy does not cover, or with a lifetime that is over; responses to requests with credentials that the policy does not name, or
 * with a body; streams; failures, but for what is an `HttpServerRespondable` (of an endpoint, an error that it declares) whose status
 * is listed.
 *
 * **What it adds**: `ETag` (a hash of the body, to a 200) and `Cache-Control`, unless the handler set them: `private, no-cache`, so
 * browsers ask each time and get 304 while it holds, and, with `shared: true`, `public, max-age`. `Age`, `Cache-Status` (RFC 9211), and
 * for this release `X-Cache`: `HIT` from the cache, `MISS` loaded and stored, `BYPASS` not from the cache and not stored.
 *
 * **What clients may ask for**: conditions (`If-None-Match`, `If-Modified-Since`) are answered with 304, a `Range` of bytes from the
 * stored whole with 206 or 416. They may ask for a fresh load (`Cache-Control: no-cache`, `max-age`, `min-fresh`), for none
 * (`only-if-cached`, 504) or for none of this (`no-store`). In a process one fresh load of a key runs at a time, and who asks
 * meanwhile shares the next; it is stored unless another load of the key is under way, so clients that keep asking keep nothing from
 * being stored.
 *
 * **Changes**: a request with an unsafe method that ends in a 2xx, 3xx or 5xx, or in no response, invalidates what is stored for its URL, in all variants,
 * before its response goes out; with a name, those that `Location` and `Content-Location` name as well.
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
