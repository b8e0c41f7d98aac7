/**
 * The handshake of a client of ours, answered well or not at all.
 *
 * ioredis goes on when `SELECT` is refused, and then works in database 0, on somebody else's entries; when `AUTH` is refused
 * because the server wants no password; and when `INFO` is. Of the last two it tells the console. So their replies are looked at before
 * it sees them, on every connect: what is not as it should be ends the attempt, says which command it was and what to do,
 * and the client tries again, in its own rhythm.
 */
import type { Command, Redis } from "ioredis"

/** The first command of a connect that was not answered well, and what there is to say. */
export type OnRefusal = (command: string, problem: string) => void

const steps = new Set(["auth", "select", "info", "client"])

/** What a server says to one client too many, before it is asked anything. It comes as the answer to the first command. */
const isFull = (problem: string): boolean => problem.startsWith("ERR max number of clients")

const full =
  "the server takes no more clients: ERR max number of clients reached; raise its maxclients, or open fewer connections " +
  "(a cache has one to each server, with durability two, and one for hints)"

const isReplyError = (error: unknown): boolean => error instanceof Error && error.name === "ReplyError"

const fitting = (name: string, reply: unknown): boolean => {
  const text = String(reply)
  // What says OK to everything is no Redis.
  if (name === "info") return /^\w+:/m.test(text)
  return text === "OK"
}

const noAnswer = (name: string): string => `what came back is no answer to ${name.toUpperCase()}`

/** What to do about it. */
const advice = (command: string, problem: string): string => {
  if (problem.startsWith("NOAUTH")) return "; give username and password"
  if (problem.startsWith("NOPERM")) {
    const [name] = command.split(" ")
    return `; the ACL of the user needs +${name!.toLowerCase()}${name === "SELECT" ? ", or use database 0" : ""}`
  }
  if (command === "AUTH") return "; check username and password"
  return ""
}

/**
 * What was refused and what to do, without the words at which ioredis would go on.
 */
const wordsOf = (command: string, problem: string): string => {
  if (isFull(problem)) return full
  if (/no password is set|without any password configured/.test(problem)) {
    return "AUTH was refused: the server asks for no password; leave it out, or set one there"
  }
  if (problem.includes("wrong number of arguments for 'auth'")) {
    return "AUTH was refused: the server knows no users, it is older than Redis 6; leave username out"
  }
  const said =
    problem
      .replaceAll(/NOPERM:? ?/g, "")
      .slice(0, 200)
      .replace(/\.$/, "") || "it does not say why"
  return `${command} was refused: ${said}${advice(command, problem)}`
}

/** What ioredis does not show: the state of a connect, and that of the one before until it is taken over. */
type Condition = { readonly select?: number } | null

/** The database that a client works in, as it believes. */
export const databaseOf = (client: Redis): number => {
  const { condition, prevCondition } = client as unknown as {
    readonly condition?: Condition
    readonly prevCondition?: Condition
  }
  return Number(prevCondition?.select ?? condition?.select ?? client.options.db ?? 0)
}

/** Without a problem all is well. `refused`: the command that was. */
export type Checked = (problem?: string, refused?: string) => void

/** By client of ours, the stream on which its `SELECT` was seen to be answered well. That we see it is no promise of ioredis. */
const selected = new WeakMap<Redis, unknown>()

/** A replica answers reads, with what it knows: older values. */
export const checkOwn = (client: Redis, describe: (error: unknown) => string, done: Checked): void => {
  client.info("replication", (error, info) => {
    if (error) done(wordsOf("INFO", describe(error)), "INFO")
    else if (/^role:slave/m.test(String(info))) done("the server is a replica, expected a primary")
    else if (selected.get(client) === client.stream) done()
    else checkDatabase(client, describe, done, false, undefined)
  })
}

/**
 * Tells a client that was brought along its database once more: it goes on where it is not let in. `moved`: it was elsewhere
 * before; without that everybody begins in database 0. `only`: the one that it may be in.
 */
export const checkDatabase = (
  client: Redis,
  describe: (error: unknown) => string,
  done: Checked,
  moved: boolean,
  only: number | undefined
): void => {
  const db = databaseOf(client)
  if (only !== undefined && db !== only) {
    return done(`the client was moved to database ${db}, but what goes to replicas with durability goes to ${only}`)
  }
  if (db === 0 && !moved) return done()
  const command = `SELECT ${db}`
  client.select(db, (error, reply) => {
    // It was moved on meanwhile.
    if (db !== databaseOf(client)) checkDatabase(client, describe, done, true, only)
    else if (error) done(wordsOf(command, describe(error)), command)
    else if (fitting("select", reply)) done()
    else done(wordsOf(command, noAnswer("select")), command)
  })
}

/** Looks at each reply to the handshake of a client that has not begun to connect, and of those that ask sentinels for it. */
export const watchHandshake = (client: Redis, describe: (error: unknown) => string, onRefusal: OnRefusal): void => {
  const send = client.sendCommand
  /** Of the connect that is under way: a stream is of one connect. */
  let refused: { readonly stream: unknown; readonly error: Error } | undefined

  const refuse = (command: Command, problem: string): Error => {
    const name = isFull(problem) ? "maxclients" : command.name.toUpperCase()
    const shown = name === "SELECT" ? `SELECT ${String(command.args[0])}` : name
    const text = wordsOf(shown, problem)
    const error = new Error(text)
    refused = { stream: client.stream, error }
    onRefusal(shown, text)
    return error
  }

  const watch = (command: Command): void => {
    const { name, reject, resolve } = command
    // The name of the connection is a courtesy.
    const needed = name !== "client"
    command.reject = (error) => {
      const problem = isReplyError(error) ? describe(error) : undefined
      reject(problem !== undefined && (needed || isFull(problem)) ? refuse(command, problem) : error)
    }
    if (!needed) return
    command.resolve = (reply: unknown) => {
      if (fitting(name, reply)) {
        if (name === "select") selected.set(client, client.stream)
        resolve(reply)
      } else reject(refuse(command, noAnswer(name)))
    }
  }

  client.sendCommand = (command, stream) => {
    if (stream === undefined && client.status === "connect" && steps.has(command.name)) {
      // The last step: a failure of this one ends the attempt.
      if (command.name === "info" && refused !== undefined && refused.stream === client.stream) {
        command.reject(refused.error)
        return command.promise
      }
      watch(command)
    }
    return send.call(client, command, stream)
  }

  const connector = (client as unknown as { readonly connector: SentinelConnector }).connector
  const { connectToSentinel } = connector
  if (typeof connectToSentinel !== "function") return
  connector.connectToSentinel = (endpoint, options) => {
    const sentinel = connectToSentinel.call(connector, endpoint, { ...options, disableClientInfo: true })
    // Its failure is a reason why no primary is known, and told as that.
    watchHandshake(sentinel, describe, () => {})
    return sentinel
  }
}

/** What ioredis does not show of the part that finds a primary. */
interface SentinelConnector {
  connectToSentinel?: (endpoint: unknown, options?: object) => Redis
}
