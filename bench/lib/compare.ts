/**
 * A run beside the committed one: which ratios got worse.
 */
import type { Run } from "./model.ts"

export interface Change {
  readonly group: string
  readonly subject: string
  readonly before: number
  readonly after: number
  /** How much larger the ratio is: 0.25 is a loss of a quarter. */
  readonly loss: number
}

export interface Comparison {
  /** Ours only: what peers do is no loss of this library. */
  readonly changes: ReadonlyArray<Change>
  readonly losses: ReadonlyArray<Change>
  /** In one of the two runs only. */
  readonly missing: ReadonlyArray<string>
}

export const lossLimit = 0.25

const isOurs = (subject: string): boolean => subject.startsWith("effect-cache")

/** Ratios by group and subject. What has no floor is compared by the figure itself where that is counted, not timed. */
const figures = (run: Run): ReadonlyMap<string, { group: string; subject: string; value: number; floor: string }> =>
  new Map(
    run.groups.flatMap((group) =>
      group.cases.flatMap(({ ratio, subject, summary }) => {
        if (!isOurs(subject)) return []
        const name = `${group.id} ${subject}`
        const entry = { group: group.id, subject, floor: group.floor ?? "" }
        if (ratio !== null) return [[name, { ...entry, value: ratio.median }] as const]
        // More hits are better.
        if (group.unit === "share") return [[name, { ...entry, value: 1 / summary.median }] as const]
        return group.unit === "bytes" ? [[name, { ...entry, value: summary.median }] as const] : []
      })
    )
  )

export const compare = (committed: Run, fresh: Run): Comparison => {
  const before = figures(committed)
  const after = figures(fresh)
  const changes: Array<Change> = []
  const missing: Array<string> = []
  for (const [name, { floor, group, subject, value }] of after) {
    const old = before.get(name)
    // Another floor, or a group that is new: nothing to compare with.
    if (old === undefined || old.floor !== floor) missing.push(name)
    else changes.push({ group, subject, before: old.value, after: value, loss: value / old.value - 1 })
  }
  return { changes, missing, losses: changes.filter(({ loss }) => loss > lossLimit) }
}
