/**
 * The drive: through the five levels over HTTP, with every answer checked.
 */
import { Duration, Effect, Random } from "effect"
import { type Answer, type Client, makeClient } from "./client.ts"
import { Postgres } from "./database.ts"
import { count, millis, percent, seconds } from "./table.ts"

/** What a level did. Times are those of one call, in milliseconds. */
export interface LevelReport {
  readonly level: string
  readonly calls: number
  readonly loads: number
  readonly hitRate: number
  readonly withCache: number
  readonly without: number
  /** What a change or a crowd did, in a sentence. */
  readonly remark: string
}

/** Requests under way at a time. */
const concurrency = 32
const reads = 3_000
const exponent = 1.6

/** Ranks from 0, the lower the likelier: rank k is drawn in proportion to 1 / (k + 1) ^ exponent. */
const zipf = (size: number) => {
  const sums = new Float64Array(size)
  let total = 0
  for (let k = 0; k < size; k++) sums[k] = total += (k + 1) ** -exponent
  return Effect.map(Random.next, (random) => {
    let low = 0
    let high = size - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! < random * total) low = middle + 1
      else high = middle
    }
    return low
  })
}

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([duration, value]) => [Duration.toMillis(duration), value] as const)

/** The time of one call, of many under way at once. */
const timeOfEach = <A, E, R>(items: ReadonlyArray<A>, call: (item: A) => Effect.Effect<unknown, E, R>) =>
  Effect.map(timed(Effect.forEach(items, call, { concurrency, discard: true })), ([ms]) => ms / items.length)

/** Runs calls, and counts what they cost: loads by the database's own count, hits by the caches'. */
const measure = <E, R>(client: Client, region: string, query: string, calls: Effect.Effect<number, E, R>) =>
  Effect.gen(function*() {
    const before = { ...(yield* client.counts(region)), queries: client.queries(query) }
    const withCache = yield* calls
    const after = yield* client.counts(region)
    const loads = client.queries(query) - before.queries
    const hits = after.hits - before.hits
    const all = hits + after.misses - before.misses
    return { withCache, loads, counted: after.loads - before.loads, hitRate: all === 0 ? 0 : hits / all }
  })

const sample = <A>(items: ReadonlyArray<A>, size: number) => items.slice(0, size)

/** Level 1: many reads of single cities, of which a few are much sought. */
const cacheAsideLevel = (client: Client, ids: ReadonlyArray<number>) =>
  Effect.gen(function*() {
    const drawn = yield* Effect.replicateEffect(zipf(ids.length), reads).pipe(Random.withSeed("readers"))
    const wanted = drawn.map((rank) => ids[rank]!)
    const answers = new Map<number, Array<unknown>>()
    const read = (id: number) =>
      Effect.map(client.get(`/cities/${id}`), (answer) => {
        const list = answers.get(id) ?? []
        answers.set(id, list)
        list.push(answer)
      })
    const measured = yield* measure(client, "city:{id}", "city", timeOfEach(wanted, read))
    const without = yield* timeOfEach(sample(wanted, 300), (id) => client.get(`/direct/cities/${id}`))
    for (const [id, list] of answers) {
      const expected = yield* client.expected.city(id)
      for (const answer of list) client.check(`city ${id}`, answer, expected)
    }
    client.check("loads of cities, as the cache counts them", measured.counted, measured.loads)
    return {
      level: "1 cache-aside: city by id",
      calls: reads,
      without,
      remark: `${count(reads)} reads of ${count(answers.size)} cities took ${count(measured.loads)} database queries`,
      ...measured
    }
  })

