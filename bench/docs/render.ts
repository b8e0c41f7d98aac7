/**
 * docs/benchmarks.md and its charts, made of a run. The same run makes the same text.
 */
import { lawOf } from "../lib/law.ts"
import type { CaseResult, GroupResult, Run } from "../lib/model.ts"
import { digits, times, withUnit } from "../lib/table.ts"
import type { Workload } from "../lib/workload.ts"
import { costs, method, opening } from "./prose.ts"
import { bars, lines } from "./svg.ts"

export interface Rendered {
  readonly markdown: string
  /** By the name of the file in docs/benchmarks. */
  readonly charts: Readonly<Record<string, string>>
}

/** Whole caches, which are compared with; the rest are floors and drivers, which do less. */
const caches = new Set([
  "lru-cache.fetch",
  "effect Cache",
  "effect PersistedCache",
  "async-cache-dedupe",
  "bentocache",
  "cacheable",
  "cache-manager",
  "cachified",
  "keyv"
])

const isOurs = (subject: string): boolean => subject.startsWith("effect-cache")
const fileOf = (id: string): string => `${id.replace(/[^A-Za-z0-9.]+/g, "-")}.svg`
const higherIsBetter = (group: GroupResult): boolean => group.unit === "share"
const ordered = (group: GroupResult): ReadonlyArray<CaseResult> =>
  [...group.cases].sort((a, b) => (a.summary.median - b.summary.median) * (higherIsBetter(group) ? -1 : 1))

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const align = head.map((_, i) => (i === 0 ? "---" : "---:"))
  return [head, align, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")
}

const bold = (subject: string): string => (isOurs(subject) ? `**${subject}**` : subject)

const perSecond = (group: GroupResult): boolean => group.workload === "redis-hit" && group.unit === "us"

const groupTable = (group: GroupResult): string => {
  const facts = [...new Set(group.cases.flatMap(({ facts }) => Object.keys(facts)))]
  // Bytes are also told as a difference.
  const floor = group.unit === "bytes" ? group.cases.find(({ subject }) => subject === group.floor) : undefined
  const counted = group.cases.every(({ samples }) => samples.length === 1)
  const head = [
    "",
    group.unit === "share" ? "hits" : group.unit === "bytes" ? "size" : "median",
    ...(counted ? [] : ["middle half of the rounds"]),
    ...(group.floor === null ? [] : ["to the floor"]),
    ...(floor === undefined ? [] : ["over the floor"]),
    ...(perSecond(group) ? ["a second"] : []),
    ...facts
  ]
  const rows = ordered(group).map(({ facts: seen, ratio, subject, summary }) => [
    bold(subject) + (subject === group.floor ? " (floor)" : ""),
    withUnit(summary.median, group.unit),
    ...(counted ? [] : [`${digits(summary.p25)} to ${digits(summary.p75)}`]),
    ...(group.floor === null ? [] : [ratio === null ? "" : times(ratio.median)]),
    ...(floor === undefined ? [] : [withUnit(summary.median - floor.summary.median, group.unit)]),
    ...(perSecond(group) ? [digits(1e6 / summary.median)] : []),
    ...facts.map((fact) => (seen[fact] === undefined ? "" : digits(seen[fact])))
  ])
  return table(head, rows)
}

const groupChart = (group: GroupResult): string =>
  bars(
    `${group.title}: ${higherIsBetter(group) ? "more is better" : "less is better"}`,
    ordered(group).map(({ subject, summary }) => ({
      label: subject,
      value: summary.median,
      from: summary.p25,
      to: summary.p75,
      text: withUnit(summary.median, group.unit),
      kind: isOurs(subject) ? "ours" : caches.has(subject) ? "peer" : "floor"
    }))
  )

const ourCase = (group: GroupResult): CaseResult | undefined =>
  group.cases.find(({ subject }) => subject === "effect-cache")

/** Other caches in a group, the best first. */
const rivals = (group: GroupResult): ReadonlyArray<CaseResult> =>
  ordered(group).filter(({ subject }) => caches.has(subject))

const glance = (run: Run): string => {
  const rows = run.groups.flatMap((group) => {
    const ours = ourCase(group)
    const best = rivals(group)[0]
    if (ours === undefined || best === undefined || group.curve !== null) return []
    return [
      [
        `${group.workload.replaceAll("-", " ")}: ${group.title}`,
        withUnit(ours.summary.median, group.unit),
        ours.ratio === null ? "" : `${times(ours.ratio.median)} ${group.floor}`,
        `${best.subject}, ${withUnit(best.summary.median, group.unit)}`,
        times(best.summary.median / ours.summary.median)
      ]
    ]
  })
  return table(["", "effect-cache", "to the floor", "best other cache", "it takes"], rows)
}

