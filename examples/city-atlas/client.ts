/**
 * The client of the drive: requests that take turns among the servers, and answers checked against the database.
 */
import { isDeepStrictEqual } from "node:util"
import { Effect, Schema } from "effect"
import { HttpBody, HttpClient, type HttpClientError } from "effect/http"
import { makeCities } from "./cities.ts"
import { type DatabaseError, Postgres } from "./database.ts"
import { Fleet } from "./fleet.ts"
import { City, Dashboard, Nearby, RegionCounts } from "./model.ts"

export type Answer = Effect.Effect<unknown, HttpClientError.HttpClientError>
type Expected = Effect.Effect<unknown, DatabaseError | { readonly _tag: "CityNotFound" | "CountryNotFound" }>

export interface Counts {
  readonly hits: number
  readonly misses: number
  readonly loads: number
}

const decodeCounts = Schema.decodeUnknownEffect(RegionCounts)

export const makeClient = Effect.gen(function*() {
  const http = yield* HttpClient.HttpClient
  const { urls } = yield* Fleet
  const postgres = yield* Postgres
  // The same questions, asked of the database directly and under other names, so that they are not counted as loads.
  const truth = makeCities({ query: (name, sql, params) => postgres.query(`check ${name}`, sql, params) })
  const json =
    <A, I>(schema: Schema.Codec<A, I>) =>
    (value: A) =>
      Effect.orDie(Schema.encodeEffect(schema)(value))

  let turn = 0
  const next = () => urls[turn++ % urls.length] ?? ""
  let checked = 0
  const wrong: Array<string> = []

  return {
    servers: urls,
    get: (path: string, server = next()): Answer =>
      Effect.flatMap(http.get(server + path), (response) => response.json),
    send: (method: "put" | "post", path: string, body: Schema.Json): Answer =>
      Effect.flatMap(http[method](next() + path, { body: HttpBody.jsonUnsafe(body) }), (response) => response.json),

    /** What the answers must be. */
    expected: {
      city: (id: number): Expected => Effect.flatMap(truth.byId(id), json(City)),
      list: (country: string, page: number): Expected =>
        Effect.flatMap(truth.list(country, page), json(Schema.Array(City))),
      dashboard: (country: string): Expected => Effect.flatMap(truth.dashboard(country), json(Dashboard)),
      nearest: (lat: number, lon: number): Expected =>
        Effect.flatMap(truth.nearest({ lat, lon, limit: 5 }), json(Schema.Array(Nearby)))
    },
    check: (what: string, answer: unknown, expected: unknown): void => {
      checked++
      if (!isDeepStrictEqual(answer, expected)) {
        wrong.push(`${what}: got ${JSON.stringify(answer)}, expected ${JSON.stringify(expected)}`)
      }
    },
    checked: () => checked,
    wrong: (): ReadonlyArray<string> => wrong,

    /** What the caches of all servers counted for a region. */
    counts: (region: string): Effect.Effect<Counts, HttpClientError.HttpClientError | Schema.SchemaError> =>
      Effect.map(
        Effect.forEach(urls, (url) =>
          Effect.flatMap(
            Effect.flatMap(http.get(`${url}/stats`), (r) => r.json),
            decodeCounts
          )
        ),
        (all) => {
          const found = all.flat().filter((counts) => counts.region === region)
          const sum = (of: (counts: Counts) => number) => found.reduce((total, counts) => total + of(counts), 0)
          return { hits: sum((c) => c.hits), misses: sum((c) => c.misses), loads: sum((c) => c.loads) }
        }
      ),
    /** How often the database was asked to load. */
    queries: (name: string): number => postgres.count(name)
  }
})

export type Client = Effect.Success<typeof makeClient>
