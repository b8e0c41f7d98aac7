/**
 * `npm run verify:kills`: a writer dies at each step of a write that invalidates three tags and a pattern, and what it had made old is
 * read until it is new. How long that takes must be less than a lease and a sweep.
 *
 * A short control comes first, without intents: it must be found out. Exit code 1: a value that stayed old for longer, one that was
 * never committed, one that was old after an acknowledgement, or a control that shows nothing.
 */
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { type KillsOptions, run } from "./kills.ts"
import { describeRun, objections } from "./report.ts"

const usage = `npm run verify:kills -- [options]

  --kills 200      how many writers are killed
  --lease 5000     milliseconds
  --sweep 10000    milliseconds
  --starting 2     how many writers run at once; up to 40 are watched
  --seed 1         of the moments; the machine's timing is its own
  --control        only the control`

const optionTypes = {
  kills: { type: "string", default: "200" },
  lease: { type: "string", default: "5000" },
  sweep: { type: "string", default: "10000" },
  starting: { type: "string", default: "2" },
  seed: { type: "string" },
  control: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false }
} as const

class Misuse extends Error {}

const count = (name: string, text: string): number => {
  const value = Number(text)
  if (!(Number.isInteger(value) && value > 0)) throw new Misuse(`--${name} is ${text}, expected a whole number above 0`)
  return value
}

const parse = () => {
  let values: ReturnType<typeof parseArgs<{ options: typeof optionTypes }>>["values"]
  try {
    values = parseArgs({ options: optionTypes }).values
  } catch (error) {
    throw new Misuse(`${error instanceof Error ? error.message : error}\n\n${usage}`)
  }
  const options: KillsOptions = {
    kills: count("kills", values.kills),
    leaseMillis: count("lease", values.lease),
    sweepMillis: count("sweep", values.sweep),
    starting: count("starting", values.starting),
    seed: values.seed === undefined ? Date.now() % 1_000_000 : count("seed", values.seed),
    intent: true
  }
  return { control: values.control, help: values.help, options }
}

/** Without intents, and in less time. */
const controlOf = (options: KillsOptions): KillsOptions => ({
  ...options,
  ...{ intent: false, kills: 16, leaseMillis: 1_000, sweepMillis: 2_000 }
})

const program = Effect.gen(function*() {
  const { control, help, options } = parse()
  if (help) return void console.log(usage)
  let passed = true
  for (const one of control ? [controlOf(options)] : [controlOf(options), options]) {
    const result = yield* Effect.scoped(run(one))
    console.log(describeRun(result) + "\n")
    for (const objection of objections(result)) {
      console.log(`FAILED: ${objection}`)
      passed = false
    }
  }
  console.log(passed ? "passed" : "failed")
  process.exitCode = passed ? 0 : 1
})

// The servers and processes of a run end with this one, which a signal would not let happen.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130))

Effect.runPromise(program).catch((error: unknown) => {
  console.error(error instanceof Misuse ? error.message : error)
  process.exitCode = 1
})
