/**
 * For how long a response is good, and how old it is (RFC 9111, 4.2). All of it is made of headers that anybody may have
 * written, so nothing here throws.
 */
import { DateTime, Result } from "effect"
import { Headers } from "effect/http"

/** The highest number of seconds there is (RFC 9111, 1.2.2). */
export const highestSeconds = 2_147_483_648

const whole = (text: string): number | undefined =>
  /^\d+$/.test(text) ? Math.min(Number(text), highestSeconds) : undefined

/** A number of seconds; what is none counts as zero, as RFC 9111 asks for. */
export const seconds = (text: string): number => whole(text) ?? 0

/**
 * The directives of a `Cache-Control`, in lower case. Quotes are not looked into: what is inside a quoted list counts as
 * directives too, and so errs towards not storing.
 */
export const directivesOf = (header: string | undefined): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  if (header === undefined) return found
  for (const piece of header.toLowerCase().split(",")) {
    const at = piece.indexOf("=")
    const name = (at === -1 ? piece : piece.slice(0, at)).trim()
    const value =
      at === -1
        ? ""
        : piece
            .slice(at + 1)
            .trim()
            .replace(/^"(.*)"$/, "$1")
    // The first of a repeated directive counts, unless a later one is stricter, and less time is.
    const before = found.get(name)
    if (name !== "" && (before === undefined || seconds(value) < seconds(before))) found.set(name, value)
  }
  return found
}

/** The instant of an HTTP date in any of its three forms; of anything else, a list for one, `undefined`. */
export const dateOf = (header: string | undefined): number | undefined => {
  if (header === undefined) return undefined
  const parsed = Headers.parseHttpDate(header)
  return Result.isSuccess(parsed) ? DateTime.toEpochMillis(parsed.success) : undefined
}

/** An `Age` in milliseconds. Of a list the first member counts, and what is no number says nothing (RFC 9111, 5.1). */
const ageValue = (header: string | undefined): number => seconds((header ?? "").split(",", 1)[0]!.trim()) * 1000

/** When the request was handed to the handler, and when its response came, in milliseconds of one clock. */
export interface Exchanged {
  readonly asked: number
  readonly came: number
}

export interface Freshness {
  /** The age it had when it came, in milliseconds. */
  readonly ageMillis: number
  /** What the response itself leaves of its lifetime then, in milliseconds; `Infinity` where it says nothing. */
  readonly leftMillis: number
}

/**
 * The lifetime that a response gives itself, less the age it came with: the greater of what its `Date` tells and of what `Age`
 * tells, to which the time is added that the handler took (RFC 9111, 4.2.1 and 4.2.3).
 */
export const freshnessOf = (headers: Headers.Headers, { asked, came }: Exchanged): Freshness => {
  const date = dateOf(headers["date"])
  const delay = Math.max(0, came - asked)
  // A date is of a whole second.
  const apparent = date === undefined ? 0 : Math.floor(came / 1000) * 1000 - date
  const ageMillis = Math.max(apparent, ageValue(headers["age"]) + delay)
  const control = directivesOf(headers["cache-control"])
  const allowed = control.get("s-maxage") ?? control.get("max-age")
  let lifetime = Infinity
  if (allowed !== undefined) lifetime = seconds(allowed) * 1000
  else if (headers["expires"] !== undefined) {
    const expires = dateOf(headers["expires"])
    lifetime = expires === undefined ? 0 : expires - (date ?? came)
  }
  return { ageMillis, leftMillis: lifetime - ageMillis }
}
