/**
 * Errors whose message is of this library, and quotes nothing of a value: it may stand in a log that others read. What a
 * function of the program throws may quote all it was given.
 */
const own = new WeakSet<object>()

export const inOwnWords = <E extends Error>(error: E): E => {
  own.add(error)
  return error
}

export const isInOwnWords = (cause: unknown): cause is Error =>
  typeof cause === "object" && cause !== null && own.has(cause)
