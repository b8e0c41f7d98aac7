/**
 * Two versions, round by round: in each, both are in new processes and take turns.
 */
import { Child } from "../lib/children.ts"
import { RawRedis } from "../lib/resp.ts"
import { type Interval, median, medianInterval, ratios, round } from "../lib/statistics.ts"
import type { Unit } from "../lib/model.ts"
import type { Group, Workload } from "../lib/workload.ts"
import type { Build } from "./builds.ts"
import { subject } from "./plan.ts"

/** How many times as long is no worse. */
export const limit = 1.05

/** Below this an interval says nothing. */
export const levelNeeded = 0.95

/**
 * No worse than the limit? `"yes"`: the whole interval says so. `"no"`: none of it does. In between the two are not told apart.
 * An issue's "no worse than 1.05" asks that the interval begins at 1.05 or below: all but `"no"`.
 */
export type Verdict = "yes" | "not told apart" | "no"

/** None where the samples are too few. */
export const verdictOf = ({ high, level, low }: Interval): Verdict | undefined =>
  level < levelNeeded ? undefined : high <= limit ? "yes" : low <= limit ? "not told apart" : "no"

export interface GroupResult {
  readonly id: string
  readonly title: string
  readonly unit: Unit
  readonly clock: "cpu" | "wall"
  /** One figure a round. */
  readonly before: ReadonlyArray<number>
  readonly after: ReadonlyArray<number>
  /** After to before, one a round. */
  readonly ratios: ReadonlyArray<number>
  readonly ratio: number
  readonly interval: Interval
  /** `null` where the samples are too few. */
  readonly verdict: Verdict | null
}

/** Turns of a version in a round. */
const turns = 6

const preload = new URL("./preload.ts", import.meta.url).href

export type Side = "before" | "after"

/** Who takes which turn: before, after, after, before, ... so that what drifts hits both; the next round the other way. */
export const order = (round: number, turns: number): ReadonlyArray<Side> =>
  Array.from(
    { length: turns },
    (_, turn): ReadonlyArray<Side> => ((turn + round) % 2 === 0 ? ["before", "after"] : ["after", "before"])
  ).flat()

/** Who is started first, and has the first database; the next round the other. */
export const sidesOf = (round: number): readonly [Side, Side] =>
  round % 2 === 0 ? ["before", "after"] : ["after", "before"]

export interface RoundSamples {
  readonly before: ReadonlyArray<number>
  readonly after: ReadonlyArray<number>
}

/**
 * A ratio a round, and the interval over rounds. Turns of one process depend on each other: where the engine happened to
 * put things, all its turns are fast or slow. Rounds, with new processes, do not.
 */
export const judge = (
  rounds: ReadonlyArray<RoundSamples>
): Pick<GroupResult, "before" | "after" | "ratios" | "ratio" | "interval" | "verdict"> => {
  const each = rounds.map(({ after, before }) => median(ratios(after, before)))
  const interval = medianInterval(each)
  return {
    before: rounds.map(({ before }) => round(median(before))),
    after: rounds.map(({ after }) => round(median(after))),
    ratios: each.map(round),
    ratio: round(median(each)),
    interval: { low: round(interval.low), high: round(interval.high), level: round(interval.level) },
    verdict: verdictOf(interval) ?? null
  }
}

export interface MeasureOptions {
  readonly builds: Readonly<Record<Side, Build>>
  readonly rounds: number
  /** Of an empty server; nothing where the workload wants none. */
  readonly url: string
}

const measureRound = async (
  workload: Workload,
  group: Group,
  number: number,
  { builds, url }: MeasureOptions
): Promise<RoundSamples> => {
  if (url !== "") {
    const client = await RawRedis.connect(url)
    await client.send("FLUSHALL")
    await client.close()
  }
  const child = (side: Side): Child =>
    new Child(`${subject} ${builds[side].version}`, {
      flags: [`--import=${preload}`],
      env: { EFFECT_CACHE_BENCH_BUILD: builds[side].folder }
    })
  const sides = sidesOf(number)
  const children = Object.fromEntries(sides.map((side) => [side, child(side)])) as Record<Side, Child>
  const samples: Record<Side, Array<number>> = { before: [], after: [] }
  const open = (side: Side) =>
    children[side].ask({
      op: "open",
      workload: workload.id,
      subject,
      group,
      mode: "short",
      // A database each: they share a server, and no key.
      url: url === "" ? "" : `${url}/${sides.indexOf(side) + 1}`
    })
  try {
    await Promise.all(sides.map(open))
    for (const side of order(number, turns)) samples[side].push((await children[side].ask({ op: "round" }))!.value)
  } finally {
    await Promise.all([children.before.end(), children.after.end()])
  }
  return samples
}

export const measureGroup = async (workload: Workload, group: Group, options: MeasureOptions): Promise<GroupResult> => {
  const rounds: Array<RoundSamples> = []
  for (let number = 0; number < options.rounds; number++) {
    rounds.push(await measureRound(workload, group, number, options))
  }
  const { clock, id, title, unit } = group
  return { id, title, unit, clock, ...judge(rounds) }
}