/** Level 2: cities change; whoever reads them next, on any server, sees the change. */
const writeThroughLevel = (client: Client) =>
  Effect.gen(function*() {
    const countries = ["CH", "KE", "NO", "NZ", "PE"]
    const rows = yield* Effect.forEach(countries, (country) => Effect.map(client.expected.list(country, 1), citiesIn))
    const cities = rows.flatMap((list) => sample(list, 6))
    const lists = Effect.forEach(countries, (country) =>
      Effect.zip(client.get(`/countries/${country}/cities/1`), client.get(`/countries/${country}`))
    )
    yield* lists
    const views = () => client.queries("list") + client.queries("dashboard")
    const viewsBefore = views()
    let reading = 0
    const measured = yield* measure(
      client,
      "city:{id}",
      "city",
      Effect.map(
        Effect.forEach(cities, ({ id, name, population }) =>
          Effect.gen(function*() {
            const change = { name: `${name} *`, population: population + 1_000 }
            const written = yield* client.send("put", `/cities/${id}`, change)
            const expected = yield* client.expected.city(id)
            client.check(`update of city ${id}`, written, expected)
            client.check(`change of city ${id}`, pick(written), change)
            for (const server of client.servers) {
              const [ms, answer] = yield* timed(client.get(`/cities/${id}`, server))
              reading += ms
              client.check(`city ${id} after its update, on ${server}`, answer, expected)
            }
          })
        ),
        () => reading / (cities.length * client.servers.length)
      )
    )
    for (const [i, [list, dashboard]] of (yield* lists).entries()) {
      const country = countries[i]!
      client.check(`list of ${country} after updates`, list, yield* client.expected.list(country, 1))
      client.check(`dashboard of ${country} after updates`, dashboard, yield* client.expected.dashboard(country))
    }
    const reloaded = views() - viewsBefore
    // One at a time, as the reads above.
    const [direct] = yield* timed(
      Effect.forEach(cities, ({ id }) => client.get(`/direct/cities/${id}`), { discard: true })
    )
    const where = client.servers.length === 1 ? "at once" : `at once by all ${client.servers.length} servers`
    return {
      level: "2 write-through: read after write",
      calls: cities.length * client.servers.length,
      without: direct / cities.length,
      remark: `${cities.length} updates were seen ${where}; ${reloaded} lists and dashboards loaded again`,
      ...measured
    }
  })

/** Level 3: a crowd asks for one expensive thing that is not there. */
const stampedeLevel = (client: Client) =>
  Effect.gen(function*() {
    const crowd = Array.from({ length: 200 }, (_, i) => i)
    const answers: Array<unknown> = []
    const measured = yield* measure(
      client,
      "dashboard:{country}",
      "dashboard",
      Effect.map(
        timed(
          Effect.forEach(crowd, () => Effect.map(client.get("/countries/US"), (answer) => answers.push(answer)), {
            concurrency: "unbounded",
            discard: true
          })
        ),
        ([ms]) => ms / crowd.length
      )
    )
    const expected = yield* client.expected.dashboard("US")
    for (const answer of answers) client.check("dashboard of US", answer, expected)
    client.check("loads of a dashboard that 200 callers ask for", measured.loads, 1)
    const without = yield* timeOfEach(sample(crowd, 8), () => client.get("/direct/countries/US"))
    const fleet = client.servers.length === 1 ? "" : ` in the whole fleet of ${client.servers.length}`
    return {
      level: "3 stampede: cold dashboard",
      calls: crowd.length,
      without,
      remark: `200 callers at once of a cold dashboard: ${measured.loads} load${fleet}`,
      ...measured
    }
  })

/** Level 4: the same places again and again, and a calculation over all cities for each. */
const memoizeLevel = (client: Client) =>
  Effect.gen(function*() {
    const places: ReadonlyArray<readonly [lat: number, lon: number]> = [
      [47.4, 8.5],
      [-36.8, 174.8],
      [51.5, -0.1],
      [-1.3, 36.8],
      [40.7, -74]
    ]
    const wanted = yield* Effect.replicateEffect(Random.choice(places), 240).pipe(Random.withSeed("travellers"))
    const path = ([lat, lon]: readonly [number, number]) => `/nearest/${lat}/${lon}`
    const answers = new Map<string, Array<unknown>>(places.map((place) => [path(place), []]))
    const measured = yield* measure(
      client,
      "memo:nearest",
      "nearest",
      timeOfEach(wanted, (place) =>
        Effect.map(client.get(path(place)), (answer) => answers.get(path(place))?.push(answer))
      )
    )
    for (const place of places) {
      const expected = yield* client.expected.nearest(place[0], place[1])
      for (const answer of answers.get(path(place)) ?? []) client.check(`nearest to ${place}`, answer, expected)
    }
    const without = yield* timeOfEach(sample(places, 3), (place) => client.get(`/direct${path(place)}`))
    return {
      level: "4 memoize: nearest cities",
      calls: wanted.length,
      without,
      remark: `${wanted.length} calls with ${places.length} different arguments: ${measured.loads} calculations${
        client.servers.length === 1 ? "" : " (each process may start its own)"
      }`,
      ...measured
    }
  })

