/**
 * Options checked when they are given: the checks that every floor above shares, with one error and the same words. Each
 * throws `CacheError` (`InvalidOption`); `checked` makes an effect of them.
 */
import { Duration, Effect } from "effect"
import { CacheError } from "../CacheError.ts"
import { invalidOption } from "../internal/invalidOption.ts"
import type { AList } from "../internal/strings.ts"

/** What checks give, or the `CacheError` they throw. Anything else that is thrown is a defect. */
export const checked = <A>(check: () => A): Effect.Effect<A, CacheError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(check())
    } catch (error) {
      return error instanceof CacheError ? Effect.fail(error) : Effect.die(error)
    }
  })

/** `"a"`, `"b"` or `"c"`. */
export const listed = (words: ReadonlyArray<string>): string => {
  const quoted = words.map((word) => `"${word}"`)
  return quoted.length === 1 ? quoted[0]! : `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`
}

/** One of these words. */
export const oneOf = <W extends string>(option: string, value: W, words: ReadonlyArray<NoInfer<W>>): W => {
  if (!words.includes(value)) throw invalidOption(option, value, listed(words))
  return value
}

/** An array of strings. */
export const strings = (option: string, value: ReadonlyArray<string> | AList): ReadonlyArray<string> => {
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string")) {
    throw invalidOption(option, value, "an array of strings")
  }
  return value
}

const braces = /\{[A-Za-z_0-9]+\??\}/
/** Fixed tags. One that looks like a template would be the same text for all entries, and whoever invalidates would name another. */
export const fixedTags = (option: string, tags: ReadonlyArray<string>, made: string): ReadonlyArray<string> => {
  const template = tags.find((tag) => braces.test(tag))
  if (template !== undefined) throw invalidOption(option, template, `${made}: a tag is no template`)
  return tags
}

/** The strings of an iterable. A string is one too, of its characters, and is not what was meant. */
export const stringsOf = (option: string, value: Iterable<string>): ReadonlyArray<string> =>
  strings(
    option,
    typeof value === "object" && value !== null && Symbol.iterator in value ? Array.from(value) : (value as never)
  )

/** What is expected of a count, also of one in the environment. */
export const wholeNumberFrom = (min: number): string => `a whole number of at least ${min}`

/** A whole number of at least `min`, and at most `max` where there is a bound. */
export const wholeNumber = (option: string, value: number, min: number, max = Number.MAX_SAFE_INTEGER): number => {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw invalidOption(
    option,
    value,
    max === Number.MAX_SAFE_INTEGER ? wholeNumberFrom(min) : `a whole number from ${min} to ${max}`
  )
}

/** A threshold or limit in bytes; `Infinity` is one. */
export const byteLimit = (option: string, value: number): number => {
  if (typeof value === "number" && value >= 0) return value
  throw invalidOption(option, value, "a number of bytes, 0 or more")
}

const durationOf = (option: string, input: Duration.Input): Duration.Duration => {
  const duration = Duration.fromInput(input)
  if (duration._tag === "None") throw invalidOption(option, input, 'a duration, such as "5 minutes"')
  return duration.value
}

/** A duration that was refused, as it was given where that can be read. */
const given = (input: Duration.Input, duration: Duration.Duration): unknown =>
  typeof input === "object" ? duration : input

/** The milliseconds of a duration that must be positive. */
export const positiveMillis = (option: string, input: Duration.Input): number => {
  const duration = durationOf(option, input)
  const millis = Duration.toMillis(duration)
  if (!(millis > 0)) throw invalidOption(option, given(input, duration), "a positive duration")
  return millis
}

/** The milliseconds of a duration that may be zero. */
export const millisOrZero = (option: string, input: Duration.Input): number => {
  const duration = durationOf(option, input)
  const millis = Duration.toMillis(duration)
  if (!(millis >= 0)) throw invalidOption(option, given(input, duration), "a duration, zero or more")
  return millis
}

const spoken = (millis: number): string => {
  const [unit, name] =
    millis % 86_400_000 === 0
      ? [86_400_000, "day"]
      : millis % 3_600_000 === 0
        ? [3_600_000, "hour"]
        : [1, "millisecond"]
  return `${millis / unit} ${name}${millis === unit ? "" : "s"}`
}

/** The milliseconds of a positive duration within bounds; without `max`, any finite one. */
export const millisBetween = (
  option: string,
  input: Duration.Input,
  min: number,
  max = Number.MAX_SAFE_INTEGER
): number => {
  const millis = positiveMillis(option, input)
  if (millis >= min && millis <= max) return millis
  throw invalidOption(
    option,
    given(input, Duration.millis(millis)),
    max === Number.MAX_SAFE_INTEGER
      ? `a finite duration of at least ${spoken(min)}`
      : `a duration from ${spoken(min)} to ${spoken(max)}`
  )
}

/** What is said of a URL with a character that ends the part before the host. */
export const percentEncode =
  'percent-encode user and password: "/" is %2F, "?" is %3F, "#" is %23, "@" is %40 and "%" is %25 in them'

/**
 * Whether the password of a URL stands there as it is: a `%` of it is no escape; or there is an `@` behind the first `/`, `?` or
 * `#`, so that this one is part of a password, and what seems to be the host may be its beginning.
 */
export const seemsUnencoded = (url: string): boolean =>
  /^[a-z+]+:\/\/[^/?#]*[/?#].*@/is.test(url) || /%(?![\da-f]{2})/i.test(/^[a-z+]+:\/\/([^/?#]*)@/i.exec(url)?.[1] ?? "")

/** The shortest lease: less would end before a command has come back. */
export const minLeaseMillis = 10
/** The longest: a crash keeps others waiting for as long. A load may take longer, because leases are renewed. */
export const maxLeaseMillis = 24 * 3_600_000

/** How long a connection to Redis may be idle before a `PING` is sent. */
export const minPingMillis = 100
export const maxPingMillis = 24 * 3_600_000

/** How often what writers that died left is looked for. */
export const minSweepMillis = 100
export const maxSweepMillis = 24 * 3_600_000

/** The milliseconds between two sweeps. */
export const sweepMillis = (option: string, input: Duration.Input): number =>
  millisBetween(option, input, minSweepMillis, maxSweepMillis)

/** The milliseconds of a lease. */
export const leaseMillis = (option: string, input: Duration.Input): number =>
  millisBetween(option, input, minLeaseMillis, maxLeaseMillis)
