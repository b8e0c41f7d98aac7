/**
 * What failures of Redis say, and how they are told apart.
 */
import { CacheError, NoRoom, TimedOut, Unavailable } from "../../../CacheError.ts"

const backend = "redis"

/** A fresh error with text only: those of ioredis carry the arguments of the command. */
export const unavailable = (operation: string, problem: string): CacheError =>
  new CacheError({ reason: new Unavailable({ backend, operation, cause: new Error(problem) }) })

export const timedOut = (operation: string, millis: number): CacheError =>
  new CacheError({ reason: new TimedOut({ backend, operation, millis }) })

const isRedirection = (text: string): boolean => /^(MOVED|ASK) \d{1,5} [\w.:%-]{0,255}:\d{1,5}$/.test(text)
/** Redis is at its `maxmemory`. Before Redis 7 what happens within a script is told as an error of the script. */
export const isFull = (problem: string): boolean => problem.startsWith("OOM ") || /^ERR .*-OOM /.test(problem)

export const noRoom = (operation: string, problem: string): CacheError =>
  new CacheError({ reason: new NoRoom({ backend, operation, cause: new Error(problem) }) })

/** What a command fails with that the server refused. */
export const refusal = (operation: string, problem: string, endpoint: string, primaryOnly: boolean): CacheError =>
  isFull(problem)
    ? noRoom(operation, `${problem} (${endpoint})`)
    : unavailable(operation, `${primaryOnly ? orMisplaced(problem) : problem} (${endpoint})`)

/** What a failure says, without arguments of commands, credentials and line breaks. */
export const makeDescribe =
  (secrets: ReadonlyArray<string>) =>
  (error: unknown): string => {
    const errors = (error as { readonly errors?: ReadonlyArray<unknown> }).errors
    const source = error instanceof Error && error.message === "" && errors?.[0] instanceof Error ? errors[0] : error
    const message =
      source instanceof Error
        ? source.message || String((source as NodeJS.ErrnoException).code ?? source.name)
        : String(source)
    // What the server says must not forge a line of a log, nor repeat what it was sent.
    // A server that does not know a command repeats its arguments, which for HELLO and AUTH are credentials.
    let text = message.replace(/,? with args beginning with[^]*/, "")
    // It is followed by this text, and a password such as "redis" may be part of the host.
    if (isRedirection(text)) return text
    for (const secret of secrets) text = text.replaceAll(secret, "***")
    return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").slice(0, 300)
  }

/** What one server says, unless it is a node of a cluster. */
const orMisplaced = (problem: string): string =>
  /^(MOVED|ASK|CLUSTERDOWN) /.test(problem) ? `${problem}; this is a node of a cluster: use mode "cluster"` : problem

/** Whether the server refused a command with an error of this kind, its first word. */
export const isServerError = (error: CacheError | undefined, kind: string): boolean =>
  error?.reason._tag === "Unavailable" &&
  error.reason.cause instanceof Error &&
  error.reason.cause.message.startsWith(`${kind} `)

/** Whether the user may not carry it out. Within a script it is the script that fails, in words of its own. */
export const isForbidden = (error: CacheError | undefined): boolean =>
  isServerError(error, "NOPERM") ||
  isServerError(error, "ERR The user executing the script can't run this command") ||
  isServerError(error, "ERR ACL failure in script:")
