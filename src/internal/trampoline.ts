/**
 * Steps that start one another without a turn of the event loop, on a stack that stays shallow: a load in memory that needs
 * another starts it at once, that one the next, and when the innermost ends, each tells the one before it.
 *
 * The first few are nested calls. What comes deeper waits until the outermost of them is done, and is run by that; so all is done
 * when the outermost returns, also where nothing may take time (`Effect.runSync`).
 */
import type { Fiber } from "effect"

/** Each costs a few frames of a fiber's run loop: together far less than a stack has. */
const maxDepth = 32

let depth = 0
/** From `next` on. */
const waiting: Array<() => void> = []
let next = 0

/**
 * Runs a step now, or where it would be nested too deeply as soon as it may be; `fiber` is one that waits for it. What the step
 * throws is thrown, and no other step is lost by that.
 */
export const bounce = (step: () => void, fiber: Fiber.Fiber<unknown, unknown>): void => {
  if (depth >= maxDepth) return later(step, fiber)
  depth++
  try {
    step()
  } finally {
    try {
      if (depth === 1 && waiting.length > 0) runWaiting()
    } finally {
      // No call: there may be no stack for one, and a depth that stayed would hold up all that comes.
      depth--
    }
  }
}

const later = (step: () => void, fiber: Fiber.Fiber<unknown, unknown>): void => {
  waiting.push(step)
  try {
    // A run within this one may have to end before the outermost does: an `Effect.runSync` in the code of a load.
    fiber.currentDispatcher.scheduleTask(runWaiting, 0)
  } catch {
    // A scheduler that fails; the outermost runs it.
  }
}

const runWaiting = (): void => {
  let failed = false
  let failure: unknown
  while (next < waiting.length) {
    const step = waiting[next]!
    next++
    try {
      step()
    } catch (error) {
      // Those behind it must not be lost.
      if (!failed) failure = error
      failed = true
    }
  }
  waiting.length = next = 0
  if (failed) throw failure
}
