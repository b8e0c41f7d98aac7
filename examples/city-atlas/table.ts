/** Printing: tables, progress, numbers. Plain lines where there is no terminal. */
import { Console, Effect } from "effect"
import type { OnProgress } from "./data.ts"

export const count = (n: number): string => Math.round(n).toLocaleString("en-US")
export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
export const millis = (ms: number): string => `${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : count(ms)} ms`
export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** A table whose first column is to the left, and all others to the right. */
export const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (left: string, middle: string, right: string) =>
    left + widths.map((width) => "─".repeat(width + 2)).join(middle) + right
  const show = (row: ReadonlyArray<string>) =>
    `│${widths.map((width, i) => ` ${i === 0 ? (row[i] ?? "").padEnd(width) : (row[i] ?? "").padStart(width)} `).join("│")}│`
  return [line("┌", "┬", "┐"), show(head), line("├", "┼", "┤"), ...rows.map(show), line("└", "┴", "┘")].join("\n")
}

/** One line that grows on a terminal; elsewhere a line for every fifth. */
export const progress = (what: string): OnProgress => {
  let shown = -1
  return (done, total) =>
    Effect.suspend(() => {
      const step = Math.floor((done / total) * (process.stdout.isTTY ? 20 : 5))
      if (step === shown) return Effect.void
      shown = step
      const text = `${what}  ${count(done).padStart(count(total).length)} of ${count(total)}`
      if (!process.stdout.isTTY) return Console.log(text)
      return Effect.sync(() => {
        process.stdout.write(`\r${text}  ${"█".repeat(step)}${"░".repeat(20 - step)}${done === total ? "\n" : ""}`)
      })
    })
}
