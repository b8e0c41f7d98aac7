/**
 * Cached responses for `HttpApi`: one middleware, and a policy on each endpoint that wants it.
 */
import { Context, Effect, Layer } from "effect"
import { HttpApiMiddleware } from "effect/http-api"
import { CacheClient } from "../services/CacheClient.ts"
import { cachedWith } from "./cachedResponse.ts"
import type { ResponseOptions } from "./options.ts"

/** The policy of an endpoint: the options of `cachedResponse`, and its key. */
export interface CachePolicyOptions extends ResponseOptions {
  /**
   * A name, or a key with placeholders for parameters of path and query, as `cachedResponse` takes it. Default: the name
   * `<group>.<endpoint>`; needed where those hold characters that no name may.
   */
  readonly key?: string | undefined
}

/** The annotation that gives an endpoint its policy: `.annotate(CachePolicy, { ttl: "1 minute" })`. */
export class CachePolicy extends Context.Service<CachePolicy, CachePolicyOptions>()("effect-cache/http/CachePolicy") {}

/**
 * The middleware that caches the responses of endpoints annotated with a `CachePolicy`; others it leaves alone. See
 * `cachedResponse` for what is stored and what is added.
 *
 * A hit skips everything inside of this middleware. Add it to endpoints or groups before the middleware that
 * authenticates: what is added later runs first. Provide its layer while the group is built.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { HttpRouter, HttpServer } from "effect/http"
 * import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
 * import { CacheMemory } from "effect-cache"
 * import { CachePolicy, HttpCache } from "effect-cache/http"
 *
 * class Users extends HttpApiGroup.make("users").add(
 *   HttpApiEndpoint.get("byId", "/users/:id", { params: { id: Schema.String }, success: Schema.String })
 *     .annotate(CachePolicy, { key: "page:user:{id}", ttl: "1 minute", tags: ["users"] })
 * ).middleware(HttpCache) {}
 * class Api extends HttpApi.make("api").add(Users) {}
 *
 * let runs = 0
 * const UsersLive = HttpApiBuilder.group(Api, "users", (handlers) =>
 *   handlers.handle("byId", ({ params }) => Effect.sync(() => `${params.id}, run ${++runs}`))
 * ).pipe(Layer.provide(HttpCache.layer), Layer.provide(CacheMemory.layer()))
 * const web = HttpRouter.toWebHandler(
 *   HttpApiBuilder.layer(Api).pipe(Layer.provide(UsersLive), Layer.provide(HttpServer.layerServices)),
 *   { disableLogger: true }
 * )
 *
 * await web.handler(new Request("http://localhost/users/7"))
 * const again = await web.handler(new Request("http://localhost/users/7"))
 * assert.deepEqual([again.headers.get("x-cache"), await again.json()], ["HIT", "7, run 1"])
 * await web.dispose()
 * ```
 */
export class HttpCache extends HttpApiMiddleware.Service<HttpCache>()("effect-cache/http/HttpCache") {
  /** Needs the cache to use. A policy that is out of range is a defect while the routes are built. */
  static readonly layer: Layer.Layer<HttpCache, never, CacheClient> = Layer.effect(
    HttpCache,
    Effect.map(CacheClient, (client) =>
      HttpCache.of((handler, { endpoint, group }) => {
        const policy = Context.getOrUndefined(endpoint.annotations as Context.Context<never>, CachePolicy)
        return policy === undefined
          ? handler
          : cachedWith(client, handler, policy.key ?? `${group.identifier}.${endpoint.identifier}`, policy)
      })
    )
  )
}
