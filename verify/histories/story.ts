/**
 * Tells what happened around a read that should not have been.
 */
import { type CheckInput, type Fault, pausedMicros, type Violation } from "./checker.ts"
import type { Event } from "./records.ts"

interface Line {
  readonly at: number
  readonly text: string
}

/** Lines of a story; of more, the middle is left out. */
const longest = 60

const millis = (micros: number): string => (micros / 1000).toFixed(1)

/** What an event has to do with a key, `undefined` for nothing. */
const tell = (who: string, event: Event, key: string): Line | undefined => {
  const by = `${who} fiber ${event.fiber}`
  const took = `took ${millis(event.end - event.start)} ms`
  switch (event.type) {
    case "read":
      return event.key === key
        ? {
            at: event.end,
            text: `${by} got version ${event.version} by ${event.kind} (load ${event.load}${
              event.degraded ? ", without the store" : ""
            }; ${took})`
          }
        : undefined
    case "load":
      return event.key === key
        ? { at: event.end, text: `${who} loaded version ${event.version} (load ${event.load}; ${took})` }
        : undefined
    case "acknowledged":
      return event.covers.includes(key)
        ? {
            at: event.end,
            text: `${by} had its ${event.kind} ${event.target} acknowledged${
              event.version === undefined ? "" : `, version ${event.version}`
            } (${took})`
          }
        : undefined
    case "failed":
      return event.target.split(",").includes(key)
        ? { at: event.end, text: `${by} failed: ${event.kind} ${event.target}: ${event.reason} (${took})` }
        : undefined
    default:
      return undefined
  }
}

const tellFault = ({ detail, end, kind, start }: Fault): Line => ({
  at: start,
  text: `NEMESIS ${kind} ${detail} (for ${millis(end - start)} ms)`
})

/** The story of one violation, in order. Times are in milliseconds before (-) and after the start of the read. */
export const storyOf = (violation: Violation, input: CheckInput): string => {
  const { bond, problem, read, who } = violation
  const { key } = read
  const from = Math.min(read.loadedAt, bond?.acknowledged.start ?? read.start) - 100_000
  const to = read.end
  const lines: Array<Line> = []
  for (const { events, who } of input.recordings) {
    for (const event of events()) {
      if (event.end < from || event.end > to) continue
      const line = tell(who, event, key)
      if (line !== undefined) lines.push(line)
    }
  }
  for (const { at, version } of input.commits.get(key) ?? []) {
    if (at >= from && at <= to) lines.push({ at, text: `the database committed version ${version}` })
  }
  for (const fault of input.faults) if (fault.end >= from && fault.start <= to) lines.push(tellFault(fault))
  lines.sort((a, b) => a.at - b.at)
  const shown = lines.map(({ at, text }) => `  ${millis(at - read.start).padStart(9)}  ${text}`)
  if (shown.length > longest) {
    shown.splice(longest / 2, shown.length - longest, `             ... ${shown.length - longest} more ...`)
  }
  const paused = pausedMicros(input.faults, who, read.start, read.end)
  return [
    `${problem}: ${who} fiber ${read.fiber} read ${key} by ${read.kind}${read.degraded ? " without the store" : ""}`,
    `  and got version ${read.version}, of load ${read.load}, in ${millis(read.end - read.start)} ms${
      paused > 0 ? `, ${millis(paused)} of them paused` : ""
    }.`,
    ...(bond === undefined
      ? []
      : [
          `  ${millis(read.start - bond.acknowledged.end)} ms before it started, ${bond.who} fiber ${
            bond.acknowledged.fiber
          } had ${bond.acknowledged.kind} ${bond.acknowledged.target} acknowledged,`,
          `  after which ${key} is at version ${bond.floor} or newer.`
        ]),
    ...shown
  ].join("\n")
}
