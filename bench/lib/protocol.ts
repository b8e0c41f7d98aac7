/**
 * What a child process is told, and what it answers.
 */
import type { Mode } from "./model.ts"
import type { Group, Sample } from "./workload.ts"

export type Request =
  | {
      readonly op: "open"
      readonly workload: string
      readonly subject: string
      readonly group: Group
      readonly mode: Mode
      readonly url: string
    }
  | { readonly op: "round" }
  | { readonly op: "close" }

export type Answer = { readonly value?: Sample } | { readonly error: string }
