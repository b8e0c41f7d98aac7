/**
 * The ioredis clients of the layer: how they are made, and how they are closed.
 */
import { isIP } from "node:net"
import { Redacted } from "effect"
import type { Redis } from "ioredis"
import { driver } from "../driver.ts"
import type { ResolvedOptions } from "../options/options.ts"
import type { Address } from "../options/url.ts"
import type { OnRefused } from "./reads.ts"
import type { Turn } from "./wire.ts"

/** What a connection is made of. */
export interface ConnectionOptions {
  readonly client: Redis
  /** False for a client that was brought along. */
  readonly owned: boolean
  readonly timeoutMillis: number
  readonly connectTimeoutMillis: number
  /** Sends a `PING` after so long without a command. */
  readonly pingMillis: number | undefined
  /** Shared by the connections of a cluster. */
  readonly turn: Turn
  /** The server must be a primary. A node of a cluster that is none says so itself, by a redirection. */
  readonly primaryOnly: boolean
  /** The one database that a client that was brought along may be in. */
  readonly database?: number | undefined
  /** Told when the server went away or came back. */
  readonly onChange?: (() => void) | undefined
  /** On Cluster, where a command reads keys of one slot only: takes over reads that failed. */
  readonly onRefused?: OnRefused | undefined
  /** Given where another connection reports outages: whether it has one itself. */
  readonly othersReport?: (() => boolean) | undefined
}

const noop = () => {}

/** What is the same wherever Redis is. */
const common = (options: ResolvedOptions, random: () => number) => ({
  db: options.db,
  connectionName: options.name,
  connectTimeout: options.connectTimeoutMillis,
  ...(options.username === undefined ? {} : { username: options.username }),
  ...(options.password === undefined ? {} : { password: Redacted.value(options.password) }),
  ...(options.tls === undefined ? {} : { tls: options.tls }),
  lazyConnect: true,
  protocol: 2 as const,
  // The name of the library is nobody's business, and one more command to allow.
  disableClientInfo: true,
  noDelay: true,
  // A command whose caller was told that it failed must not be carried out later.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  disconnectTimeout: 500,
  retryStrategy: (attempt: number) => Math.min(20 * 2 ** Math.min(attempt, 10), 400) + random() * 100
})

/** What our duplicate of a client that was brought along does not take over: it is watched, and speaks as our own do. */
export const duplicated = {
  lazyConnect: true,
  protocol: 2,
  replyMapping: "legacy",
  disableClientInfo: true
} as const

/** A client of one server. In a cluster that is a node; by default it is the one the options name. */
export const makeClient = (options: ResolvedOptions, random: () => number, node?: Address): Redis => {
  const { Redis } = driver()
  const settings = common(options, random)
  const { target } = options
  if (target.mode === "sentinel") {
    return new Redis({
      ...settings,
      sentinels: target.sentinels.map(({ host, port }) => ({ host, port })),
      name: target.primaryName,
      role: "master",
      // Closes the connection when the sentinels name another primary: the old one may not know yet.
      failoverDetector: true,
      sentinelCommandTimeout: options.connectTimeoutMillis,
      sentinelRetryStrategy: () => 200 + random() * 200,
      natMap: Object.fromEntries(options.natMap),
      ...(target.username === undefined ? {} : { sentinelUsername: target.username }),
      ...(target.password === undefined ? {} : { sentinelPassword: Redacted.value(target.password) }),
      ...(options.tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: options.tls })
    })
  }
  const { host, port } = node ?? (target.mode === "standalone" ? target.address : target.seeds[0])
  const servername = node !== undefined && isIP(host) === 0 ? { servername: host } : {}
  return new Redis({
    ...settings,
    host,
    port,
    ...(options.tls === undefined ? {} : { tls: { ...servername, ...options.tls } })
  })
}

/** Calls `register`, and waits until what it was given is called, but not for longer than so many milliseconds. */
export const within = (millis: number, register: (done: () => void) => void): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, millis)
    register(() => {
      clearTimeout(timer)
      resolve()
    })
  })

/** Disconnects a client and waits, not for long, until its socket is closed. Leaves no listener but one that ignores. */
export const closeClient = async (client: Redis): Promise<void> => {
  client.removeAllListeners()
  client.on("error", noop)
  const stream = client.stream as Redis["stream"] | undefined
  client.disconnect()
  if (stream === undefined || stream.destroyed) return
  await within(600, (done) => stream.once("close", done))
  stream.destroy()
}

/** Where a client leads to, for people. */
export const endpointOf = ({ options }: Redis): string => {
  const { path } = options as { readonly path?: string }
  if (path !== undefined) return path
  if (options.sentinels) return `sentinels of ${options.name}`
  const host = options.host ?? "localhost"
  return `${isIP(host) === 6 ? `[${host}]` : host}:${options.port ?? 6379}`
}

/** What no message may repeat, in both of its spellings. */
export const secretsOf = ({ options }: Redis): ReadonlyArray<string> =>
  [options.password, options.sentinelPassword]
    .filter((secret): secret is string => typeof secret === "string" && secret !== "")
    .flatMap((secret) => [secret, encodeURIComponent(secret)])
