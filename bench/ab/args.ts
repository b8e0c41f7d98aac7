/**
 * The flags of `npm run bench:ab`.
 */
import { UsageError } from "../lib/args.ts"

export interface Options {
  readonly help: boolean
  readonly list: boolean
  /** What is measured against: a commit. */
  readonly before: string
  /** What is measured: another commit, or the working tree where there is none. */
  readonly after: string | undefined
  readonly only: ReadonlyArray<string>
  readonly rounds: number
  readonly json: string | undefined
  readonly strict: boolean
}

export const defaultRounds = 12

/** Fewer give no interval of 95 %. */
export const fewestRounds = 6

export const usage = `npm run bench:ab -- <commit> [<commit>] [flags]

Builds the commit and the working tree (or the second commit), measures both by turns, and says for each workload how many
times the commit's time the other takes, with the 95 % interval of that ratio. The same commit twice shows the noise.

No worse than 1.05? yes: the interval ends at 1.05 or below; no: it begins above; not told apart: 1.05 lies within.

  --only <id>,...   workloads or groups whose id starts so; may be given more than once
  --list            the ids, and nothing is measured
  --rounds <n>      rounds for each group, ${defaultRounds} unless given; in each, both are in new processes; from ${fewestRounds} on it is 95 %,
                    with fewer there is no verdict
  --json <file>     what was measured, also as JSON
  --strict          ends with 1 when one is "no"
  --help            this text
`

const takesValue = new Set(["--only", "--rounds", "--json"])
const alone = new Set(["--list", "--strict", "--help"])

export const parseArgs = (args: ReadonlyArray<string>): Options => {
  const commits: Array<string> = []
  const only: Array<string> = []
  const found = new Map<string, string>()
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    if (!arg.startsWith("-")) {
      commits.push(arg)
      continue
    }
    const [name, ...rest] = arg.split("=")
    let value: string | undefined = rest.length > 0 ? rest.join("=") : undefined
    if (takesValue.has(name!)) {
      value ??= args[++i]
      if (value === undefined || value === "" || value.startsWith("--")) throw new UsageError(`${name} needs a value`)
    } else if (!alone.has(name!)) throw new UsageError(`unknown flag ${arg}`)
    else if (value !== undefined) throw new UsageError(`${name} takes no value`)
    if (name === "--only") only.push(...value!.split(",").filter((id) => id !== ""))
    else found.set(name!, value ?? "")
  }
  const rounds = found.get("--rounds")
  if (rounds !== undefined && !/^[1-9][0-9]{0,3}$/.test(rounds)) {
    throw new UsageError(`--rounds is "${rounds}", expected a whole number from 1 to 9999`)
  }
  const strict = found.has("--strict")
  if (strict && Number(rounds ?? defaultRounds) < fewestRounds) {
    throw new UsageError(`--strict needs ${fewestRounds} rounds or more: with fewer there is no verdict`)
  }
  const [before = "", after, ...more] = commits
  const help = found.has("--help")
  const list = found.has("--list")
  if (before === "" && !help && !list) throw new UsageError("a commit is missing")
  if (more.length > 0) throw new UsageError(`two commits at most, and ${more.join(" ")} is more`)
  return {
    help,
    list,
    before,
    after,
    only,
    rounds: rounds === undefined ? defaultRounds : Number(rounds),
    json: found.get("--json"),
    strict
  }
}
