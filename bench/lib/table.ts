/**
 * Figures as text.
 */
import type { GroupResult, Unit } from "./model.ts"

/** Three digits: more would be noise. */
export const digits = (value: number): string => {
  if (!Number.isFinite(value)) return "-"
  if (value === 0) return "0"
  const size = Math.abs(value)
  return size >= 100 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(3)).toString()
}

const units: Readonly<Record<Unit, string>> = { ns: "ns", us: "µs", ms: "ms", bytes: "bytes", share: "%", count: "" }

export const withUnit = (value: number, unit: Unit): string => `${digits(value)} ${units[unit]}`.trimEnd()

export const times = (ratio: number): string => `${ratio >= 100 ? ratio.toFixed(0) : ratio.toFixed(2)} x`

/** A group for the terminal. */
export const groupTable = (group: GroupResult): string => {
  const lines = group.cases.map(({ facts, ratio, subject, summary }) => {
    const spread = `${digits(summary.p25)}..${digits(summary.p75)}`
    const beside = Object.entries(facts).map(([name, value]) => `${name} ${digits(value)}`)
    return `  ${subject.padEnd(32)} ${withUnit(summary.median, group.unit).padStart(12)} ${spread.padStart(18)} ${(
      ratio === null ? "" : times(ratio.median)
    ).padStart(9)}  ${beside.join(", ")}`.trimEnd()
  })
  return [`${group.id}: ${group.title}`, ...lines, ""].join("\n")
}
