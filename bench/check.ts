/**
 * `npm run bench:check`: the short set beside the committed run. Information, unless `--strict`.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, mkdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type Comparison, compare, lossLimit } from "./lib/compare.ts"
import type { Run } from "./lib/model.ts"
import { digits } from "./lib/table.ts"

const usage = `npm run bench:check -- [flags]

Measures the short set and compares each ratio of effect-cache with the committed one (bench/results/full.json).
Ends with 0 whatever it finds, as machines are noisy.

  --from <file>  compares this run (of npm run bench -- --json=file) and measures nothing
  --quick        only what needs no package of bench/peers, and of that what tells most: about a minute
  --strict       ends with 1 when a ratio lost more than 25 %
  --help         this text
`

const root = fileURLToPath(new URL("..", import.meta.url))
const committedFile = `${root}bench/results/full.json`

interface Flags {
  readonly help: boolean
  readonly quick: boolean
  readonly strict: boolean
  readonly from: string | undefined
}

const fail = (message: string): never => {
  process.stderr.write(`${message}\n\n${usage}`)
  process.exit(2)
}

const parse = (args: ReadonlyArray<string>): Flags => {
  let from: string | undefined
  const seen = new Set<string>()
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    if (arg === "--from" || arg.startsWith("--from=")) {
      from = arg === "--from" ? args[++i] : arg.slice("--from=".length)
      if (from === undefined || from === "") fail("--from needs the name of a file")
    } else if (["--quick", "--strict", "--help"].includes(arg)) seen.add(arg)
    else fail(`unknown flag ${arg}`)
  }
  return { from, help: seen.has("--help"), quick: seen.has("--quick"), strict: seen.has("--strict") }
}

const quickGroups = ["memory-hit/zipf", "memory-hit/hot", "redis-hit/64-0tags", "redis-hit/1-0tags", "startup/size"]

const measure = (quick: boolean): Run => {
  const file = `${root}.tmp/bench-check.json`
  mkdirSync(`${root}.tmp`, { recursive: true })
  const flags = quick ? ["--no-peers", ...quickGroups.flatMap((id) => ["--only", id])] : []
  const { status } = spawnSync(
    process.execPath,
    ["--conditions=effect-cache-source", `${root}bench/main.ts`, `--json=${file}`, ...flags],
    { stdio: ["ignore", "ignore", "inherit"] }
  )
  if (status !== 0) throw new Error("the run failed")
  return JSON.parse(readFileSync(file, "utf8"))
}

const report = ({ changes, losses, missing }: Comparison): string => {
  const width = Math.max(10, ...losses.map(({ group }) => group.length))
  const lines = losses.map(
    ({ after, before, group, loss, subject }) =>
      `  ${group.padEnd(width)}  ${subject.padEnd(26)} ${digits(before).padStart(8)} -> ${digits(after).padEnd(8)} +${(loss * 100).toFixed(0)} %`
  )
  const limit = `${lossLimit * 100} %`
  return [
    losses.length === 0 ? `no ratio lost more than ${limit}` : `${losses.length} ratios lost more than ${limit}:`,
    ...lines,
    `${changes.length} compared, ${losses.length} worse, ${missing.length} with nothing to compare with`
  ].join("\n")
}

const main = (): number => {
  const flags = parse(process.argv.slice(2))
  if (flags.help) {
    process.stdout.write(usage)
    return 0
  }
  if (flags.from !== undefined && !existsSync(flags.from)) fail(`--from: there is no file ${flags.from}`)
  if (!existsSync(committedFile)) {
    process.stdout.write("nothing is committed yet to compare with: npm run bench:publish\n")
    return 0
  }
  const committed: Run = JSON.parse(readFileSync(committedFile, "utf8"))
  const fresh: Run = flags.from === undefined ? measure(flags.quick) : JSON.parse(readFileSync(flags.from, "utf8"))
  const comparison = compare(committed, fresh)
  process.stdout.write(report(comparison) + "\n")
  return flags.strict && comparison.losses.length > 0 ? 1 : 0
}

process.exit(main())
