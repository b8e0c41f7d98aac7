/**
 * What may stand between a client and a server: nothing, nginx, or undici's cache in the client. Each with its cache, as people have
 * it, and without, to compare with.
 */
import { createServer } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer, type Scope } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Agent, type Dispatcher, interceptors } from "undici"
import type { CacheClient } from "../../src/services/CacheClient.ts"
import { nginx } from "./nginx.ts"
import { hangUp, type RawAnswer, type RawRequest, send } from "./rawHttp.ts"

export type Front = "alone" | "nginx" | "undici"

/** A way to ask a server. An answer that is none (the client refused to send it) has status 0. */
export interface Way {
  readonly ask: (request: RawRequest) => Effect.Effect<RawAnswer>
  /** Sends it, and does not wait. */
  readonly leave: (request: RawRequest) => Effect.Effect<void>
}

/** Serves the routes on a free port until the scope closes. */
export const listen = (
  routes: Layer.Layer<never, never, any>,
  cache: Context.Context<CacheClient>
): Effect.Effect<number, never, Scope.Scope> =>
  Effect.gen(function*() {
    const services = Layer.succeedContext(cache)
    const provided = routes.pipe(HttpRouter.provideRequest(services), Layer.provide(services)) as Layer.Layer<
      never,
      never,
      HttpRouter.HttpRouter
    >
    const server = HttpRouter.serve(provided, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
    )
    const { address } = Context.get(yield* Layer.build(Layer.fresh(server)), HttpServer.HttpServer)
    return address._tag === "UnixPathAddress" ? 0 : address.port
  }).pipe(Effect.orDie)

const refused: RawAnswer = { status: 0, headers: {}, body: "" }

const answerOf = async ({ body, headers, statusCode }: Dispatcher.ResponseData): Promise<RawAnswer> => ({
  status: statusCode,
  headers: Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : `${value}`])
  ),
  body: Buffer.from(await body.arrayBuffer()).toString("latin1")
})

const overUndici = (port: number, cached: boolean): Effect.Effect<Way, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new Agent()),
      (agent) => Effect.promise(() => agent.destroy())
    ),
    (agent): Way => {
      const dispatcher = cached ? agent.compose(interceptors.cache({ type: "shared" })) : agent
      const ask = ({ body, headers = [], method = "GET", target }: RawRequest) =>
        Effect.promise((signal) =>
          dispatcher
            .request({
              origin: `http://127.0.0.1:${port}`,
              path: target,
              method: method as Dispatcher.HttpMethod,
              // As Node's own clients give them: names in lower case, so that the cache finds them.
              headers: {
                host: "site.example",
                ...Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]))
              },
              body: body ?? null,
              signal
            })
            .then(answerOf, () => refused)
        )
      return { ask, leave: (request) => Effect.asVoid(Effect.timeoutOption(ask(request), 1)) }
    }
  )

/** The way to a server at the port through a front; `cached` or not. */
export const wayThrough = (front: Front, port: number, cached: boolean): Effect.Effect<Way, never, Scope.Scope> =>
  front === "undici"
    ? overUndici(port, cached)
    : Effect.map(
        front === "alone"
          ? Effect.succeed(port)
          : nginx({ upstream: port, cache: cached, location: "proxy_set_header Host $http_host;" }),
        (port): Way => ({ ask: (request) => send(port, request), leave: (request) => hangUp(port, request) })
      )
