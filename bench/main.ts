/**
 * `npm run bench`: effect-cache beside floors and other caches, as ratios measured side by side. Machines are noisy;
 * only ratios travel.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import { Effect, Exit, Fiber } from "effect"
import { type Options, parseArgs, UsageError, usage } from "./lib/args.ts"
import type { Run } from "./lib/model.ts"
import { installPeers } from "./lib/peers.ts"
import { plan, run } from "./lib/run.ts"
import { groupTable } from "./lib/table.ts"
import { tracesVariable } from "./workloads/hitRatio.ts"

const say = (line: string) => process.stderr.write(line + "\n")

/** The groups of the file that were not measured stay; what was measured takes its old place. */
const merged = (file: string, fresh: Run): Run => {
  if (!existsSync(file)) return fresh
  const old: Run = JSON.parse(readFileSync(file, "utf8"))
  const measured = new Map(fresh.groups.map((group) => [group.id, group]))
  const kept = old.groups.map((group) => measured.get(group.id) ?? group)
  const added = fresh.groups.filter(({ id }) => !old.groups.some((group) => group.id === id))
  return { ...fresh, mode: old.mode, seconds: old.seconds, groups: [...kept, ...added] }
}

const write = (options: Options, result: Run): void => {
  if (options.json === false) return
  if (options.json === true) {
    process.stdout.write(JSON.stringify(result, null, 2) + "\n")
    return
  }
  mkdirSync(path.dirname(path.resolve(options.json)), { recursive: true })
  const whole = options.merge ? merged(options.json, result) : result
  writeFileSync(options.json, JSON.stringify(whole, null, 2) + "\n")
  say(`written to ${options.json}`)
}

const main = async (): Promise<number> => {
  const options = parseArgs(process.argv.slice(2))
  if (options.help) {
    process.stdout.write(usage)
    return 0
  }
  if (options.traces !== undefined) {
    if (!existsSync(options.traces)) throw new UsageError(`--trace: there is no folder ${options.traces}`)
    // Children read it from here.
    process.env[tracesVariable] = path.resolve(options.traces)
  }
  const planned = plan(options)
  if (planned.length === 0) throw new UsageError(`--only: nothing is called ${options.only.join(" or ")}; see --list`)
  if (options.list) {
    for (const { groups } of planned) for (const { id, title } of groups) process.stdout.write(`${id}  ${title}\n`)
    return 0
  }
  if (options.peers) installPeers(say)

  // Tables go where JSON does not.
  const print = options.json === true ? say : (text: string) => process.stdout.write(text + "\n")
  const fiber = Effect.runFork(
    run({
      mode: options.mode,
      only: options.only,
      peers: options.peers,
      rounds: options.rounds,
      log: say,
      done: (group) => print(groupTable(group))
    })
  )
  let signalled = 0
  const stop = (code: number) => () => {
    // Again: at once. The hooks of `exit` end servers and children then.
    if (signalled !== 0) process.exit(code)
    signalled = code
    fiber.interruptUnsafe()
  }
  process.on("SIGINT", stop(130))
  process.on("SIGTERM", stop(143))
  const exit = await Effect.runPromise(Fiber.await(fiber))
  if (signalled !== 0) return signalled
  if (Exit.isFailure(exit)) {
    for (const reason of exit.cause.reasons) {
      const error: unknown = reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : reason
      say(error instanceof Error ? error.message : String(error))
    }
    return 1
  }
  write(options, exit.value)
  say(`${exit.value.seconds} s`)
  return 0
}

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
