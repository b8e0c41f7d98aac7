/**
 * Rounds of every case by turns, so that a slow moment of the machine hits all of them; the best round of each counts.
 */
import { Effect } from "effect"

export interface Case<R> {
  readonly name: string
  /** Runs the operation `count` times. */
  readonly run: (count: number) => Effect.Effect<unknown, unknown, R>
}

export interface Result {
  readonly name: string
  /** Nanoseconds an operation, in the best round. */
  readonly nanos: number
}

const rounds = 7

/** Measures by CPU time of this process, which other load on the machine disturbs least, or by wall time. */
export const measure = <R>(
  cases: ReadonlyArray<Case<R>>,
  options: { readonly count: number; readonly clock: "cpu" | "wall" }
): Effect.Effect<ReadonlyArray<Result>, unknown, R> =>
  Effect.gen(function*() {
    const best = new Map(cases.map(({ name }) => [name, Number.POSITIVE_INFINITY]))
    const now = () => {
      if (options.clock === "wall") return performance.now() * 1e6
      const { system, user } = process.cpuUsage()
      return (system + user) * 1e3
    }
    for (let round = 0; round < rounds; round++) {
      for (const { name, run } of cases) {
        const startedAt = now()
        yield* run(options.count)
        best.set(name, Math.min(best.get(name)!, (now() - startedAt) / options.count))
      }
    }
    return cases.map(({ name }) => ({ name, nanos: best.get(name)! }))
  })

/** Prints results beside the first, the floor. */
export const report = (title: string, results: ReadonlyArray<Result>): void => {
  const floor = results[0]!.nanos
  console.log(`\n${title}`)
  for (const { name, nanos } of results) {
    console.log(`  ${name.padEnd(44)} ${nanos.toFixed(0).padStart(9)} ns ${(nanos / floor).toFixed(2).padStart(8)} x`)
  }
}
