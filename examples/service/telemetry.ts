/** Traces by OTLP: with `OTEL_TRACES_EXPORTER=otlp`, to where `OTEL_EXPORTER_OTLP_ENDPOINT` says. */
import { Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { OtlpSerialization, OtlpTracer } from "effect/observability"

export const Telemetry = OtlpTracer.layerFromConfig({ resource: { serviceName: "shop" } }).pipe(
  Layer.provide([OtlpSerialization.layerJson, FetchHttpClient.layer])
)
