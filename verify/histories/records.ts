/**
 * What a process writes down, one line an event, in the order in which things ended.
 *
 * Lines are written every few milliseconds, so a killed process loses its last ones. A lost line makes the check weaker
 * and never wrong: a read that nobody saw is not checked, and an invalidation without an acknowledgement on record is
 * not counted on.
 */
import { makeLineWriter, readLines } from "./lines.ts"

export const readKinds = ["aside", "stampede", "refresh", "peek", "get"] as const
export type ReadKind = (typeof readKinds)[number]

export const invalidationKinds = ["key", "keys", "pattern", "tag", "write"] as const
export type InvalidationKind = (typeof invalidationKinds)[number]

/** All that a caller can ask for. `"bypass"`: a write-through with the default policy. */
export type CallKind = ReadKind | InvalidationKind | "bypass" | "set"

interface Span {
  readonly fiber: number
  /** Microseconds of the shared clock. */
  readonly start: number
  readonly end: number
}

/** A caller got a value. */
export interface Read extends Span {
  readonly type: "read"
  readonly kind: ReadKind
  readonly key: string
  readonly version: number
  /** When the loader had the value it got ready, and which load that was. */
  readonly loadedAt: number
  readonly load: string
  /** The cache failed on the way, and the caller was served without it. */
  readonly degraded: boolean
}

/** A loader asked the database. */
export interface Load extends Span {
  readonly type: "load"
  readonly key: string
  readonly version: number
  readonly load: string
}

/** An invalidation, a write-through or a `set` was acknowledged. */
export interface Acknowledged extends Span {
  readonly type: "acknowledged"
  readonly kind: InvalidationKind | "set"
  /** What was invalidated: a key, keys, a pattern or a tag. */
  readonly target: string
  /** The keys that it covers. */
  readonly covers: ReadonlyArray<string>
  /** What a write-through committed, or what was set. */
  readonly version: number | undefined
}

/** A call failed. */
export interface Failed extends Span {
  readonly type: "failed"
  readonly kind: CallKind
  readonly target: string
  /** Its type says so (`CacheError`): all but cached functions and writes with the default policy. Others may not fail. */
  readonly typed: boolean
  readonly reason: string
}

/** A peek or get found nothing, or a write with the default policy returned: it is on record that it took so long. */
export interface Returned extends Span {
  readonly type: "returned"
  readonly kind: "peek" | "get" | "bypass"
  readonly key: string
}

/** A caller was interrupted before it had an answer. Whether what it asked for was done, nobody knows. */
export interface Left extends Span {
  readonly type: "left"
  readonly kind: CallKind
  readonly target: string
}

/** A caller was still waiting when the run was over. */
export interface Hung extends Span {
  readonly type: "hung"
  readonly kind: string
  readonly target: string
}

export type Event = Read | Load | Acknowledged | Failed | Returned | Left | Hung

const codes = { read: "r", load: "l", acknowledged: "a", failed: "f", returned: "d", left: "x", hung: "h" } as const

const fieldsOf = (event: Event): ReadonlyArray<string | number> => {
  switch (event.type) {
    case "read":
      return [event.kind, event.key, event.version, event.loadedAt, event.load, event.degraded ? 1 : 0]
    case "load":
      return [event.key, event.version, event.load]
    case "acknowledged":
      return [event.kind, event.target, event.covers.join(","), event.version ?? ""]
    case "failed":
      return [event.kind, event.target, event.typed ? 1 : 0, encodeURIComponent(event.reason)]
    case "returned":
      return [event.kind, event.key]
    case "left":
    case "hung":
      return [event.kind, event.target]
  }
}

/** One line. No field holds a space. */
export const encodeEvent = (event: Event): string =>
  [codes[event.type], event.fiber, event.start, event.end, ...fieldsOf(event)].join(" ")

/** The event of a line; `undefined` for what a killed process did not finish. */
export const decodeEvent = (line: string): Event | undefined => {
  const [code, fiber, start, end, a, b, c, d, e, f] = line.split(" ")
  const span = { fiber: Number(fiber), start: Number(start), end: Number(end) }
  switch (code) {
    case "r":
      if (f === undefined || f === "") return undefined
      return {
        type: "read",
        ...span,
        kind: a as ReadKind,
        key: b!,
        version: Number(c),
        loadedAt: Number(d),
        load: e!,
        degraded: f === "1"
      }
    case "l":
      return { type: "load", ...span, key: a!, version: Number(b), load: c! }
    case "a":
      return {
        type: "acknowledged",
        ...span,
        kind: a as Acknowledged["kind"],
        target: b!,
        covers: c!.split(","),
        version: d === "" ? undefined : Number(d)
      }
    case "f":
      return {
        type: "failed",
        ...span,
        kind: a as Failed["kind"],
        target: b!,
        typed: c === "1",
        reason: decodeURIComponent(d!)
      }
    case "d":
      return { type: "returned", ...span, kind: a as Returned["kind"], key: b! }
    case "x":
      return { type: "left", ...span, kind: a as CallKind, target: b! }
    case "h":
      return { type: "hung", ...span, kind: a!, target: b! }
    default:
      return undefined
  }
}

export interface Recorder {
  readonly record: (event: Event) => void
  readonly flush: () => void
}

/** Writes events to a file. */
export const makeRecorder = (file: string): Recorder => {
  const { add, flush } = makeLineWriter(file)
  return { record: (event) => add(encodeEvent(event)), flush }
}

/** The events of a file. */
export function* readEvents(file: string): Generator<Event> {
  for (const line of readLines(file)) {
    const event = decodeEvent(line)
    if (event !== undefined) yield event
  }
}
