/**
 * Tells what happened around a read that should not have been.
 */
import type { CheckInput, Verdict, Version, Violation } from "./checker.ts"
import { type Event, nothing } from "./records.ts"
import { isWriteOf } from "./world.ts"

interface Line {
  readonly at: number
  readonly text: string
}

/** Lines of a story; of more, the middle is left out. */
const longest = 60

const millis = (micros: number): string => (micros / 1000).toFixed(1)

const inside = (tx: string): string => (tx === nothing ? "" : ` in ${tx}`)

/** What an event has to do with a key, or a write of it; `undefined` for nothing. */
const tell = (who: string, event: Event, key: string, touches: (tx: string) => boolean): Line | undefined => {
  const by = `${who} fiber ${event.fiber}`
  const took = `took ${millis(event.end - event.start)} ms`
  const line = (text: string) => ({ at: event.end, text: `${by} ${text}` })
  switch (event.type) {
    case "read":
      return event.key === key
        ? line(`got ${event.write} by ${event.kind}${inside(event.tx)} (load ${event.load}; ${took})`)
        : undefined
    case "load":
      return event.key === key
        ? { at: event.end, text: `${who} loaded ${event.write}${inside(event.tx)} (load ${event.load}; ${took})` }
        : undefined
    case "step":
      return touches(event.tx) ? line(`in ${event.tx}: ${event.form} of ${event.key}, write ${event.write}`) : undefined
    case "sending":
      return touches(event.tx) ? line(`sends COMMIT of ${event.tx}`) : undefined
    case "committed":
      return touches(event.tx) ? line(`COMMIT of ${event.tx} is done`) : undefined
    case "acknowledged":
      return event.covers.split(",").includes(key)
        ? line(`had ${event.kind} ${event.tx} acknowledged, which covers ${key} (${took})`)
        : undefined
    default:
      return touches(event.tx) ? line(`ended ${event.kind} ${event.tx}: ${event.type} (${took})`) : undefined
  }
}

/** The story of one violation, in order. Times are in milliseconds before (-) and after the start of the read. */
export const storyOf = (violation: Violation, input: CheckInput, verdict: Verdict): string => {
  const { acknowledged, problem, read, version, who } = violation
  const { key } = read
  const versions: ReadonlyArray<Version> = verdict.versions.get(key) ?? []
  const events = input.recordings.map(({ events, who }) => ({ who, events: [...events()] }))
  // From when what was read was written.
  let from = Math.min(read.start, version?.commit.by ?? Infinity, acknowledged?.event.start ?? Infinity)
  const touching = new Set(versions.map(({ commit }) => commit.tx))
  for (const one of events) {
    for (const event of one.events) {
      if (event.type !== "step") continue
      if (event.key === key || isWriteOf(event.tx, read.write)) touching.add(event.tx)
      if (isWriteOf(event.tx, read.write) || event.write === read.expected) from = Math.min(from, event.start)
    }
  }
  from -= 100_000
  const lines: Array<Line> = []
  const loads = new Set<string>()
  for (const one of events) {
    for (const event of one.events) {
      if (event.end < from || event.end > read.end) continue
      // Of those that got the same, one in each process.
      if (event.type === "read" && event.key === key && !(event.start === read.start && event.fiber === read.fiber)) {
        const load = `${one.who} ${event.load}`
        if (loads.has(load)) continue
        loads.add(load)
      }
      const line = tell(one.who, event, key, (tx) => touching.has(tx))
      if (line !== undefined) lines.push(line)
    }
  }
  for (const [name, at] of input.deaths)
    if (at >= from && at <= read.end) lines.push({ at, text: `${name} was killed` })
  lines.sort((a, b) => a.at - b.at)
  const shown = lines.map(({ at, text }) => `  ${millis(at - read.start).padStart(9)}  ${text}`)
  if (shown.length > longest) {
    shown.splice(longest / 2, shown.length - longest, `             ... ${shown.length - longest} more ...`)
  }
  return [
    `${problem}: ${who} fiber ${read.fiber} read ${key}${inside(read.tx)} by ${read.kind}`,
    `  and got ${read.write}, of load ${read.load}, in ${millis(read.end - read.start)} ms.`,
    ...(read.expected === nothing ? [] : [`  It had to be ${read.expected}.`]),
    ...(version === undefined
      ? []
      : [
          `  ${version.write} is of ${version.commit.kind} ${version.commit.tx} (${version.commit.fortune}), which was committed ${millis(
            read.start - version.commit.by
          )} ms before it started.`
        ]),
    ...(acknowledged === undefined
      ? []
      : [
          `  ${millis(read.start - acknowledged.event.end)} ms before it started, ${acknowledged.who} fiber ${
            acknowledged.event.fiber
          } had ${acknowledged.event.kind} ${acknowledged.event.tx} acknowledged.`
        ]),
    ...shown
  ].join("\n")
}