/** Level 5: a census changes a whole country behind hundreds of entries. */
const tagsLevel = (client: Client) =>
  Effect.gen(function*() {
    const pages = [1, 2, 3]
    const idsOf = (country: string) =>
      Effect.map(
        Effect.forEach(pages, (page) => client.expected.list(country, page)),
        (lists) => lists.flatMap(citiesIn).map(({ id }) => id)
      )
    const changed = yield* idsOf("NZ")
    const others = yield* idsOf("AU")
    const ids = [...changed, ...others]
    const turns = [0, 1, 2, 3, 4, 5]
    const views: ReadonlyArray<readonly [string, () => ReturnType<Client["expected"]["city"]>]> = [
      ["/countries/NZ", () => client.expected.dashboard("NZ")],
      ["/countries/NZ/cities/1", () => client.expected.list("NZ", 1)],
      ["/nearest/-36.8/174.8", () => client.expected.nearest(-36.8, 174.8)],
      ["/countries/AU/cities/1", () => client.expected.list("AU", 1)]
    ]
    const warm: Answer = Effect.forEach(
      [...ids.map((id) => `/cities/${id}`), ...views.map(([path]) => path)],
      (path) => client.get(path),
      {
        concurrency
      }
    )
    yield* warm

    const grown = yield* client.send("post", "/countries/NZ/census", { percent: 2 })
    const answers: Array<readonly [id: number, answer: unknown]> = []
    const measured = yield* measure(
      client,
      "city:{id}",
      "city",
      timeOfEach(ids, (id) =>
        // One after the other, so that every server is asked, and the first loads for all.
        Effect.forEach(turns, (turn) =>
          Effect.map(client.get(`/cities/${id}`, client.servers[turn % client.servers.length]), (answer) =>
            answers.push([id, answer])
          )
        )
      ).pipe(Effect.map((ms) => ms / turns.length))
    )
    const expected = new Map<number, unknown>()
    for (const id of ids) expected.set(id, yield* client.expected.city(id))
    for (const [id, answer] of answers) client.check(`city ${id} after the census`, answer, expected.get(id))
    for (const [path, expected] of views) {
      client.check(`${path} after the census`, yield* client.get(path), yield* expected())
    }
    client.check("loads after the census", measured.loads, changed.length)
    const without = yield* timeOfEach(sample(ids, 100), (id) => client.get(`/direct/cities/${id}`))
    const { grown: cities } = grown as { readonly grown: number }
    return {
      level: "5 tags: after a census",
      calls: answers.length,
      without,
      remark: `one tag, ${count(cities)} cities: ${measured.loads} loaded again, ${others.length} elsewhere stayed`,
      ...measured
    }
  })

interface Listed {
  readonly id: number
  readonly name: string
  readonly population: number
}
const citiesIn = (list: unknown): ReadonlyArray<Listed> => list as ReadonlyArray<Listed>
const pick = (city: unknown) => {
  const { name, population } = city as Listed
  return { name, population }
}

/** All levels. `onLevel` hears of each when it is through, and how long it took. */
export const drive = <E, R>(onLevel: (line: string) => Effect.Effect<void, E, R>) =>
  Effect.gen(function*() {
    const client = yield* makeClient
    const postgres = yield* Postgres
    const ids = yield* postgres.query("check ids", "SELECT id FROM city ORDER BY population DESC, id", [])
    const levels = [
      cacheAsideLevel(
        client,
        ids.map(({ id }) => Number(id))
      ),
      writeThroughLevel(client),
      stampedeLevel(client),
      memoizeLevel(client),
      tagsLevel(client)
    ]
    const reports: Array<LevelReport> = []
    for (const level of levels) {
      const [ms, report] = yield* timed(level)
      reports.push(report)
      yield* onLevel(`  ${report.level.padEnd(34)} ${seconds(ms).padStart(7)}`)
    }
    return { reports, checked: client.checked(), wrong: client.wrong() }
  })

/** The reports as rows of a table. */
export const head = ["level", "calls", "loads", "hit rate", "with cache", "without", "faster"]
export const row = ({ calls, hitRate, level, loads, withCache, without }: LevelReport): ReadonlyArray<string> => [
  level,
  count(calls),
  count(loads),
  percent(hitRate),
  millis(withCache),
  millis(without),
  `${(without / withCache).toFixed(1)} ×`
]
