/**
 * `npm run verify:fuzz`: stored bytes and HTTP requests through the whole read path, a million inputs in all by default.
 * `--inputs n` for another number, `--seed n` for other inputs; the same seed gives the same inputs. `--only http` (or `bytes`, `redis`) for
 * one of the three, which gets all of the inputs.
 */
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { RedisServer } from "../../test/support/redisServer.ts"
import { entriesInProcess, entriesOnRedis, type Fuzz, http } from "./fuzz.ts"

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    only: { type: "string" }
  }
})
const inputs = Number(values.inputs)
const seed = Number(values.seed)
if (!(Number.isInteger(inputs) && inputs >= 1 && Number.isInteger(seed)))
  throw new Error("--inputs and --seed are numbers")
const { only } = values
if (only !== undefined && !["bytes", "redis", "http"].includes(only)) throw new Error("--only is bytes, redis or http")

// Most inputs end in an error that is thrown and caught; nobody reads its stack.
Error.stackTraceLimit = 0

/** A batch that takes longer has hung, whatever else the machine does. */
const patienceMillis = 10_000
/** Each chunk has a seed of its own, and so can be run again alone. */
const chunk = 20_000

const run = (name: string, fuzz: Fuzz, total: number) =>
  Effect.gen(function*() {
    const startedAt = performance.now()
    const outcomes: Record<string, number> = {}
    let wrong = 0
    let slowest = 0
    for (let done = 0, n = 0; done < total; done += chunk, n++) {
      const report = yield* Effect.scoped(fuzz(seed * 100_000 + n, Math.min(chunk, total - done)))
      for (const [outcome, count] of Object.entries(report.outcomes))
        outcomes[outcome] = (outcomes[outcome] ?? 0) + count
      for (const problem of report.wrong.slice(0, 5)) console.error(`${name}, chunk ${n}: ${problem.slice(0, 2000)}`)
      wrong += report.wrong.length
      slowest = Math.max(slowest, report.slowestMillis)
    }
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
    const seen = Object.entries(outcomes).map(([outcome, count]) => `${outcome} ${count}`)
    console.log(
      `${name}: ${total} inputs, ${wrong} wrong, ${seconds} s, slowest batch ${slowest.toFixed(0)} ms (${seen.join(", ")})`
    )
    return wrong + (slowest > patienceMillis ? 1 : 0)
  })

const of = (which: string, share: number) =>
  only === undefined ? Math.floor(inputs * share) : only === which ? inputs : 0
const onRedis = of("redis", 1 / 50)
const requests = of("http", 1 / 5)
const inProcess = only === undefined ? inputs - onRedis - requests : of("bytes", 1)
const wrong = await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function*() {
      let wrong = 0
      if (inProcess > 0) wrong += yield* run("stored bytes", entriesInProcess, inProcess)
      if (onRedis > 0) {
        wrong += yield* run("stored bytes on Redis", entriesOnRedis(yield* RedisServer.scoped()), onRedis)
      }
      if (requests > 0) wrong += yield* run("HTTP requests and stored responses", http, requests)
      return wrong
    })
  )
)
console.log(`${inputs} inputs with seed ${seed}: ${wrong === 0 ? "nothing wrong" : "WRONG"}`)
process.exit(wrong === 0 ? 0 : 1)
