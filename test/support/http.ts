/**
 * A web handler over routes and a cache, and handlers that a test holds in hand.
 */
import { type Context, Deferred, Effect, Latch, Layer, type Scope } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { CacheClient } from "../../src/services/CacheClient.ts"

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly cache: string | null
}

export type Ask = (path: string, init?: RequestInit) => Effect.Effect<Answer>

export const answerOf = async (response: Response): Promise<Answer> => ({
  status: response.status,
  headers: response.headers,
  text: await response.text(),
  cache: response.headers.get("x-cache")
})

/** Serves the routes with the given cache until the scope closes. */
export const serve = (
  routes: Layer.Layer<never, never, any>,
  cache: Context.Context<CacheClient>
): Effect.Effect<Ask, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() =>
        HttpRouter.toWebHandler(
          routes.pipe(HttpRouter.provideRequest(Layer.succeedContext(cache))) as Layer.Layer<
            never,
            never,
            HttpRouter.HttpRouter
          >,
          { disableLogger: true }
        )
      ),
      (web) => Effect.promise(() => web.dispose())
    ),
    (web): Ask =>
      (path, init) =>
        Effect.promise(async (signal) =>
          answerOf(await web.handler(new Request(`http://localhost${path}`, { signal, ...init })))
        )
  )

export const all = <A>(effects: ReadonlyArray<Effect.Effect<A>>): Effect.Effect<ReadonlyArray<A>> =>
  Effect.all(effects, { concurrency: "unbounded" })

/** A handler that says when each of its runs began, and ends each when told to. */
export const gated = (runs: number) => {
  const begun = Array.from({ length: runs }, () => Deferred.makeUnsafe<void>())
  const gates = Array.from({ length: runs }, () => Latch.makeUnsafe())
  const state = { runs: 0, active: 0, most: 0, interrupted: 0 }
  const handler = Effect.suspend(() => {
    const run = state.runs++
    state.most = Math.max(state.most, ++state.active)
    Deferred.doneUnsafe(begun[run]!, Effect.void)
    return gates[run]!.await.pipe(
      Effect.as(HttpServerResponse.text(`${run + 1}`)),
      Effect.onInterrupt(() => Effect.sync(() => state.interrupted++)),
      Effect.ensuring(Effect.sync(() => state.active--))
    )
  })
  return {
    state,
    handler,
    begun: (run: number) => Deferred.await(begun[run - 1]!),
    end: (run: number) => gates[run - 1]!.open
  }
}

/** The effect, and a signal that so many fibers have come to it. */
export const counted = <E, R>(effect: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>, awaited: number) => {
  const all = Deferred.makeUnsafe<void>()
  let come = 0
  const arrives = Effect.suspend(() => {
    if (++come === awaited) Deferred.doneUnsafe(all, Effect.void)
    return effect
  })
  return { arrives, come: Deferred.await(all) }
}

/** A handler that counts its runs. */
export const countingHandler = (
  make: (n: number, request: HttpServerRequest.HttpServerRequest) => HttpServerResponse.HttpServerResponse
) => {
  const state = { runs: 0 }
  const handler = Effect.map(HttpServerRequest.HttpServerRequest, (request) => make(++state.runs, request))
  return Object.assign(state, { handler })
}
