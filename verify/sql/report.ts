/**
 * What a run has shown, in words and figures, and whether it passes.
 */
import { callKinds, forms } from "./records.ts"
import type { RunResult } from "./run.ts"
import { storyOf } from "./story.ts"

/** Stories told in full, of each problem. */
const stories = 2

const number = (n: number): string => Math.round(n).toLocaleString("en-US")

const table = (rows: ReadonlyArray<readonly [string, string | number]>): string =>
  rows
    .map(([name, value]) => `  ${name.padEnd(62)}${(typeof value === "number" ? number(value) : value).padStart(12)}`)
    .join("\n")

/** How many violations there are of each problem. */
const problemsOf = ({ verdict }: RunResult): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const { problem } of verdict.violations) counts[problem] = (counts[problem] ?? 0) + 1
  return counts
}

export const describeRun = (result: RunResult): string => {
  const { figures, input, options, verdict } = result
  const { longest } = verdict
  const of = (counts: Readonly<Record<string, number>>, kinds: ReadonlyArray<string>, title: string) =>
    kinds.flatMap((kind): Array<readonly [string, number]> => {
      const count = counts[kind]
      return count === undefined ? [] : [[`${title} ${kind}`, count]]
    })
  const rows: Array<readonly [string, string | number]> = [
    ["reads outside transactions", figures.reads],
    ["reads in transactions", figures.readsInside],
    ["  of what the transaction had written", figures.readsOfOwn],
    ["loads", figures.loads],
    ["transactions that were committed", figures.commits],
    ...of(figures.acknowledged, callKinds, "acknowledged:"),
    ...of(figures.rolled, callKinds, "rolled back:"),
    ...of(figures.unknown, callKinds, "outcome of COMMIT unknown:"),
    ...of(figures.left, [...callKinds, "aside"], "callers that left:"),
    ...of(figures.steps, forms, "steps in transactions, by"),
    ...of(figures.steps, ["savepoint"], "rolled back:"),
    ["processes, those that were killed included", figures.processes],
    ["processes that were killed", figures.killed],
    ["longest wait of a caller, ms", figures.longestWait.millis],
    [`  ${figures.longestWait.of}`, ""],
    ["failed callers", figures.failedCallers.length],
    ["callers that were never answered", figures.hungCallers.length],
    ["longest staleness after a kill, ms", longest.killed],
    ["longest staleness after a COMMIT of unknown outcome, ms", longest.unknown],
    ["longest staleness after a caller left, ms", longest.left],
    ["longest staleness where an invalidation is a step of its own, ms", longest.plain],
    ["COMMITs that were done too late to be promised anything", verdict.tooLate],
    ...Object.entries(problemsOf(result)).map(([problem, count]) => [`VIOLATIONS: ${problem}`, count] as const),
    ["violations", verdict.violations.length]
  ]
  const told = new Map<string, number>()
  const some = verdict.violations.filter(({ problem }) => {
    const count = told.get(problem) ?? 0
    told.set(problem, count + 1)
    return count < (options.subject === "naive" ? 1 : stories)
  })
  return [
    `${options.subject} on sqlite and Redis, ${options.seconds} seconds, ${options.processes} processes, seed ${options.seed}, leases of ${options.leaseMillis} ms`,
    table(rows),
    ...some.map((violation) => "\n" + storyOf(violation, input, verdict))
  ].join("\n")
}

/** The figures of a run as plain data. */
export const toJson = (result: RunResult) => ({
  ...result.options,
  ...result.figures,
  violations: problemsOf(result),
  longestStaleness: result.verdict.longest,
  tooLate: result.verdict.tooLate,
  problems: result.problems
})

/** With fewer reads a second, a run says little. A machine that has other work may still pass. */
const fewestReads = 20

/** Why a run does not pass. Empty when it does. */
export const objections = (result: RunResult): ReadonlyArray<string> => {
  const { figures, options, problems, verdict } = result
  const found = [...problems]
  const counts = problemsOf(result)
  if (verdict.lost.length > 0) found.push(`acknowledged and not committed: ${verdict.lost.slice(0, 5).join(", ")}`)
  if (options.subject === "naive") {
    for (const problem of ["never committed", "stale"]) {
      if (counts[problem] === undefined)
        found.push(`the control shows nothing that is ${problem}: the harness sees nothing`)
    }
    return found
  }
  for (const [problem, count] of Object.entries(counts)) found.push(`${count} reads: ${problem}`)
  const { failedCallers, hungCallers } = figures
  if (failedCallers.length > 0)
    found.push(`${failedCallers.length} failed callers, such as ${failedCallers[0]!.split("\n")[0]}`)
  if (hungCallers.length > 0) found.push(`${hungCallers.length} callers never answered, such as ${hungCallers[0]}`)
  if (figures.reads < options.seconds * fewestReads) found.push(`only ${figures.reads} reads`)
  for (const kind of options.kinds) {
    if (figures.acknowledged[kind] === undefined) found.push(`no call of the kind ${kind} was acknowledged`)
  }
  if (options.kinds.includes("inside")) {
    for (const form of [...forms, "savepoint"]) {
      if (figures.steps[form] === undefined) found.push(`nothing was done in a transaction by ${form}`)
    }
    if (figures.readsOfOwn === 0) found.push("no transaction read what it had written")
  }
  const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((a, b) => a + b, 0)
  if (sum(figures.rolled) === 0) found.push("no transaction was rolled back")
  if (sum(figures.left) === 0) found.push("no caller left")
  // A short run has no time for all of it.
  if (options.faults && options.seconds >= 60) {
    if (sum(figures.unknown) === 0) found.push("no COMMIT failed")
    if (figures.killed < options.seconds / 20) found.push(`only ${figures.killed} processes were killed`)
  }
  return found
}
