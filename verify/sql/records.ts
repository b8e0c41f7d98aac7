/**
 * What a process writes down, one line an event.
 *
 * Lines are written every few milliseconds, so a killed process loses its last ones. A lost line makes the check weaker and never
 * wrong; that a COMMIT is about to be sent is on record before it is.
 */
import { makeLineWriter, readLines } from "../histories/lines.ts"

export const readKinds = ["aside", "stampede"] as const
export type ReadKind = (typeof readKinds)[number]

/**
 * What a caller writes with:
 *
 * - `around`, `create`, `remove`: a write-through around a transaction; a created row, a deleted one
 * - `inside`: a transaction with several of them, and of other announcements, in it
 * - `plain`: a transaction, and the invalidation after it
 * - `snapshot`: a transaction that only reads
 */
export const callKinds = ["around", "create", "remove", "inside", "plain", "snapshot"] as const
export type CallKind = (typeof callKinds)[number]

/** How a step of a transaction says what it has made old. */
export const forms = ["through", "create", "remove", "key", "tag", "pattern", "set", "refresh"] as const
export type Form = (typeof forms)[number]

/** Where a name is missing. */
export const nothing = "-"

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
  /** The last write of that row, or of a row in that list, when it was loaded. */
  readonly write: string
  readonly load: string
  /** The transaction it was read in. */
  readonly tx: string
  /** The write of its own transaction that it has to see. */
  readonly expected: string
  /** It may not be older than what was acknowledged before this. */
  readonly since: number
}

/** A loader asked the database. */
export interface Load extends Span {
  readonly type: "load"
  readonly key: string
  readonly write: string
  readonly load: string
  /** The transaction of the caller whose load it is. */
  readonly tx: string
}

/** COMMIT is about to be sent. */
export interface Sending extends Span {
  readonly type: "sending"
  readonly tx: string
}

/** The database has committed. */
export interface Committed extends Span {
  readonly type: "committed"
  readonly tx: string
}

/** A call returned: nothing that it covers may be older from now on. */
export interface Acknowledged extends Span {
  readonly type: "acknowledged"
  readonly kind: CallKind
  readonly tx: string
  readonly covers: string
}

/**
 * A call ended otherwise. `rolled`: as it was meant to; `unknown`: COMMIT failed; `left`: its caller was interrupted; `failed`: it may not;
 * `hung`: it has not ended.
 */
export interface Ended extends Span {
  readonly type: "rolled" | "unknown" | "left" | "failed" | "hung"
  readonly kind: CallKind | ReadKind
  readonly tx: string
  readonly reason: string
}

/** What was done in a transaction: a form of a step, or a savepoint that was rolled back. */
export interface Step extends Span {
  readonly type: "step"
  readonly form: Form | "savepoint"
  readonly key: string
  readonly write: string
  readonly tx: string
}

export type Event = Read | Load | Sending | Committed | Acknowledged | Ended | Step

const ended = ["kind", "tx", "reason"]
const fields: Readonly<Record<Event["type"], ReadonlyArray<string>>> = {
  read: ["kind", "key", "write", "load", "tx", "expected", "since"],
  load: ["key", "write", "load", "tx"],
  sending: ["tx"],
  committed: ["tx"],
  acknowledged: ["kind", "tx", "covers"],
  rolled: ended,
  unknown: ended,
  left: ended,
  failed: ended,
  hung: ended,
  step: ["form", "key", "write", "tx"]
}

/** One line. No field holds a space, but a reason, which is encoded. */
const encodeEvent = (event: Event): string => {
  const values = event as unknown as Record<string, string | number>
  const rest = fields[event.type].map((field) =>
    field === "reason" ? encodeURIComponent(values[field]!) : values[field]
  )
  return [event.type, event.fiber, event.start, event.end, ...rest].join(" ")
}

/** The event of a line; `undefined` for what a killed process did not finish. */
const decodeEvent = (line: string): Event | undefined => {
  const [type, fiber, start, end, ...rest] = line.split(" ")
  const names = fields[type as Event["type"]]
  if (names === undefined || rest.length !== names.length) return undefined
  const event: Record<string, unknown> = { type, fiber: Number(fiber), start: Number(start), end: Number(end) }
  names.forEach((name, i) => {
    const text = rest[i]!
    event[name] = name === "since" ? Number(text) : name === "reason" ? decodeURIComponent(text) : text
  })
  return event as unknown as Event
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
