/**
 * `npm run verify:consistency`: the promise of the cache, put to the proof by several processes and a real Redis.
 *
 * `--help` lists the options.
 *
 * Without `--control` a short control run comes first, so that the harness has proved itself each time. Exit code 1: a
 * stale read, a failed caller, a control that shows nothing, or too little done to mean anything.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { faultsOf } from "./nemesis.ts"
import { describeRun, objections, toJson } from "./report.ts"
import { run, type RunOptions, type RunResult } from "./run.ts"
import { topologies, type Topology } from "./setup.ts"

const controlSeconds = 4

const usage = `npm run verify:consistency -- [options]

  --minutes 1              how long
  --on standalone          or cluster, sentinel
  --faults all             or none, or a list such as kill,evict,cut-reply
  --durability 1,500       waits for so many replicas, for so many milliseconds
  --processes 4
  --seed 1                 of the load and the faults; the machine's timing is its own
  --control                only the control: naive cache-aside, which must be found out
  --json file              writes the figures
  --keep folder            keeps the histories
`

class Misuse extends Error {}

const optionTypes = {
  minutes: { type: "string", default: "1" },
  on: { type: "string", default: "standalone" },
  faults: { type: "string", default: "all" },
  durability: { type: "string" },
  processes: { type: "string", default: "4" },
  seed: { type: "string" },
  control: { type: "boolean", default: false },
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
  const topology = values.on as Topology
  if (!topologies.includes(topology)) throw new Misuse(`--on is ${values.on}, expected one of ${topologies.join(", ")}`)
  const possible = faultsOf(topology)
  const named =
    values.faults === "all" ? possible : values.faults === "none" ? [] : [...new Set(values.faults.split(","))]
  const faults = possible.filter((kind) => named.includes(kind))
  if (faults.length !== named.length) {
    throw new Misuse(`--faults is ${values.faults}, expected all, none, or some of ${possible.join(",")}`)
  }
  const [replicas, timeoutMillis = "500", ...more] = values.durability?.split(",") ?? []
  // A cluster has one replica of each primary here, and so has the primary behind Sentinel.
  if (replicas !== undefined && (topology === "standalone" || Number(replicas) !== 1 || more.length > 0)) {
    throw new Misuse(`--durability is ${values.durability}, expected 1 or 1,<milliseconds>, on cluster or sentinel`)
  }
  const options: RunOptions = {
    subject: "effect-cache",
    topology,
    seconds: positive("minutes", values.minutes) * 60,
    seed: values.seed === undefined ? Date.now() % 1_000_000 : count("seed", values.seed),
    faults,
    processes: count("processes", values.processes),
    durability:
      replicas === undefined
        ? undefined
        : {
            replicas: count("durability", replicas),
            timeoutMillis: positive("durability", timeoutMillis)
          }
  }
  return { ...values, options }
}

/**
 * The control runs on one Redis: naive cache-aside needs no faults to be found out, but for what a client does that is refused
 * its database.
 */
const controlOf = (options: RunOptions, seconds: number): RunOptions => ({
  ...options,
  subject: "naive",
  topology: "standalone",
  seconds,
  faults: ["select"],
  durability: undefined
})

const program = Effect.gen(function*() {
  const { control, json, keep, options } = parse()
  const results: Array<RunResult> = []
  const one = (options: RunOptions) =>
    Effect.map(run(options), (result) => {
      console.log(describeRun(result) + "\n")
      const found = objections(result)
      for (const objection of found) console.log(`FAILED: ${objection}`)
      if (keep !== undefined)
        fs.cpSync(result.folder, path.join(keep, options.subject), { recursive: true, filter: isPlain })
      results.push(result)
      return found.length === 0
    })
  const proved = yield* one(controlOf(options, control ? options.seconds : controlSeconds))
  const passed = control ? proved : (yield* one(options)) && proved
  if (json !== undefined) fs.writeFileSync(json, JSON.stringify(results.map(toJson), undefined, 2) + "\n")
  console.log(passed ? "passed" : "failed")
  process.exitCode = passed ? 0 : 1
})

/** Sockets cannot be copied. */
const isPlain = (file: string): boolean => !fs.statSync(file).isSocket()

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