/** Every other cache that is ahead of us anywhere. */
const losses = (run: Run): string => {
  const rows = run.groups.flatMap((group) => {
    const ours = ourCase(group)
    if (ours === undefined) return []
    const ahead = rivals(group).filter(({ summary }) =>
      higherIsBetter(group) ? summary.median > ours.summary.median : summary.median < ours.summary.median
    )
    if (ahead.length === 0) return []
    const who = ahead.map(({ subject, summary }) => {
      const unsure = summary.p75 >= ours.summary.p25 ? ", within the spread" : ""
      return `${subject} (${times(ours.summary.median / summary.median)}${unsure})`
    })
    return [`- **${group.workload.replaceAll("-", " ")}, ${group.title}**: ${who.join("; ")}.`]
  })
  return rows.length === 0
    ? "In this run no other cache was ahead of effect-cache in any group."
    : `Other caches that were ahead of effect-cache, and how many times their figure ours is:\n\n${rows.join("\n")}`
}

interface Curve {
  readonly id: string
  readonly label: string
  readonly groups: ReadonlyArray<GroupResult>
}

const curvesOf = (groups: ReadonlyArray<GroupResult>): ReadonlyArray<Curve> => {
  const ids = [...new Set(groups.flatMap(({ curve }) => curve?.id ?? []))]
  return ids.map((id) => {
    const own = groups.filter(({ curve }) => curve?.id === id).sort((a, b) => a.curve!.x - b.curve!.x)
    return { id, label: own[0]!.curve!.label, groups: own }
  })
}

const titles: Readonly<Record<string, string>> = {
  "invalidation-by-tag": "invalidation by tag",
  "invalidation-by-pattern": "invalidation by pattern"
}

const curveSection = ({ groups, id, label }: Curve, charts: Record<string, string>): string => {
  const subjects = [...new Set(groups.flatMap(({ cases }) => cases.map(({ subject }) => subject)))]
  const unit = groups[0]!.unit
  const all = subjects
    .map((subject) => ({
      label: subject,
      points: groups.flatMap(({ cases, curve }) => {
        const found = cases.find((one) => one.subject === subject)
        return found === undefined ? [] : [{ x: curve!.x, y: found.summary.median }]
      })
    }))
    .filter(({ points }) => points.length >= 3)
  if (all.length === 0) return ""
  const title = titles[id] ?? `a hit, by ${label}`
  charts[fileOf(`curve-${id}`)] = lines(`${title}, medians`, label, unit === "us" ? "µs" : unit, all.slice(0, 4))
  const rows = all.map(({ label, points }) => {
    const { exponent, name } = lawOf(points)
    const ends = [points[0]!, points.at(-1)!].map(({ x, y }) => `${withUnit(y, unit)} at ${x.toLocaleString("en")}`)
    return [bold(label), ends.join(", "), exponent.toFixed(2), name]
  })
  return [
    `### ${title[0]!.toUpperCase()}${title.slice(1)}`,
    "",
    `![${title}](benchmarks/${fileOf(`curve-${id}`)})`,
    "",
    table(["", "from and to", "exponent", "law"], rows),
    ""
  ].join("\n")
}

const workloadSection = (
  workload: Pick<Workload, "id" | "title" | "text">,
  groups: ReadonlyArray<GroupResult>,
  charts: Record<string, string>
): string => {
  const own = groups.filter((group) => group.workload === workload.id)
  if (own.length === 0) return ""
  const parts = [`## ${workload.title}`, "", workload.text, ""]
  const single = own.filter(({ curve, workload }) => curve === null || workload !== "growth")
  for (const group of single) {
    parts.push(`### ${group.title[0]!.toUpperCase()}${group.title.slice(1)}`, "")
    if (group.cases.length > 4) {
      charts[fileOf(group.id)] = groupChart(group)
      parts.push(`![${group.title}](benchmarks/${fileOf(group.id)})`, "")
    }
    parts.push(groupTable(group), "")
  }
  for (const curve of curvesOf(own)) parts.push(curveSection(curve, charts))
  return parts.join("\n")
}

const about = ({ date, machine, mode, seconds, versions }: Run): string =>
  [
    `Measured on ${date.slice(0, 10)} (the ${mode} set, ${Math.round(seconds / 60)} minutes) on ${machine.cores} cores of ${machine.cpu}, ` +
      `${machine.memoryGb} GB, ${machine.os}, Node ${machine.node}, Redis ${machine.redis} on the same machine.`,
    "",
    `Versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}.`
  ].join("\n")

export const render = (run: Run, workloads: ReadonlyArray<Pick<Workload, "id" | "title" | "text">>): Rendered => {
  const charts: Record<string, string> = {}
  const sections = workloads
    .map((workload) => workloadSection(workload, run.groups, charts))
    .filter((text) => text !== "")
  const markdown = [
    opening,
    about(run),
    "",
    "## At a glance",
    "",
    glance(run),
    "",
    "## Where we lose",
    "",
    losses(run),
    "",
    costs,
    method,
    ...sections
  ].join("\n")
  return { charts, markdown: `${markdown.replace(/\n{3,}/g, "\n\n").trimEnd()}\n` }
}
