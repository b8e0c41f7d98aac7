/**
 * `npm run bench:ab`: a commit and the working tree, side by side in one run.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import { Effect } from "effect"
import { RedisServer } from "../test/support/redisServer.ts"
import { parseArgs, usage } from "./ab/args.ts"
import { build, otherDependencies } from "./ab/builds.ts"
import { type GroupResult, levelNeeded, limit, measureGroup } from "./ab/measure.ts"
import { allIds, plan } from "./ab/plan.ts"
import { UsageError } from "./lib/args.ts"
import { machine } from "./lib/run.ts"
import { median } from "./lib/statistics.ts"
import { withUnit } from "./lib/table.ts"

const say = (line: string) => process.stderr.write(line + "\n")
const print = (line: string) => process.stdout.write(line + "\n")

const row = ({ after, before, id, interval, ratio, unit, verdict }: GroupResult): string =>
  [
    id.padEnd(26),
    withUnit(median(before), unit).padStart(12),
    withUnit(median(after), unit).padStart(12),
    `${ratio.toFixed(3)} x`.padStart(10),
    `${interval.low.toFixed(3)}..${interval.high.toFixed(3)}`.padStart(15),
    verdict === null ? "no verdict" : `no worse than ${limit}: ${verdict}`
  ].join("  ")

const main = async (): Promise<number> => {
  const options = parseArgs(process.argv.slice(2))
  if (options.help) {
    process.stdout.write(usage)
    return 0
  }
  if (options.list) {
    for (const { id, title, usual } of allIds()) print(`${usual ? "*" : " "} ${id.padEnd(26)} ${title}`)
    print("* without --only")
    return 0
  }
  const planned = plan(options.only)
  if (planned.length === 0) throw new UsageError(`--only: nothing is called ${options.only.join(" or ")}; see --list`)
  const startedAt = Date.now()
  say("building both ...")
  const builds = { before: build("before", options.before), after: build("after", options.after) }
  for (const { folder, version } of Object.values(builds)) {
    const others = otherDependencies(folder)
    if (others.length > 0) say(`${version} asks for ${others.join(", ")}, and runs with what is installed here`)
  }
  print(`before: ${builds.before.version}, after: ${builds.after.version}, ${options.rounds} rounds`)
  const groups: Array<GroupResult> = []
  const measure = (workload: (typeof planned)[number]["workload"], group: (typeof planned)[number]["groups"][number]) =>
    Effect.gen(function*() {
      const url = workload.redis ? (yield* RedisServer.scoped()).url : ""
      const result = yield* Effect.promise(() => measureGroup(workload, group, { builds, rounds: options.rounds, url }))
      groups.push(result)
      print(row(result))
    })
  for (const { groups, workload } of planned) {
    for (const group of groups) await Effect.runPromise(Effect.scoped(measure(workload, group)))
  }
  const worse = groups.filter(({ verdict }) => verdict === "no")
  const level = Math.min(...groups.map(({ interval }) => interval.level))
  if (level < levelNeeded) {
    print(`no verdict: too few rounds for 95 %, the intervals are of ${(level * 100).toFixed(0)} %`)
  } else {
    print(
      `this interval reaches ${limit} or below: ` +
        (worse.length === 0 ? "yes" : `no, for ${worse.map(({ id }) => id).join(", ")}`) +
        ` (${groups.length - worse.length} of ${groups.length})`
    )
  }
  const seconds = Math.round((Date.now() - startedAt) / 1e3)
  if (options.json !== undefined) {
    const run = {
      format: 2,
      date: new Date(startedAt).toISOString(),
      seconds,
      machine: machine(),
      before: builds.before.version,
      after: builds.after.version,
      rounds: options.rounds,
      limit,
      groups
    }
    mkdirSync(path.dirname(path.resolve(options.json)), { recursive: true })
    writeFileSync(options.json, JSON.stringify(run, null, 2) + "\n")
    say(`written to ${options.json}`)
  }
  say(`${seconds} s`)
  return options.strict && worse.length > 0 ? 1 : 0
}

// Servers and children end with this process, by the hooks of `exit`.
process.on("SIGINT", () => process.exit(130))
process.on("SIGTERM", () => process.exit(143))

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    if (error instanceof UsageError) {
      say(`${error.message}\n\n${usage}`)
      process.exit(2)
    }
    say(error instanceof Error ? (error.stack ?? error.message) : String(error))
    process.exit(1)
  }
)
