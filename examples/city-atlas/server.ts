/**
 * The HTTP server. Under `/direct` the same questions go to the database without the cache, to compare.
 */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, Schema } from "effect"
import { type CacheError, type CacheServices, getCacheStats } from "effect-cache"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { census, citiesOf, cityById, dashboardOf, nearestTo, updateCity } from "./atlas.ts"
import { Cities } from "./cities.ts"
import type { DatabaseError } from "./database.ts"
import {
  City,
  CityChange,
  CityId,
  type CityNotFound,
  CountryCode,
  type CountryNotFound,
  Dashboard,
  Nearby,
  RegionCounts
} from "./model.ts"

const within = (minimum: number, maximum: number) => Schema.isBetween({ minimum, maximum })

const cityParams = HttpRouter.schemaPathParams(
  Schema.Struct({ id: Schema.FiniteFromString.pipe(Schema.decodeTo(CityId)) })
)
const countryParams = HttpRouter.schemaPathParams(Schema.Struct({ country: CountryCode }))
const listParams = HttpRouter.schemaPathParams(
  Schema.Struct({ country: CountryCode, page: Schema.FiniteFromString.check(Schema.isInt(), within(1, 500)) })
)
const placeParams = HttpRouter.schemaPathParams(
  Schema.Struct({
    lat: Schema.FiniteFromString.check(within(-90, 90)),
    lon: Schema.FiniteFromString.check(within(-180, 180))
  })
)
const place = Effect.map(placeParams, ({ lat, lon }) => ({ lat, lon, limit: 5 }))

const Growth = Schema.Struct({ percent: Schema.Finite.check(within(-50, 50)) })

/** What a request may fail with, and what it answers then. */
type Failure =
  | CityNotFound
  | CountryNotFound
  | DatabaseError
  | CacheError
  | Schema.SchemaError
  | { readonly _tag: "HttpServerError" }
const statuses: { readonly [K in Failure["_tag"]]: number } = {
  CityNotFound: 404,
  CountryNotFound: 404,
  SchemaError: 400,
  HttpServerError: 400,
  // An invalidation that was not acknowledged: the client should try again.
  CacheError: 503,
  DatabaseError: 500
}

const answer = <A, I, RE>(schema: Schema.Codec<A, I, never, RE>) => {
  const encode = HttpServerResponse.schemaJson(schema)
  return <E extends Failure, R>(effect: Effect.Effect<A, E, R>) =>
    effect.pipe(
      Effect.flatMap((value) => Effect.orDie(encode(value))),
      Effect.catch((error) =>
        Effect.succeed(HttpServerResponse.jsonUnsafe({ error: error._tag }, { status: statuses[error._tag] }))
      )
    )
}

const cityAnswer = answer(City)
const citiesAnswer = answer(Schema.Array(City))
const dashboardAnswer = answer(Dashboard)
const nearbyAnswer = answer(Schema.Array(Nearby))

const cached = [
  HttpRouter.route("GET", "/cities/:id", cityAnswer(Effect.flatMap(cityParams, cityById))),
  HttpRouter.route(
    "PUT",
    "/cities/:id",
    cityAnswer(
      Effect.gen(function*() {
        const { id } = yield* cityParams
        const change = yield* HttpServerRequest.schemaBodyJson(CityChange)
        return yield* updateCity({ id, change })
      })
    )
  ),
  HttpRouter.route("GET", "/countries/:country", dashboardAnswer(Effect.flatMap(countryParams, dashboardOf))),
  HttpRouter.route("GET", "/countries/:country/cities/:page", citiesAnswer(Effect.flatMap(listParams, citiesOf))),
  HttpRouter.route("GET", "/nearest/:lat/:lon", nearbyAnswer(Effect.flatMap(place, nearestTo))),
  HttpRouter.route(
    "POST",
    "/countries/:country/census",
    answer(Schema.Struct({ grown: Schema.Int }))(
      Effect.gen(function*() {
        const { country } = yield* countryParams
        const { percent } = yield* HttpServerRequest.schemaBodyJson(Growth)
        return { grown: yield* census(country, percent) }
      })
    )
  ),
  HttpRouter.route(
    "GET",
    "/stats",
    answer(RegionCounts)(
      Effect.map(getCacheStats, ({ regions }) =>
        regions.map(({ hits, loads, misses, region }) => ({ region, hits, misses, loads }))
      )
    )
  )
]

const direct = [
  HttpRouter.route(
    "GET",
    "/cities/:id",
    cityAnswer(Effect.flatMap(cityParams, ({ id }) => Cities.use((db) => db.byId(id))))
  ),
  HttpRouter.route(
    "GET",
    "/countries/:country",
    dashboardAnswer(Effect.flatMap(countryParams, ({ country }) => Cities.use((db) => db.dashboard(country))))
  ),
  HttpRouter.route(
    "GET",
    "/countries/:country/cities/:page",
    citiesAnswer(Effect.flatMap(listParams, ({ country, page }) => Cities.use((db) => db.list(country, page))))
  ),
  HttpRouter.route(
    "GET",
    "/nearest/:lat/:lon",
    nearbyAnswer(Effect.flatMap(place, (at) => Cities.use((db) => db.nearest(at))))
  )
]

/** The server on a free port, over a database and a cache. */
export const layerServer = <E, R>(cache: Layer.Layer<CacheServices, E, R>) =>
  HttpRouter.serve(Layer.mergeAll(HttpRouter.addAll(cached), HttpRouter.addAll(direct, { prefix: "/direct" })), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    Layer.provide([Cities.layer, cache]),
    Layer.provideMerge(
      NodeHttpServer.layer(
        // Longer than any client keeps an idle connection, so that none is closed under a request.
        () => createServer({ keepAliveTimeout: 65_000 }),
        { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: "1 second" }
      )
    )
  )

/** Where it listens. */
export const serverUrl = Effect.map(HttpServer.HttpServer, ({ address }) => HttpServer.formatAddress(address))
