/**
 * What the kills have shown, in words and figures, and whether it passes.
 */
import type { Kind, KillsResult, Story } from "./kills.ts"

const kinds: ReadonlyArray<Kind> = ["row", "lists", "pages"]

const longestOf = (stories: ReadonlyArray<Story>): Readonly<Record<Kind, number>> => {
  const longest = { row: 0, lists: 0, pages: 0 }
  for (const { stale } of stories) for (const kind of kinds) longest[kind] = Math.max(longest[kind], stale[kind])
  return longest
}

const boundOf = ({ options }: KillsResult): number => options.leaseMillis + options.sweepMillis

/** Those that were stale for longer than a lease and a sweep. */
const beyond = (result: KillsResult): ReadonlyArray<string> =>
  result.stories.flatMap(({ diedBefore, id, stale }) =>
    kinds
      .filter((kind) => stale[kind] > boundOf(result))
      .map((kind) => `${id}, dead before "${diedBefore}": ${kind} stale for ${Math.round(stale[kind])} ms`)
  )

const row = (cells: ReadonlyArray<string | number>): string =>
  cells
    .map((cell, i) =>
      i === 0 ? String(cell).padEnd(58) : String(typeof cell === "number" ? Math.round(cell) : cell).padStart(10)
    )
    .join("")

export const describeRun = (result: KillsResult): string => {
  const { options, reads, stories } = result
  const by = new Map<string, Array<Story>>()
  for (const story of stories) {
    const name = story.diedBefore ?? "(it lived)"
    by.set(name, [...(by.get(name) ?? []), story])
  }
  const line = (name: string, some: ReadonlyArray<Story>) => {
    const { lists, pages, row: own } = longestOf(some)
    return row([name.slice(0, 56), some.length, some.filter(({ committed }) => committed).length, own, lists, pages])
  }
  const dead = stories.filter(({ diedBefore }) => diedBefore !== undefined)
  return [
    `seed ${options.seed}, a lease of ${options.leaseMillis} ms, a sweep each ${options.sweepMillis} ms${options.intent ? "" : ", without intents"}, ${reads.toLocaleString("en-US")} reads`,
    "the longest time after commit and death for which the old version was read, in ms:",
    row(["it died before", "writers", "committed", "row", "lists", "pages"]),
    ...[...by].map(([name, some]) => line(name, some)),
    line("all that died", dead),
    line(
      "  those whose row nobody read meanwhile",
      dead.filter(({ rowIsRead }) => !rowIsRead)
    ),
    line(
      "  those with a write longer than a lease",
      dead.filter(({ slow }) => slow)
    )
  ].join("\n")
}

/** Why it does not pass. */
export const objections = (result: KillsResult): ReadonlyArray<string> => {
  const { options, problems, stories, violations } = result
  const late = beyond(result)
  const committed = stories.filter((story) => story.committed && story.diedBefore !== undefined).length
  return [
    ...problems,
    ...violations.slice(0, 10),
    ...(committed === 0 ? ["none had committed when it died: this shows nothing"] : []),
    ...(options.intent
      ? late.slice(0, 10)
      : late.length === 0
        ? ["nothing was stale for longer than the bound without intents: this shows nothing"]
        : [])
  ]
}
