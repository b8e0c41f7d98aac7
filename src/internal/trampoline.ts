/**
 * Steps that start one another without a turn of the event loop, on a stack that stays shallow: a load in memory that needs
 * another starts it at once, that one the next, and when the innermost ends, each tells the one before it.
 *
 * The first few are nested calls. What comes deeper waits until the outermost of them is done, and is run by that; so all is done
 * when the outermost returns, also where nothing may take time (`Effect.runSync`).
 */

/** Each costs a few frames of a fiber's run loop: together far less than a stack has. */
const maxDepth = 32

let depth = 0
const waiting: Array<() => void> = []

/** Whether a step may be called now; then `leave` must follow it. Otherwise it is to be given to `later`. */
export const enter = (): boolean => {
  if (depth >= maxDepth) return false
  depth++
  return true
}

export const leave = (): void => {
  try {
    if (depth === 1 && waiting.length > 0) runWaiting()
  } finally {
    depth--
  }
}

export const later = (step: () => void): void => {
  waiting.push(step)
}

const runWaiting = (): void => {
  let failed = false
  let failure: unknown
  for (let i = 0; i < waiting.length; i++) {
    try {
      waiting[i]!()
    } catch (error) {
      // Those behind it must not be lost.
      if (!failed) failure = error
      failed = true
    }
  }
  waiting.length = 0
  if (failed) throw failure
}
