/**
 * Scripts: sent whole the first time a connection runs them, by their hash from then on, and whole again when the server
 * has forgotten them. All keys of a script share one slot.
 */
import { createHash } from "node:crypto"
import type { Nodes } from "./nodes/nodes.ts"
import type { Argument, Reply, ReplyEncoding } from "./wire/wire.ts"

export interface Script {
  readonly lua: string
  readonly sha: string
  readonly keys: number
}

/** A script over `keys` keys. */
export const script = (keys: number, lua: string): Script => {
  const text = lua.trim()
  return { lua: text, keys, sha: createHash("sha1").update(text).digest("hex") }
}

/** Lua: the clock of the server in microseconds, as text of an integer. */
export const luaClock = `
local function clock()
  local t = redis.call("TIME")
  return t[1] * 1000000 + t[2]
end`

export const isNoScript = (error: Parameters<Reply>[0]): boolean =>
  error?.reason._tag === "Unavailable" &&
  error.reason.cause instanceof Error &&
  error.reason.cause.message.startsWith("NOSCRIPT")

/** Runs a script once, on the node of its first key. `whole`: by its text. Passes `NOSCRIPT` on. */
export const runOnce = (
  nodes: Nodes,
  operation: string,
  { keys: numberOfKeys, lua, sha }: Script,
  keysAndArgs: ReadonlyArray<Argument>,
  whole: boolean,
  reply: Reply,
  encoding: ReplyEncoding = "utf8"
): void => {
  const key = String(keysAndArgs[0])
  const loaded = nodes.of(key)?.loaded
  const known = !whole && loaded?.has(sha) === true
  // Commands of a connection are carried out in order, so whatever follows in this flush finds it loaded.
  if (!known) loaded?.set(sha, lua)
  nodes.command(
    key,
    operation,
    known ? "evalsha" : "eval",
    [known ? sha : lua, numberOfKeys, ...keysAndArgs],
    encoding,
    reply
  )
}

/** Runs a script, again with its text when the server has forgotten it. */
export const run = (
  nodes: Nodes,
  operation: string,
  descriptor: Script,
  keysAndArgs: ReadonlyArray<Argument>,
  reply: Reply,
  encoding?: ReplyEncoding
): void => {
  const answered: Reply = (error, result, by) => {
    if (isNoScript(error)) runOnce(nodes, operation, descriptor, keysAndArgs, true, reply, encoding)
    else reply(error, result, by)
  }
  runOnce(nodes, operation, descriptor, keysAndArgs, false, answered, encoding)
}
