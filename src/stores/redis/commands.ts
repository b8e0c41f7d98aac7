/**
 * What the primitives are made of: names in Redis, times to live, and commands as effects that are sent at once.
 */
import { Effect, Exit } from "effect"
import type { CacheError } from "../../CacheError.ts"
import { escapeKey } from "../../CacheKey.ts"
import type { Nodes } from "./nodes/nodes.ts"
import { run, type Script } from "./script.ts"
import type { Connection } from "./wire/connection.ts"
import type { Argument, Link, Reply, ReplyEncoding } from "./wire/wire.ts"

/** The names of protocol.md. What is between braces decides the slot, so all keys of one logical key share it. */
export interface Names {
  readonly namespace: string
  readonly entry: (key: string) => string
  readonly lease: (key: string) => string
  readonly intents: (key: string) => string
  /** Of all intents. */
  readonly index: string
  readonly channel: (key: string) => string
  readonly marker: (tag: string) => string
  readonly epoch: string
  readonly lock: (name: string) => string
  readonly fence: (name: string) => string
  /** What is written before a `WAIT`, to a slot that the number decides. */
  readonly wait: (part: number) => string
}

// Redis ignores empty braces and would put the two keys of "" in different slots. A single `%` is no escaped text.
const inBraces = (key: string) => `{${escapeKey(key) || "%"}}`

/** The names of so many tags are kept, if they are no longer than this: every read of a tagged entry needs some of them. */
const keptMarkers = 4_096
const keptTagLength = 128

const makeMarker = (namespace: string) => {
  const known = new Map<string, string>()
  return (tag: string): string => {
    let name = known.get(tag)
    if (name === undefined) {
      name = `${namespace}:t:${escapeKey(tag)}`
      if (tag.length > keptTagLength) return name
      if (known.size >= keptMarkers) known.clear()
      known.set(tag, name)
    }
    return name
  }
}

export const makeNames = (namespace: string): Names => ({
  namespace,
  entry: (key) => `${namespace}:e:${inBraces(key)}`,
  lease: (key) => `${namespace}:l:${inBraces(key)}`,
  intents: (key) => `${namespace}:i:${inBraces(key)}`,
  index: `${namespace}:intents`,
  channel: (key) => `${namespace}:n:${escapeKey(key)}`,
  marker: makeMarker(namespace),
  epoch: `${namespace}:epoch`,
  lock: (name) => `${namespace}:lock:${inBraces(name)}`,
  fence: (name) => `${namespace}:fence:${inBraces(name)}`,
  wait: (part) => `${namespace}:wait:{${part}}`
})

// Redis refuses times that overflow when added to its clock.
const maxMillis = 100 * 365 * 86_400_000

/** Whole milliseconds that Redis takes, rounded up. */
export const millisOf = (ttlMillis: number): number => Math.min(Math.max(1, Math.ceil(ttlMillis)), maxMillis)

/** The same with 0 for "no end", for scripts. */
export const millisOrNever = (ttlMillis: number): number => (ttlMillis === Infinity ? 0 : millisOf(ttlMillis))

/** Takes the outcome; `resume` of `Effect.callback` is one. */
type Resume<A> = (exit: Exit.Exit<A, CacheError>) => void

/** Which connections carried something out, and as which of their incarnations. */
export type Served = Map<Link, number>

export class Commands {
  readonly nodes: Nodes
  private readonly served: Served | undefined

  constructor(nodes: Nodes, served?: Served) {
    this.nodes = nodes
    this.served = served
  }

  /** The same, writing down who answers. */
  noting(served: Served): Commands {
    return new Commands(this.nodes, served)
  }

  private noted(reply: Reply): Reply {
    const { served } = this
    if (served === undefined) return reply
    return (error, value, by) => {
      // The first of its incarnations: what a later one says does not speak for an earlier one.
      if (by !== undefined && !served.has(by)) served.set(by, by.incarnation)
      reply(error, value, by)
    }
  }

  /** Queues a command for the node of `key`. */
  command(key: string, operation: string, name: string, args: ReadonlyArray<Argument>, reply: Reply): void {
    this.nodes.command(key, operation, name, args, "utf8", this.noted(reply))
  }

  /** Queues a command for this very node. */
  commandOn(node: Connection, operation: string, name: string, args: ReadonlyArray<Argument>, reply: Reply): void {
    node.command(operation, name, args, "utf8", this.noted(reply))
  }

  /** Queues a script for the node of its first key. */
  run(
    operation: string,
    script: Script,
    keysAndArgs: ReadonlyArray<Argument>,
    reply: Reply,
    encoding?: ReplyEncoding
  ): void {
    run(this.nodes, operation, script, keysAndArgs, this.noted(reply), encoding)
  }

  /** One command, its reply made into `A`. Its first argument is its key. */
  one<A>(
    operation: string,
    name: string,
    args: readonly [key: string, ...args: ReadonlyArray<Argument>],
    f: (reply: unknown) => A
  ): Effect.Effect<A, CacheError> {
    return Effect.callback<A, CacheError>((resume) => {
      this.command(args[0], operation, name, args, answer(resume, f))
    })
  }

  /** One script, its reply made into `A`. */
  script<A>(
    operation: string,
    script: Script,
    keysAndArgs: ReadonlyArray<Argument>,
    f: (reply: unknown) => A,
    encoding?: ReplyEncoding
  ): Effect.Effect<A, CacheError> {
    return Effect.callback<A, CacheError>((resume) => {
      this.run(operation, script, keysAndArgs, answer(resume, f), encoding)
    })
  }
}

/** `count` replies, in order, of what `start` starts; or the first failure. */
export const all = (
  count: number,
  start: (i: number, reply: Reply) => void
): Effect.Effect<Array<unknown>, CacheError> =>
  Effect.callback<Array<unknown>, CacheError>((resume) => {
    const replies = new Array<unknown>(count)
    if (count === 0) return resume(Effect.succeed(replies))
    let left = count
    for (let i = 0; i < count; i++) {
      start(i, (error, reply) => {
        if (error !== undefined) return resume(Effect.fail(error))
        replies[i] = reply
        if (--left === 0) resume(Effect.succeed(replies))
      })
    }
  })

const answer =
  <A>(resume: Resume<A>, f: (reply: unknown) => A): Reply =>
  (error, reply) =>
    resume(error === undefined ? Exit.succeed(f(reply)) : Exit.fail(error))
