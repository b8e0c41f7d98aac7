/**
 * Options checked when they are given, with one error.
 */
import { Duration } from "effect"
import { CacheError, InvalidOption } from "../CacheError.ts"

export const invalid = (option: string, actual: unknown, expected: string) =>
  new CacheError({ reason: new InvalidOption({ option, actual: describe(actual), expected }) })

const describe = (value: unknown): string => {
  try {
    return typeof value === "string" ? JSON.stringify(value) : String(value)
  } catch {
    return typeof value
  }
}

/** The milliseconds of a duration that must be positive. Throws `CacheError` (`InvalidOption`). */
export const positiveMillis = (option: string, input: Duration.Input): number => {
  const duration = Duration.fromInput(input)
  if (duration._tag === "None") throw invalid(option, input, 'a duration, such as "5 minutes"')
  const millis = Duration.toMillis(duration.value)
  if (!(millis > 0)) throw invalid(option, input, "a positive duration")
  return millis
}

/** The shortest lease: less would end before a command has come back. */
export const minLeaseMillis = 10
/** The longest: a crash keeps others waiting for as long. A load may take longer, because leases are renewed. */
export const maxLeaseMillis = 24 * 3_600_000

/** The milliseconds of a lease. Throws `CacheError` (`InvalidOption`). */
export const leaseMillis = (option: string, input: Duration.Input): number => {
  const millis = positiveMillis(option, input)
  if (millis < minLeaseMillis || millis > maxLeaseMillis) {
    throw invalid(option, input, "a duration from 10 milliseconds to a day")
  }
  return millis
}
