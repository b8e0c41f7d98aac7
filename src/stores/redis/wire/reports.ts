/**
 * What a connection tells people: that its server is away, and back; and which command that the cache needs it does not
 * carry out. Each once, not with every call.
 */
import { Effect } from "effect"
import { isFull } from "./describe.ts"

/** A command that is not there, was given another name, or is not allowed; also within a script. */
const isMissing = (problem: string): boolean =>
  problem.startsWith("NOPERM") ||
  /^ERR .*(unknown (redis )?(sub)?command|ACL failure in script|can't run this command|unsupported|not supported|not allowed)/i.test(
    problem
  )

/** The server names the line of a script, not the command. */
const calledAt = (lua: string, problem: string): string | undefined => {
  const found = /@user_script:(\d+)/.exec(problem)
  if (found === null) return undefined
  const line = lua.split("\n")[Number(found[1]) - 1] ?? ""
  const names = [...line.matchAll(/redis\.p?call\("(\w+)"/g)].map(([, name]) => name)
  return names.length === 0 ? undefined : names.join(" or ")
}

/** The least time between two warnings of values that are too large. */
const largeMillis = 60_000
/** A server that refused nothing for so long, for want of room, had some in between. */
const fullAgainMillis = 60_000

/** More than the cache has commands: a server may invent names. */
const maxMissed = 50

export class Reports {
  private readonly endpoint: string
  private readonly log: (effect: Effect.Effect<void>) => void
  private readonly othersReport: (() => boolean) | undefined
  /** What was said of this outage: the commands that were refused, and `""` for the rest. */
  private readonly said = new Set<string>()
  private readonly missed = new Set<string>()
  private largeAt = Number.NEGATIVE_INFINITY
  /** When something was refused last for want of room. */
  private fullAt = Number.NEGATIVE_INFINITY

  /** `othersReport`: another connection reports outages, and whether it has one itself. */
  constructor(endpoint: string, log: (effect: Effect.Effect<void>) => void, othersReport: (() => boolean) | undefined) {
    this.endpoint = endpoint
    this.log = log
    this.othersReport = othersReport
  }

  /** Once per outage; a command of the handshake that is refused in it, once more. */
  away(problem: string, refused: string | undefined): void {
    if (refused === undefined ? this.said.size > 0 : this.said.has(refused)) return
    if (this.othersReport !== undefined && (refused === undefined || this.othersReport())) return
    this.said.add(refused ?? "")
    this.log(
      Effect.logWarning(
        `Redis at ${this.endpoint} is unavailable: ${problem}. Cache operations on it fail until it is back.`
      )
    )
  }

  back(): void {
    this.missed.clear()
    if (this.said.size === 0) return
    this.said.clear()
    this.log(Effect.logInfo(`Redis at ${this.endpoint} is back`))
  }

  /** The connection for hints is not let in, where others are. */
  withoutHints(problem: string): void {
    this.once(
      "",
      `Redis at ${this.endpoint} sends no hints: ${problem}. Who waits for another process polls until it does.`
    )
  }

  /** What the server answered a command with. Once for each command of a connection, if it is that there is no such command. */
  refused(name: string, problem: string, script = () => ""): void {
    if (isFull(problem)) return this.full(problem)
    if (!isMissing(problem)) return
    const said = /'([\w|-]+)' (sub)?command/i.exec(problem)?.[1] ?? calledAt(script(), problem)
    const command = (said ?? name).toUpperCase()
    this.once(
      command,
      `Redis at ${this.endpoint} refuses ${command}, which the cache needs: ${problem.replace(/\.$/, "")}. ` +
        "Allow it to the user (the ACL is in docs/security.md), or undo its renaming; what needs it does not work until then."
    )
  }

  /** A value does not fit the deadline. */
  large(what: string): void {
    const now = performance.now()
    if (now - this.largeAt < largeMillis) return
    this.largeAt = now
    this.log(
      Effect.logWarning(
        `Redis at ${this.endpoint}: ${what}. A value that never fits is loaded with every call, and holds up what is asked ` +
          "for behind it: raise timeout, or store less under one key."
      )
    )
  }

  /** Once, however often it is refused, until there was room again. */
  private full(problem: string): void {
    const now = performance.now()
    const again = now - this.fullAt < fullAgainMillis
    this.fullAt = now
    if (again) return
    this.log(
      Effect.logWarning(
        `Redis at ${this.endpoint} is full: ${problem.replace(/\.$/, "")}. What is there is read and invalidated as ever, and ` +
          "nothing new is stored until there is room. Raise maxmemory, or set a maxmemory-policy that evicts: noeviction evicts " +
          "nothing, and volatile-* only what has a time to live."
      )
    )
  }

  private once(what: string, text: string): void {
    if (this.missed.has(what) || this.missed.size >= maxMissed) return
    this.missed.add(what)
    this.log(Effect.logWarning(text))
  }
}
