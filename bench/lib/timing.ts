/**
 * Times a block of operations with tinybench.
 */
import { Bench, Task } from "tinybench"
import { median } from "./statistics.ts"

const clocks = {
  wall: () => performance.now(),
  // CPU time of this process: other load on the machine disturbs it least. Only for work that never waits.
  cpu: () => {
    const { system, user } = process.cpuUsage()
    return (system + user) / 1e3
  }
}

/**
 * Only what is young: a full collection also drops what optimized code was compiled for, and the engine needs many
 * thousand calls to get back to where it was.
 */
const collect = () => (globalThis as { gc?: (options: { type: "minor" }) => void }).gc?.({ type: "minor" })

/** So long a subject runs before it is measured: engines compile in steps. */
const warmUpMillis = 500

export interface Timer {
  /** Nanoseconds an operation takes: the median of a few blocks, after two that do not count. */
  readonly round: () => Promise<number>
}

/** Warms up, and finds how many operations make a block of about `blockMillis`. */
export const timer = async (
  run: (count: number) => Promise<unknown>,
  options: { readonly clock: "cpu" | "wall"; readonly blockMillis: number }
): Promise<Timer> => {
  const now = clocks[options.clock]
  let count = 1
  for (let warm = 0; warm < warmUpMillis; ) {
    const startedAt = now()
    await run(count)
    const millis = now() - startedAt
    warm += Math.max(millis, 1)
    // Compiled code is faster than what ran first: aim again and again.
    count = Math.max(1, Math.round(count * Math.min(8, options.blockMillis / Math.max(millis, 0.05))))
  }
  const bench = new Bench({ iterations: 5, now, retainSamples: true, time: 0, warmup: false })
  const task = new Task(bench, "block", () => run(count), { async: true })
  return {
    round: async () => {
      collect()
      // Other subjects had the processor's caches meanwhile.
      await run(count)
      await run(count)
      task.reset(false)
      await task.run()
      const { result } = task
      if (result.state !== "completed")
        throw "error" in result ? result.error : new Error(`the block was ${result.state}`)
      return (median(result.latency.samples!) * 1e6) / count
    }
  }
}
