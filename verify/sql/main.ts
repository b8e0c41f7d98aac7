/**
 * `npm run verify:sql`: the promise beside a database, put to the proof by several processes with transactions, which are killed.
 *
 * Without `--control` a short control run comes first, so that the harness has proved itself each time. Exit code 1: a read that
 * should not have been, a failed caller, a control that shows nothing, or too little done to mean anything.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { callKinds } from "./records.ts"
import { describeRun, objections, toJson } from "./report.ts"
import { run, type RunOptions, type RunResult } from "./run.ts"

const controlSeconds = 4

const usage = `npm run verify:sql -- [options]

  --minutes 1          how long
  --bound 15           seconds for which an old value may be read where nothing was acknowledged
  --lease 400          milliseconds
  --kinds all          or a list of ${callKinds.join(",")}
  --no-faults          nobody dies, and no COMMIT fails
  --processes 4
  --seed 1             of the load and the faults; the machine's timing is its own
  --control            only the control: a cache that knows of no transaction, which must be found out
  --by-hand            instead of the library's own: reads past the cache in transactions, and sql.afterCommit
  --json file          writes the figures
  --keep folder        keeps the histories and the database
`

class Misuse extends Error {}

const optionTypes = {
  minutes: { type: "string", default: "1" },
  bound: { type: "string", default: "15" },
  lease: { type: "string", default: "400" },
  kinds: { type: "string", default: "all" },
  "no-faults": { type: "boolean", default: false },
  processes: { type: "string", default: "4" },
  seed: { type: "string" },
  control: { type: "boolean", default: false },
  "by-hand": { type: "boolean", default: false },
  json: { type: "string" },
  keep: { type: "string" }
} as const

const args = () => {
  try {
    return parseArgs({ options: optionTypes }).values
  } catch (error) {
    throw new Misuse(`${error instanceof Error ? error.message : error}\n\n${usage}`)
  }
}

const positive = (name: string, text: string): number => {
  const value = Number(text)
  if (!(value > 0 && value < Infinity)) throw new Misuse(`--${name} is ${text}, expected a number above 0`)
  return value
}

const count = (name: string, text: string): number => {
  const value = positive(name, text)
  if (!Number.isInteger(value)) throw new Misuse(`--${name} is ${text}, expected a whole number`)
  return value
}

const parse = () => {
  const values = args()
  const named = values.kinds === "all" ? callKinds : values.kinds.split(",")
  const kinds = callKinds.filter((kind) => named.includes(kind))
  if (kinds.length !== named.length) {
    throw new Misuse(`--kinds is ${values.kinds}, expected all, or some of ${callKinds.join(",")}`)
  }
  const options: RunOptions = {
    subject: values["by-hand"] ? "by hand" : "effect-cache",
    seconds: positive("minutes", values.minutes) * 60,
    boundMillis: positive("bound", values.bound) * 1000,
    leaseMillis: count("lease", values.lease),
    kinds,
    faults: !values["no-faults"],
    processes: count("processes", values.processes),
    seed: values.seed === undefined ? Date.now() % 1_000_000 : count("seed", values.seed)
  }
  return { ...values, options }
}

/** It needs no faults to be found out, but all kinds of calls. */
const controlOf = (options: RunOptions, seconds: number): RunOptions => ({
  ...options,
  subject: "naive",
  seconds,
  kinds: callKinds,
  faults: false
})

const program = Effect.gen(function*() {
  const { control, json, keep, options } = parse()
  const results: Array<RunResult> = []
  const one = (options: RunOptions) =>
    Effect.map(run(options), (result) => {
      console.log(describeRun(result) + "\n")
      const found = objections(result)
      for (const objection of found) console.log(`FAILED: ${objection}`)
      if (keep !== undefined) fs.cpSync(result.folder, path.join(keep, options.subject), { recursive: true })
      results.push(result)
      return found.length === 0
    })
  const proved = yield* one(controlOf(options, control ? options.seconds : controlSeconds))
  const passed = control ? proved : (yield* one(options)) && proved
  if (json !== undefined) fs.writeFileSync(json, JSON.stringify(results.map(toJson), undefined, 2) + "\n")
  console.log(passed ? "passed" : "failed")
  process.exitCode = passed ? 0 : 1
})

if (process.argv.includes("--help") || process.argv.includes("-h")) {
  console.log(usage)
  process.exit(0)
}

// The servers and processes of a run end with this one, which a signal would not let happen.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130))

// A fiber that waits keeps no process alive.
const alive = setInterval(() => {}, 1 << 30)
Effect.runPromise(Effect.scoped(program))
  .catch((error: unknown) => {
    console.error(error instanceof Misuse ? error.message : error)
    process.exitCode = 1
  })
  .finally(() => clearInterval(alive))
