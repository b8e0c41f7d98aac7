/**
 * The cache of the atlas: what is cached, how long, and what a change makes stale. The five levels, one by one.
 */
import { Effect, Schema } from "effect"
import {
  buildCachePattern,
  cacheAside,
  CacheRegion,
  invalidateTags,
  memoize,
  stampedeProtect,
  writeThrough
} from "effect-cache"
import { Cities } from "./cities.ts"
import { City, type CityChange, Dashboard, Nearby, type Place } from "./model.ts"

// Shared by the reader and the writer below.
const CityRegion = CacheRegion.make({
  key: "city:{id}",
  schema: City,
  ttl: "10 minutes",
  jitter: 0.1,
  tags: ({ country }) => ["city", `country:${country}`]
})

/** Level 1: read-heavy, changes rarely. */
export const cityById = cacheAside(CityRegion)(({ id }: { readonly id: number }) => Cities.use((db) => db.byId(id)))

/** Level 1 again: the pages of a country's list. */
export const citiesOf = cacheAside({
  key: "cities:list:{country}:{page}",
  schema: Schema.Array(City),
  ttl: "5 minutes",
  tags: (_, { country }) => [`country:${country}`]
})(({ country, page }: { readonly country: string; readonly page: number }) =>
  Cities.use((db) => db.list(country, page))
)

/** Level 3: expensive and hot, so one load at a time in the whole fleet. */
export const dashboardOf = stampedeProtect({
  key: "dashboard:{country}",
  schema: Dashboard,
  ttl: "5 minutes",
  tags: (_, { country }) => [`country:${country}`],
  lockTtl: "10 seconds",
  waitTimeout: "30 seconds"
})(({ country }: { readonly country: string }) => Cities.use((db) => db.dashboard(country)))

/** Level 4: a function of its arguments, as long as nobody changes a city that it shows. */
export const nearestTo = memoize({
  name: "nearest",
  schema: Schema.Array(Nearby),
  ttl: "5 minutes",
  tags: (found) => [
    ...found.map(({ city }) => `shows:${city.id}`),
    ...new Set(found.map(({ city }) => `country:${city.country}`))
  ]
})((place: Place) => Cities.use((db) => db.nearest(place)))

/** Level 2: the entry of the city is what was written; whatever else shows it loads again. */
export const updateCity = writeThrough(CityRegion, {
  invalidateKeys: ({ value }) => [dashboardOf.key({ country: value.country })],
  invalidatePatterns: ({ value }) => [
    buildCachePattern("cities:list:{country}:{page}", { params: { country: value.country } })
  ],
  invalidateTags: ({ value }) => [`shows:${value.id}`]
})(({ change, id }: { readonly id: number; readonly change: CityChange }) => Cities.use((db) => db.update(id, change)))

/** Level 5: a census changes all cities of a country at once; whatever shows one of them loads again. */
export const census = Effect.fn("Atlas.census")(function*(country: string, percent: number) {
  const grown = yield* Cities.use((db) => db.grow(country, percent))
  yield* invalidateTags([`country:${country}`])
  return grown
})
