/** What a run of a fuzzer has seen. */
export interface FuzzReport {
  readonly inputs: number
  /** How the inputs ended, by name. */
  readonly outcomes: Readonly<Record<string, number>>
  /** Each with what is needed to see it again. */
  readonly wrong: ReadonlyArray<string>
  readonly slowestMillis: number
}
