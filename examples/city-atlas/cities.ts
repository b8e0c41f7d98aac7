/**
 * The service that asks the database. It knows nothing of the cache.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { Database, type DatabaseError } from "./database.ts"
import { City, type CityChange, CityNotFound, CountryNotFound, Dashboard, Nearby, type Place } from "./model.ts"

const columns = "id, name, country, region, population, lat, lon"

// A row that does not fit is a bug of this file, not something a caller could handle: a defect.
const decodeCities = (rows: unknown) => Effect.orDie(Schema.decodeUnknownEffect(Schema.Array(City))(rows))
const decodeDashboard = (row: unknown) => Effect.orDie(Schema.decodeUnknownEffect(Dashboard)(row))

const pageSize = 20

/** The service over a database. */
export const makeCities = ({ query }: Database["Service"]) => ({
  byId: (id: number): Effect.Effect<City, CityNotFound | DatabaseError> =>
    query("city", `SELECT ${columns} FROM city WHERE id = $1`, [id]).pipe(
      Effect.flatMap(decodeCities),
      Effect.flatMap(([city]) => (city === undefined ? Effect.fail(new CityNotFound({ id })) : Effect.succeed(city)))
    ),

  /** The cities of a country, largest first. Pages count from 1. */
  list: (country: string, page: number): Effect.Effect<ReadonlyArray<City>, DatabaseError> =>
    query("list", `SELECT ${columns} FROM city WHERE country = $1 ORDER BY population DESC, id LIMIT $2 OFFSET $3`, [
      country,
      pageSize,
      (page - 1) * pageSize
    ]).pipe(Effect.flatMap(decodeCities)),

  /** Looks at all cities of the world, to say where a country stands: expensive. */
  dashboard: (country: string): Effect.Effect<Dashboard, CountryNotFound | DatabaseError> =>
    query(
      "dashboard",
      `WITH here AS (
         SELECT count(*)::int AS cities, sum(population)::float8 AS population, max(population) AS most,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY population) AS median,
           (array_agg(name ORDER BY population DESC, id))[1] AS largest
         FROM city WHERE country = $1
       )
       SELECT $1 AS country, cities, population, median, largest,
         (SELECT count(*)::int + 1 FROM city WHERE city.population > here.most) AS "worldRank",
         here.population / (SELECT sum(population)::float8 FROM city) AS "worldShare"
       FROM here WHERE cities > 0`,
      [country]
    ).pipe(
      Effect.flatMap(([row]) =>
        row === undefined ? Effect.fail(new CountryNotFound({ country })) : decodeDashboard(row)
      )
    ),

  /** The cities nearest to a place, by the haversine formula on a sphere of 6,371 km; it looks at every city. */
  nearest: ({ lat, limit, lon }: Place): Effect.Effect<ReadonlyArray<Nearby>, DatabaseError> =>
    query(
      "nearest",
      `SELECT ${columns}, 12742 * asin(sqrt(h)) AS km FROM (
         SELECT *, (
           1 - cos(radians(lat - $1)) + cos(radians($1)) * cos(radians(lat)) * (1 - cos(radians(lon - $2)))
         ) / 2 AS h
         FROM city ORDER BY h, id LIMIT $3
       ) AS found ORDER BY h, id`,
      [lat, lon, limit]
    ).pipe(
      Effect.flatMap((rows) =>
        Effect.map(decodeCities(rows), (cities) =>
          cities.map((city, i) => new Nearby({ city, km: Math.round(Number(rows[i]?.["km"]) * 10) / 10 }))
        )
      )
    ),

  update: (id: number, change: CityChange): Effect.Effect<City, CityNotFound | DatabaseError> =>
    query("update", `UPDATE city SET name = $2, population = $3 WHERE id = $1 RETURNING ${columns}`, [
      id,
      change.name,
      change.population
    ]).pipe(
      Effect.flatMap(decodeCities),
      Effect.flatMap(([city]) => (city === undefined ? Effect.fail(new CityNotFound({ id })) : Effect.succeed(city)))
    ),

  /** A new census: every city of a country grows. Returns how many did. */
  grow: (country: string, percent: number): Effect.Effect<number, DatabaseError> =>
    query(
      "grow",
      `WITH grown AS (
         UPDATE city SET population = round(population * (1 + $2::float8 / 100))::int WHERE country = $1 RETURNING 1
       ) SELECT count(*)::int AS cities FROM grown`,
      [country, percent]
    ).pipe(Effect.map(([row]) => Number(row?.["cities"])))
})

export class Cities extends Context.Service<Cities, ReturnType<typeof makeCities>>()("city-atlas/Cities") {
  static readonly layer: Layer.Layer<Cities, never, Database> = Layer.effect(Cities, Effect.map(Database, makeCities))
}
