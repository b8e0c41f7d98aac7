/**
 * Requests to measure hit ratios with. Keys are numbered from 0 in the order of their first coming.
 */
import { readFileSync } from "node:fs"
import { gunzipSync } from "node:zlib"

export interface Trace {
  readonly requests: Uint32Array
  /** How many different keys there are. */
  readonly keys: number
}

/** A file in gzip with one key a line. */
export const readTrace = (file: string): Trace => {
  const numbers = new Map<string, number>()
  const lines = gunzipSync(readFileSync(file)).toString("latin1").split("\n")
  const requests = lines
    .filter((line) => line !== "")
    .map((line) => {
      const number = numbers.get(line) ?? numbers.size
      numbers.set(line, number)
      return number
    })
  return { requests: Uint32Array.from(requests), keys: numbers.size }
}
