/**
 * What a workload is: groups of cases that are measured side by side, and how a child process opens one of them.
 */
import type { GroupResult, Mode, Unit } from "./model.ts"

export type Params = Readonly<Record<string, string | number>>

/** Cases of a group are called by the name of their subject: what is measured. */
export interface Group {
  readonly id: string
  readonly title: string
  readonly unit: Unit
  readonly clock: "cpu" | "wall"
  /** The subject the others are compared with. */
  readonly floor?: string
  readonly subjects: ReadonlyArray<string>
  readonly params: Params
  readonly rounds?: number
  /** How long a timed block should take. */
  readonly blockMillis?: number
  readonly curve?: { readonly id: string; readonly label: string; readonly x: number }
}

export interface Sample {
  readonly value: number
  readonly facts?: Readonly<Record<string, number>>
}

/** Either a block of operations that the harness times, or something that measures itself, once a round. */
export type Runner =
  | {
      readonly kind: "block"
      readonly run: (count: number) => Promise<unknown>
      readonly close?: () => Promise<unknown>
    }
  | { readonly kind: "sample"; readonly sample: () => Promise<Sample>; readonly close?: () => Promise<unknown> }

export interface OpenContext {
  readonly subject: string
  readonly group: Group
  readonly mode: Mode
  /** Of the Redis server of this workload, for those that want one. */
  readonly url: string
}

export interface Workload {
  readonly id: string
  readonly title: string
  /** For the docs: what is measured and how to read it. */
  readonly text: string
  readonly redis: boolean
  /** Each group in new processes: where what one group compiled or filled would be in the way of the next. */
  readonly fresh?: boolean
  readonly groups: (mode: Mode) => ReadonlyArray<Group>
  /** Once, before its children start. */
  readonly prepare?: () => Promise<void>
  /** For figures that are counted, not timed: they are the same on every machine, and need no rounds. */
  readonly count?: (mode: Mode) => Promise<ReadonlyArray<GroupResult>>
  /** Runs in a child process of the subject's own. Throws when the subject does not do what is to be measured. */
  readonly open?: (context: OpenContext) => Promise<Runner>
}
