/**
 * A web handler over routes and a cache.
 */
import { Effect, Layer, type Context, type Scope } from "effect"
import { HttpRouter } from "effect/http"
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
