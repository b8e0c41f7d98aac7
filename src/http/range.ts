/**
 * Parts of a stored body (RFC 9110, 14).
 */

/** From `first` to `last`, both included. */
export interface Part {
  readonly first: number
  readonly last: number
}

const oneRange = /^[ \t]*(?:(\d+)-(\d*)|-(\d+))[ \t]*$/

/** Whether the unit of a `Range` is the one that is known here. Any other is the handler's. */
export const isOfBytes = (range: string): boolean => /^\s*bytes\s*=/i.test(range)

/**
 * The part of a body of `length` bytes that a `Range` asks for. `"whole"`: it is malformed, or asks for several parts, and then all
 * may be sent. `"none"`: nothing of what it asks for is there.
 */
export const partOf = (range: string, length: number): Part | "whole" | "none" => {
  const found = oneRange.exec(range.slice(range.indexOf("=") + 1))
  if (found === null) return "whole"
  const [, from, to, suffix] = found
  if (suffix !== undefined) {
    const wanted = Number(suffix)
    // Of an empty body there is no part that could be named.
    if (wanted === 0) return "none"
    return length === 0 ? "whole" : { first: Math.max(0, length - wanted), last: length - 1 }
  }
  const first = Number(from)
  const last = to === "" ? Infinity : Number(to)
  if (last < first) return "whole"
  return first >= length ? "none" : { first, last: Math.min(last, length - 1) }
}
