/**
 * City atlas: 135,000 real cities in a real Postgres, served over HTTP, cached on five levels.
 *
 * Loads the data, starts the server (with `--redis`: three processes that share a Redis), drives it over HTTP, and
 * prints what each level did. Ends with exit code 1 if any answer was wrong.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Data, Effect, Layer } from "effect"
import { loadCities } from "./data.ts"
import { Postgres } from "./database.ts"
import { drive, head, row } from "./drive.ts"
import { Fleet, serverFlag, serverProcess } from "./fleet.ts"
import { count, percent, progress, seconds, table } from "./table.ts"

class WrongAnswers extends Data.TaggedError("WrongAnswers")<{ readonly message: string }> {}

const since = (start: number) => seconds(performance.now() - start)

const demo = Effect.gen(function*() {
  const { description, urls } = yield* Fleet
  yield* Console.log(`Serving: ${description}, at ${urls.join(" ")}\n`)

  const { checked, reports, wrong } = yield* drive(Console.log)

  yield* Console.log(`\n${table(head, reports.map(row))}`)
  yield* Console.log("Times are those of one call, many at once. Loads are the database's own count.")
  yield* Console.log("A caller that waits for the load of another counts as a miss.\n")
  for (const { level, remark } of reports) yield* Console.log(`  ${level.slice(0, 1)}  ${remark}`)

  const [readPhase] = reports
  const verdict = `Answers checked against the database: ${count(checked)}, wrong: ${wrong.length}.`
  yield* Console.log(`\nRead phase: hit rate ${percent(readPhase!.hitRate)}. ${verdict}`)
  if (wrong.length > 0) {
    for (const line of wrong.slice(0, 20)) yield* Console.error(`WRONG  ${line}`)
    return yield* new WrongAnswers({ message: `${wrong.length} of ${checked} answers were wrong` })
  }
})

const withData = (fleet: typeof Fleet.layerEmbedded | ReturnType<typeof Fleet.layerRedis>) =>
  Effect.gen(function*() {
    const start = performance.now()
    yield* Console.log("City atlas: starting Postgres in this process ...")
    const postgres = yield* Layer.build(Postgres.layer)
    yield* Console.log(`Postgres is there, after ${since(start)}`)
    const cities = yield* loadCities(progress("Loading cities")).pipe(Effect.provide(postgres))
    yield* Console.log(`${count(cities)} cities loaded and indexed, after ${since(start)}`)
    yield* demo.pipe(Effect.provide([fleet, NodeHttpClient.layerUndici]), Effect.provide(postgres))
    yield* Console.log(`Done in ${since(start)}.`)
  }).pipe(Effect.scoped)

if (process.argv.includes(serverFlag)) {
  NodeRuntime.runMain(serverProcess)
} else {
  NodeRuntime.runMain(withData(process.argv.includes("--redis") ? Fleet.layerRedis(3) : Fleet.layerEmbedded))
}
