/** The routes, and the server over them. */
import { Layer } from "effect"
import { HttpRouter } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { PrometheusMetrics } from "effect/observability"
import { Api } from "./api.ts"
import { ProductHandlers, SystemHandlers } from "./handlers.ts"

const Routes = Layer.mergeAll(
  HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(Layer.provide([ProductHandlers, SystemHandlers])),
  PrometheusMetrics.layerHttp({ path: "/metrics" })
)

export const Server = HttpRouter.serve(Routes)
