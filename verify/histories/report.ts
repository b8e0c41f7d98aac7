/**
 * What a run has shown, in words and figures, and whether it passes.
 */
import { type FaultKind, faultKinds } from "./nemesis.ts"
import { invalidationKinds, readKinds } from "./records.ts"
import type { RunResult } from "./run.ts"
import { storyOf } from "./story.ts"

/** Stories told in full. */
const stories = 5

const number = (n: number): string => n.toLocaleString("en-US")

const table = (rows: ReadonlyArray<readonly [string, string | number]>): string =>
  rows
    .map(([name, value]) => `  ${name.padEnd(62)}${(typeof value === "number" ? number(value) : value).padStart(12)}`)
    .join("\n")

const mean = (list: ReadonlyArray<number>): number => Math.round(list.reduce((a, b) => a + b, 0) / list.length)

export const describeRun = ({ figures, input, options, verdict }: RunResult): string => {
  const { durability, faults, seed, subject, topology } = options
  const seconds = Math.round(figures.seconds)
  const of = (counts: Readonly<Record<string, number>>, kinds: ReadonlyArray<string>, title: string) =>
    kinds.flatMap((kind): Array<readonly [string, number]> => {
      const count = counts[kind]
      return count === undefined ? [] : [[`${title} ${kind}`, count]]
    })
  const recovery = figures.recoveryMillis
  const rows: Array<readonly [string, string | number]> = [
    ["reads", figures.allReads],
    ...of(figures.reads, readKinds, "  by"),
    ["reads a second", Math.round(figures.allReads / figures.seconds)],
    ["  of a value that was there (hits)", figures.hits],
    ["  served without the store, which failed on the way", figures.readsWithoutStore],
    ["  of a value that was handed to set", figures.readsOfSets],
    ["peeks and gets that found nothing", figures.emptyPeeks],
    ["loads", figures.loads],
    ["commits in the database", figures.commits],
    ...of(figures.acknowledged, invalidationKinds, "acknowledged: invalidation by"),
    ...of(figures.acknowledged, ["bypass"], "writes with the default policy,"),
    ...of(figures.acknowledged, ["set"], "acknowledged:"),
    ...of(figures.typedFailures, [...invalidationKinds, "set", ...readKinds], "not acknowledged, and said so:"),
    ...of(figures.left, [...readKinds, ...invalidationKinds, "bypass", "set"], "callers that left:"),
    ...Object.entries(figures.faults).map(
      ([kind, count]) => [`fault: ${faultKinds[kind as FaultKind]}`, count] as const
    ),
    ...(figures.refused.full > 0 ? [["commands that full servers refused", figures.refused.full] as const] : []),
    ...(figures.refused.select > 0 ? [["times that SELECT was refused", figures.refused.select] as const] : []),
    ["processes, those that were killed included", figures.processes],
    ["longest wait of a caller, ms", figures.longestWait.millis],
    [`  ${figures.longestWait.of}`, ""],
    ...(recovery.length === 0
      ? []
      : ([
          ["recovery after a failover, ms, mean", mean(recovery)],
          ["recovery after a failover, ms, longest", Math.max(...recovery)]
        ] as const)),
    ["failed callers", figures.failedCallers.length],
    ["callers that were never answered", figures.hungCallers.length],
    ["old values while the store was away, within what is documented", verdict.staleWhileAway],
    ...(faults.includes("failover")
      ? ([
          ["acknowledged invalidations lost by asynchronous replication", verdict.lost],
          ["stale reads after such a loss", verdict.staleAfterLoss]
        ] as const)
      : []),
    ...(faults.includes("select") ? [["touched in another database", figures.touched.length] as const] : []),
    [
      faults.includes("select") ? "stale reads, and reads of another database" : "stale reads",
      verdict.violations.length
    ]
  ]
  const durable =
    durability === undefined ? "" : `, durability ${durability.replicas} in ${durability.timeoutMillis} ms`
  return [
    `${subject} on ${topology}, ${seconds} seconds, ${options.processes} processes, seed ${seed}${durable}`,
    table(rows),
    ...verdict.violations
      .slice(0, subject === "naive" ? 1 : stories)
      .map((violation) => "\n" + storyOf(violation, input))
  ].join("\n")
}

/** The figures of a run as plain data. */
export const toJson = ({ figures, options, problems, verdict }: RunResult) => ({
  ...options,
  ...figures,
  staleReads: verdict.violations.length,
  staleWhileAway: verdict.staleWhileAway,
  staleAfterLoss: verdict.staleAfterLoss,
  lost: verdict.lost,
  problems
})

/** With fewer reads through the store a second, a run says little. A machine that has other work may still pass. */
const fewestReads = 50

/** Why a run does not pass. Empty when it does. */
export const objections = ({ figures, options, problems, verdict }: RunResult): ReadonlyArray<string> => {
  const found = [...problems]
  const { allReads, failedCallers, faults, hungCallers, readsWithoutStore } = figures
  if (options.subject === "naive") {
    const shows = (problem: string) => verdict.violations.some((violation) => violation.problem === problem)
    if (!shows("stale")) found.push("the control shows no stale read: the harness sees nothing")
    if (options.faults.includes("select") && !shows("a value of another database")) {
      found.push("the control reads nothing of another database: the harness sees nothing")
    }
    return found
  }
  if (verdict.violations.length > 0) found.push(`${verdict.violations.length} stale reads`)
  if (failedCallers.length > 0) found.push(`${failedCallers.length} failed callers, such as ${failedCallers[0]}`)
  if (hungCallers.length > 0) found.push(`${hungCallers.length} callers never answered, such as ${hungCallers[0]}`)
  if (figures.recoveryMillis.includes(Infinity)) found.push("after a failover a primary's keys were not read again")
  const throughStore = allReads - readsWithoutStore
  if (throughStore < options.seconds * fewestReads) found.push(`only ${throughStore} reads through the store`)
  for (const kind of invalidationKinds) {
    if (figures.acknowledged[kind] === undefined) found.push(`no invalidation by ${kind} was acknowledged`)
  }
  for (const kind of ["set", "bypass"]) if (figures.acknowledged[kind] === undefined) found.push(`no ${kind} was done`)
  if (figures.reads["get"] === undefined) found.push("no get found anything")
  if (figures.readsOfSets === 0) found.push("no value of a set was read")
  if (figures.touched.length > 0) {
    found.push(
      `another database was touched: ${figures.touched.slice(0, 5).join(", ")}, ${figures.touched.length} in all`
    )
  }
  // A short run has no time for all of them.
  const missing = options.faults.filter((kind) => faults[kind] === undefined)
  if (options.seconds >= 60 && missing.length > 0) found.push(`these faults never came: ${missing.join(", ")}`)
  const { refused } = figures
  if ((faults["full"] ?? 0) > 2 && refused.full === 0) found.push("full servers refused nothing")
  if ((faults["select"] ?? 0) > 2 && refused.select === 0) found.push("nobody was refused a database")
  return found
}
