/**
 * A run, as JSON: what `--json` prints, what is committed in bench/results, what docs and check read.
 */
import type { Summary } from "./statistics.ts"

export type Mode = "short" | "full"

/** `share` is a percentage, for example of hits. */
export type Unit = "ns" | "us" | "ms" | "bytes" | "share" | "count"

export interface CaseResult {
  readonly subject: string
  /** One figure a round, in the group's unit. */
  readonly samples: ReadonlyArray<number>
  readonly summary: Summary
  /** Over the floor's figure of the same round; `null` where the group has no floor. */
  readonly ratio: Summary | null
  /** What else was seen, such as commands sent or the 99th percentile. Medians over rounds. */
  readonly facts: Readonly<Record<string, number>>
}

export interface GroupResult {
  readonly id: string
  readonly workload: string
  readonly title: string
  readonly unit: Unit
  readonly floor: string | null
  readonly clock: "cpu" | "wall"
  /** A point of a curve: groups with the same curve belong together. */
  readonly curve: { readonly id: string; readonly label: string; readonly x: number } | null
  readonly cases: ReadonlyArray<CaseResult>
}

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly os: string
  readonly node: string
  readonly redis: string
}

export interface Run {
  readonly format: 1
  readonly date: string
  readonly mode: Mode
  readonly seconds: number
  readonly machine: Machine
  /** Packages measured, with their versions. */
  readonly versions: Readonly<Record<string, string>>
  readonly groups: ReadonlyArray<GroupResult>
}
