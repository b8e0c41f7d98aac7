/**
 * The flags of `npm run bench`.
 */
import type { Mode } from "./model.ts"

export interface Options {
  readonly help: boolean
  readonly mode: Mode
  /** `true`: to standard output; text: to that file. */
  readonly json: boolean | string
  /** Beginnings of ids, of workloads or of groups; empty for all. */
  readonly only: ReadonlyArray<string>
  readonly list: boolean
  readonly peers: boolean
  /** Puts what was measured into the file of `--json`, beside the groups that are there already. */
  readonly merge: boolean
  readonly traces: string | undefined
  readonly rounds: number | undefined
}

export const usage = `npm run bench -- [flags]

Measures effect-cache beside floors and other caches. Without flags: the short set, in under five minutes.

  --full            more groups, more rounds, larger stores
  --only <id>       only workloads or groups whose id starts so; may be given more than once
  --list            the ids, and nothing is measured
  --json[=file]     the run as JSON, on standard output or in a file; what is going on goes to standard error
  --merge           keep the groups of the file that were not measured (with --json=file)
  --trace <folder>  also hit ratios on the traces in this folder: one key a line, gzip (full set only keeps Zipf without it)
  --no-peers        only what needs no package of bench/peers
  --rounds <n>      another number of rounds
  --help            this text
`

/** What is wrong with the flags, for the one who typed them. */
export class UsageError extends Error {}

const takesValue = new Set(["--only", "--trace", "--rounds"])
const mayHaveValue = new Set(["--json"])
const alone = new Set(["--full", "--list", "--merge", "--no-peers", "--help"])

export const parseArgs = (args: ReadonlyArray<string>): Options => {
  const only: Array<string> = []
  const found = new Map<string, string | true>()
  for (let i = 0; i < args.length; i++) {
    const [name, ...rest] = args[i]!.split("=")
    let value: string | undefined = rest.length > 0 ? rest.join("=") : undefined
    if (takesValue.has(name!)) {
      value ??= args[++i]
      if (value === undefined || value === "" || value.startsWith("--")) throw new UsageError(`${name} needs a value`)
    } else if (alone.has(name!)) {
      if (value !== undefined) throw new UsageError(`${name} takes no value`)
    } else if (!mayHaveValue.has(name!)) {
      throw new UsageError(`unknown flag ${args[i]}`)
    } else if (value === "") {
      throw new UsageError(`${name}= needs the name of a file`)
    }
    if (name === "--only") only.push(value!)
    else found.set(name!, value ?? true)
  }
  const rounds = found.get("--rounds")
  if (rounds !== undefined && !/^[1-9][0-9]{0,3}$/.test(String(rounds))) {
    throw new UsageError(`--rounds is "${rounds}", expected a whole number from 1 to 9999`)
  }
  const json = found.get("--json") ?? false
  if (found.has("--merge") && typeof json !== "string") throw new UsageError("--merge needs --json=file")
  return {
    help: found.has("--help"),
    mode: found.has("--full") ? "full" : "short",
    json,
    only,
    list: found.has("--list"),
    peers: !found.has("--no-peers"),
    merge: found.has("--merge"),
    traces: found.get("--trace") as string | undefined,
    rounds: rounds === undefined ? undefined : Number(rounds)
  }
}
