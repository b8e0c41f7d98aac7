/**
 * What the atlas speaks of. The same schemas decode database rows, make HTTP answers, and store cache entries.
 */
import { Schema } from "effect"

export const CityId = Schema.Int.check(Schema.isGreaterThan(0))
export const CountryCode = Schema.String.check(Schema.isPattern(/^[A-Z]{2}$/))

export class City extends Schema.Class<City>("City")({
  id: CityId,
  name: Schema.String,
  country: CountryCode,
  region: Schema.String,
  population: Schema.Int,
  lat: Schema.Finite,
  lon: Schema.Finite
}) {}

/** What a person may change of a city. */
export class CityChange extends Schema.Class<CityChange>("CityChange")({
  name: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(200)),
  population: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000_000 }))
}) {}

export class Dashboard extends Schema.Class<Dashboard>("Dashboard")({
  country: CountryCode,
  cities: Schema.Int,
  population: Schema.Int,
  median: Schema.Finite,
  largest: Schema.String,
  /** Where its largest city stands among all cities of the world. */
  worldRank: Schema.Int,
  /** Its share of all people who live in cities, from 0 to 1. */
  worldShare: Schema.Finite
}) {}

export class Nearby extends Schema.Class<Nearby>("Nearby")({
  city: City,
  km: Schema.Finite
}) {}

/** Where to look, and how many to find. */
export interface Place {
  readonly lat: number
  readonly lon: number
  readonly limit: number
}

/** What a server counts for each region of its cache. */
export const RegionCounts = Schema.Array(
  Schema.Struct({ region: Schema.String, hits: Schema.Int, misses: Schema.Int, loads: Schema.Int })
)

export class CityNotFound extends Schema.TaggedError<CityNotFound>()("CityNotFound", { id: Schema.Int }) {}
export class CountryNotFound extends Schema.TaggedError<CountryNotFound>()("CountryNotFound", {
  country: Schema.String
}) {}
