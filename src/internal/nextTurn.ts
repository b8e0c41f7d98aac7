import type { Fiber } from "effect"

/** Runs a step behind what is scheduled now; `fiber` is one that waits for it. The step must not throw. */
export const nextTurn = (step: () => void, fiber: Fiber.Fiber<unknown, unknown>): void => {
  try {
    fiber.currentDispatcher.scheduleTask(step, 0)
  } catch {
    // A scheduler that fails is that of one who waits, and not the others'.
    queueMicrotask(step)
  }
}
