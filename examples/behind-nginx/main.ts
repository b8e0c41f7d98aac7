/**
 * The site on port 3000, where `nginx.conf` looks for it, with the cache that the environment describes (`CACHE_BACKEND`).
 *
 *   node --conditions=effect-cache-source examples/behind-nginx/main.ts
 */
import { createServer } from "node:http"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Layer } from "effect"
import { HttpRouter } from "effect/http"
import { CacheLive } from "effect-cache"
import { Site } from "./site.ts"

// Only nginx is to reach it: what it says of clients is believed.
const Server = HttpRouter.serve(Site.pipe(HttpRouter.provideRequest(CacheLive))).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { port: 3000, host: "127.0.0.1" }))
)
NodeRuntime.runMain(Layer.launch(Server))
