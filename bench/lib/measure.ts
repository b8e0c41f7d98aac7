/**
 * Measures the groups of a workload: rounds of every case by turns, so that a slow moment of the machine hits all.
 */
import { Child } from "./children.ts"
import type { CaseResult, GroupResult, Mode } from "./model.ts"
import { median, ratios, round, type Summary, summarize } from "./statistics.ts"
import type { Group, Sample, Workload } from "./workload.ts"

const rounded = (summary: Summary): Summary => ({
  median: round(summary.median),
  p25: round(summary.p25),
  p75: round(summary.p75),
  min: round(summary.min),
  max: round(summary.max)
})

/** Samples of a subject, round by round, made into its result. */
export const caseResult = (
  subject: string,
  samples: ReadonlyArray<Sample>,
  floor: ReadonlyArray<Sample> | undefined
): CaseResult => {
  const values = samples.map(({ value }) => value)
  const facts: Record<string, number> = {}
  for (const name of new Set(samples.flatMap(({ facts }) => Object.keys(facts ?? {})))) {
    facts[name] = round(median(samples.flatMap(({ facts }) => facts?.[name] ?? [])))
  }
  return {
    subject,
    samples: values.map(round),
    summary: rounded(summarize(values)),
    ratio:
      floor === undefined
        ? null
        : rounded(
            summarize(
              ratios(
                values,
                floor.map(({ value }) => value)
              )
            )
          ),
    facts
  }
}

export interface MeasureOptions {
  readonly mode: Mode
  readonly url: string
  /** Instead of what a group or the mode asks for. */
  readonly rounds: number | undefined
  readonly log: (line: string) => void
  /** Leaves out subjects, such as peers that are not installed. */
  readonly keeps: (subject: string) => boolean
}

const measureGroup = async (
  workload: Workload,
  group: Group,
  child: (subject: string) => Child,
  options: MeasureOptions
): Promise<GroupResult> => {
  const { mode, url } = options
  const subjects = group.subjects.filter(options.keeps)
  const samples = new Map<string, Array<Sample>>(subjects.map((subject) => [subject, []]))
  // Two at a time, as filling is no part of the figures.
  const waiting = [...subjects]
  const opener = async () => {
    for (let subject = waiting.shift(); subject !== undefined; subject = waiting.shift()) {
      const startedAt = Date.now()
      await child(subject).ask({ op: "open", workload: workload.id, subject, group, mode, url })
      if (process.env["EFFECT_CACHE_BENCH_VERBOSE"] !== undefined) {
        options.log(`  ${subject} opened in ${Date.now() - startedAt} ms`)
      }
    }
  }
  await Promise.all([opener(), opener()])
  const rounds = options.rounds ?? group.rounds ?? (mode === "full" ? 15 : 5)
  for (let round = 0; round < rounds; round++) {
    // Another one begins in every round, so that nobody always follows the same neighbour's noise.
    for (let turn = 0; turn < subjects.length; turn++) {
      const subject = subjects[(turn + round) % subjects.length]!
      samples.get(subject)!.push((await child(subject).ask({ op: "round" }))!)
    }
  }
  const floor = group.floor === undefined ? undefined : samples.get(group.floor)
  return {
    id: group.id,
    workload: workload.id,
    title: group.title,
    unit: group.unit,
    clock: group.clock,
    floor: floor === undefined ? null : group.floor!,
    curve: group.curve ?? null,
    cases: subjects.map((subject) => caseResult(subject, samples.get(subject)!, floor))
  }
}

/**
 * Children live as long as their workload, if it does not say otherwise: what they filled for one group serves the
 * next.
 */
export const measureWorkload = async (
  workload: Workload,
  groups: ReadonlyArray<Group>,
  options: MeasureOptions,
  done: (group: GroupResult) => void
): Promise<void> => {
  const children = new Map<string, Child>()
  const child = (subject: string): Child => {
    const found = children.get(subject)
    if (found !== undefined) return found
    const made = new Child(subject)
    children.set(subject, made)
    return made
  }
  const end = async () => {
    await Promise.all([...children.values()].map((child) => child.end()))
    children.clear()
  }
  try {
    for (const group of groups) {
      const startedAt = Date.now()
      options.log(`${group.id} ...`)
      done(await measureGroup(workload, group, child, options))
      options.log(`${group.id}: ${((Date.now() - startedAt) / 1e3).toFixed(1)} s`)
      if (workload.fresh === true) await end()
    }
  } finally {
    await end()
  }
}
