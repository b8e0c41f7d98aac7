/** The program: every layer once, from the server down to what it stands on. */
import { createServer } from "node:http"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Layer } from "effect"
import { CacheLive } from "effect-cache"
import { Database } from "./database.ts"
import { Products } from "./products.ts"
import { Server } from "./server.ts"
import { Telemetry } from "./telemetry.ts"

const Http = NodeHttpServer.layerConfig(createServer, {
  port: Config.Port("PORT").pipe(Config.withDefault(3000)),
  // After SIGTERM: no new connections, and so long for the requests that are under way.
  gracefulShutdownTimeout: Config.succeed("10 seconds")
})

// From the bottom up: what is provided last is built first, and closed last. So the server listens when all else is there,
// and the cache and the database are there until the last request has been answered.
const Main = Server.pipe(
  Layer.provide(Http),
  Layer.provide(Products.layer),
  Layer.provide([CacheLive, Database]),
  Layer.provide(Telemetry)
)

NodeRuntime.runMain(Layer.launch(Main))
