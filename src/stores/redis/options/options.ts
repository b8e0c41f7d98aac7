/**
 * The options of the Redis layer, checked before anything is opened.
 */
import { isIP, isIPv6 } from "node:net"
import type { ConnectionOptions } from "node:tls"
import { type Duration, type Effect, Redacted } from "effect"
import type { Redis } from "ioredis"
import type { CacheError } from "../../../CacheError.ts"
import { describe, invalidOption, invalidOptionAs } from "../../../internal/invalidOption.ts"
import { knownOptions, type Names } from "../../../internal/knownOptions.ts"
import { checked, maxPingMillis, millisBetween, minPingMillis, oneOf, wholeNumber } from "../../../region/checks.ts"
import { type Address, addressForm, parseAddress, parseUrl, type UrlParts, withoutBrackets } from "./url.ts"

/** An acknowledgement that waits for replicas. */
export interface Durability {
  /** Replicas that must have an invalidation before it is acknowledged, 1 to 100: on Cluster, of each shard it touches. */
  readonly replicas: number
  /** How long to wait for them, at least 1 ms and at most an hour. Default: 1 second. */
  readonly timeout?: Duration.Input | undefined
}

/** How to reach Redis, and how to use it. Redis 7.0 and newer. */
export interface RedisOptions {
  /**
   * `"standalone"`: one primary. `"cluster"`: Redis Cluster. `"sentinel"`: one primary, found by Redis Sentinel. Default: what
   * `url` says, otherwise `"standalone"`.
   */
  readonly mode?: "standalone" | "cluster" | "sentinel" | undefined
  /**
   * Where Redis is; `rediss` instead of `redis` for TLS. The single fields below win over its parts. Characters such as `/`, `?`,
   * `#` and `%` in user and password are percent-encoded (`encodeURIComponent`), an IPv6 host is in brackets.
   * - `redis://user:password@host:port/db`
   * - `redis+cluster://user:password@host:port,host:port`: some nodes of the cluster, which tell of the others
   * - `redis+sentinel://user:password@host:port,host:port/name/db`: the sentinels, and what they call the primary
   *
   * Default: `redis://localhost:6379/0`.
   */
  readonly url?: string | Redacted.Redacted | undefined
  /** Standalone only. An IPv6 address with or without brackets. */
  readonly host?: string | undefined
  /** Standalone only. 1 to 65535. */
  readonly port?: number | undefined
  /** `host:port` of some nodes of the cluster, or of the sentinels; an IPv6 host in brackets. */
  readonly nodes?: ReadonlyArray<string> | undefined
  /** Sentinel: what the sentinels call the primary. */
  readonly primaryName?: string | undefined
  /** Sentinel: the ACL user of the sentinels themselves. `username` is that of Redis. */
  readonly sentinelUsername?: string | undefined
  readonly sentinelPassword?: string | Redacted.Redacted | undefined
  /** Addresses that the cluster or the sentinels give out, as `host:port`, and where they are reached from here. */
  readonly natMap?: Readonly<Record<string, string>> | undefined
  /** The ACL user. */
  readonly username?: string | undefined
  readonly password?: string | Redacted.Redacted | undefined
  /** The number of the database, 0 or more. A cluster has only 0. For others the ACL needs `+select`. */
  readonly db?: number | undefined
  /** TLS: `true` for the system's certificates, or options of `node:tls`. Also to sentinels. */
  readonly tls?: boolean | ConnectionOptions | undefined
  /**
   * Your own client, instead of the fields above. It is used as it is and left open at the end; its `keyPrefix` is
   * ignored (use `namespace`). Waiting for a release opens one more connection, a duplicate of it, and so does `durability`:
   * with that, the client must stay in its database.
   */
  readonly client?: Redis | undefined
  /**
   * Acknowledge an invalidation only when so many replicas have it (`WAIT`), so that it survives a failover to one of them.
   * Otherwise it fails with `NotReplicated`: the primary has it and reads go by it, but it is not repeated for you. With several
   * replicas, name them all: which of them is promoted is not the cache's to say. It costs each invalidation and write a round
   * trip to the replicas, and one more connection; while a replica is missing, the whole `durability.timeout`, or
   * a few of them when many come at once.
   * Default: none; an invalidation is acknowledged by the primary alone.
   */
  readonly durability?: Durability | undefined
  /**
   * What every key in Redis starts with: 1 to 128 characters without spaces, controls and `{}*?[]\`. The part `t` is
   * allowed only as the first of its `:`-separated parts, because `a:t` would be inside the tags of `a`.
   * Default: `"ec"`.
   */
  readonly namespace?: string | undefined
  /**
   * The longest a command may take, counted from when it is sent, at least 1 ms and at most an hour. Default: 1 second.
   */
  readonly timeout?: Duration.Input | undefined
  /** The longest an attempt to connect may take, at least 1 ms and at most an hour. Default: 5 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /**
   * Sends a `PING` on each connection, those for hints and `durability` among them, on which nothing was sent for so long: 100 ms
   * to a day. For servers (`timeout`), proxies and load balancers that close what is idle, choose half of what they allow.
   * Without it such a close is no outage either: what is asked next waits for the reconnect. But one that drops connections
   * without a word costs the next caller the whole `timeout`. The ACL needs `+ping`. Default: none is sent.
   */
  readonly pingInterval?: Duration.Input | undefined
  /**
   * Payloads of at least so many bytes are compressed; `false` for none. Lower saves memory in Redis and costs time on a hit:
   * to unpack anything takes 20 µs, in which JSON of 4 KB is parsed. Default: 8192.
   */
  readonly compressionThreshold?: number | false | undefined
  /**
   * Whether callers of one load, and those who read one key in one turn of the event loop, may be given one object, which they
   * must not change (`"reference"`), or each gets their own (`"clone"`). Copies of what was loaded are made through the schema, and
   * where there is none as `CacheMemory.layer` makes them: a value that a structured clone would change is shared, and not
   * stored. Default: `"reference"`.
   */
  readonly isolation?: "reference" | "clone" | undefined
  /** The name of the connection in `CLIENT LIST`: printable characters, no spaces. Default: `"effect-cache"`. */
  readonly name?: string | undefined
}

/** Where Redis is. */
export type Target =
  | { readonly mode: "standalone"; readonly address: Address }
  | { readonly mode: "cluster"; readonly seeds: readonly [Address, ...ReadonlyArray<Address>] }
  | {
      readonly mode: "sentinel"
      readonly sentinels: ReadonlyArray<Address>
      readonly primaryName: string
      readonly username: string | undefined
      readonly password: Redacted.Redacted | undefined
    }

/** The options with defaults in place. */
export interface ResolvedOptions {
  readonly target: Target
  readonly natMap: ReadonlyMap<string, Address>
  readonly username: string | undefined
  readonly password: Redacted.Redacted | undefined
  readonly db: number
  readonly tls: ConnectionOptions | undefined
  readonly client: Redis | undefined
  readonly durability: { readonly replicas: number; readonly timeoutMillis: number } | undefined
  readonly namespace: string
  readonly timeoutMillis: number
  readonly connectTimeoutMillis: number
  readonly pingMillis: number | undefined
  readonly compressionThreshold: number | false
  readonly isolation: "reference" | "clone"
  readonly name: string
}

const millis = (option: string, input: Duration.Input): number => Math.ceil(millisBetween(option, input, 1, 3_600_000))

/** A text that may be a secret: what was given instead is not shown. */
const secret = (option: string, value: string | Redacted.Redacted | undefined): string | undefined => {
  if (value === undefined) return undefined
  const text: unknown = Redacted.isRedacted(value) ? Redacted.value(value) : value
  if (typeof text !== "string") throw invalidOptionAs(option, "<redacted>", "a string, or a Redacted of one")
  return text
}

const hidden = (option: string, value: string | Redacted.Redacted | undefined): Redacted.Redacted | undefined => {
  const text = secret(option, value)
  return text === undefined ? undefined : Redacted.make(text)
}

const text = (option: string, value: string | undefined): string | undefined => {
  if (value !== undefined && typeof value !== "string") throw invalidOption(option, value, "a string")
  return value
}

const address = (option: string, text: string, defaultPort: number): Address => {
  const found = typeof text === "string" ? parseAddress(text, defaultPort) : undefined
  // Not shown: an address that cannot be read may be a URL with a password.
  if (found === undefined) throw invalidOptionAs(option, "<unreadable>", addressForm)
  return found
}

/** Checks a namespace. Colons are welcome, except where two namespaces could name one key. */
const checkNamespace = (namespace: string): string => {
  const expected = "1 to 128 characters without spaces, controls or any of {}*?[]\\"
  if (typeof namespace !== "string") throw invalidOption("namespace", namespace, expected)
  // oxlint-disable-next-line no-control-regex
  if (!/^[^\s\u0000-\u001f\u007f-\u009f{}*?[\]\\]{1,128}$/.test(namespace) || /\p{Surrogate}/u.test(namespace)) {
    throw invalidOption("namespace", namespace, expected)
  }
  // `a:t:x` is the marker of tag "x" in namespace "a", so no namespace may start with `a:t`.
  if (namespace.split(":").indexOf("t", 1) !== -1) {
    throw invalidOption(
      "namespace",
      namespace,
      `${expected}; its part "t" is taken by the tags of ${describe(namespace.slice(0, namespace.search(/:t(:|$)/)))}`
    )
  }
  return namespace
}

const given = (options: RedisOptions, names: ReadonlyArray<keyof RedisOptions>) =>
  names.find((name) => options[name] !== undefined)

const sentinelOnly = ["primaryName", "sentinelUsername", "sentinelPassword"] as const

/** Which of the three ways, and that nothing was given that belongs to another. */
const targetOf = (options: RedisOptions, url: UrlParts | undefined): Target => {
  const mode = oneOf("mode", options.mode ?? url?.mode ?? "standalone", ["standalone", "cluster", "sentinel"])
  // A plain URL may be the first node of a cluster; of sentinels and clusters it says itself.
  if (url !== undefined && url.mode !== mode && !(mode === "cluster" && url.mode === "standalone")) {
    throw invalidOption("mode", mode, `"${url.mode}", as the scheme of url says, or no mode at all`)
  }
  const foreign = given(options, [
    ...(mode === "standalone" ? (["nodes", "natMap"] as const) : (["host", "port"] as const)),
    ...(mode === "sentinel" ? [] : sentinelOnly)
  ])
  if (foreign !== undefined) throw invalidOptionAs(foreign, "given", `nothing in mode "${mode}"`)
  if (mode === "standalone") {
    const given = options.host ?? url?.addresses[0].host ?? "localhost"
    const host = typeof given === "string" ? withoutBrackets(given) : ""
    // With a port it would be looked up as a name, and never found.
    if (!isIPv6(host) && !/^[^\s/@:[\]]{1,255}$/.test(host)) {
      throw invalidOptionAs("host", "<unreadable>", "a host name or an address, without a port")
    }
    return {
      mode,
      address: { host, port: wholeNumber("port", options.port ?? url?.addresses[0].port ?? 6379, 1, 65_535) }
    }
  }
  const defaultPort = mode === "sentinel" ? 26_379 : 6379
  if (options.nodes !== undefined && !Array.isArray(options.nodes)) {
    throw invalidOptionAs("nodes", "<unreadable>", 'an array of "host:port"')
  }
  const [first, ...others] = options.nodes?.map((node) => address("nodes", node, defaultPort)) ?? url?.addresses ?? []
  if (first === undefined) throw invalidOptionAs("nodes", "nothing", 'at least one "host:port", here or in url')
  if (mode === "cluster") return { mode, seeds: [first, ...others] }
  const primaryName = text("primaryName", options.primaryName) ?? url?.primaryName
  if (primaryName === undefined || primaryName === "") {
    throw invalidOptionAs("primaryName", "nothing", "what the sentinels call the primary, here or in url")
  }
  return {
    mode,
    sentinels: [first, ...others],
    primaryName,
    username: text("sentinelUsername", options.sentinelUsername),
    password: hidden("sentinelPassword", options.sentinelPassword)
  }
}

const names: Names<RedisOptions> = {
  mode: 0,
  url: 0,
  host: 0,
  port: 0,
  nodes: 0,
  primaryName: 0,
  sentinelUsername: 0,
  sentinelPassword: 0,
  natMap: 0,
  username: 0,
  password: 0,
  db: 0,
  tls: 0,
  client: 0,
  durability: 0,
  namespace: 0,
  timeout: 0,
  connectTimeout: 0,
  pingInterval: 0,
  compressionThreshold: 0,
  isolation: 0,
  name: 0
}

const durabilityNames: Names<Durability> = { replicas: 0, timeout: 0 }

const resolveUnsafe = (options: RedisOptions): ResolvedOptions => {
  knownOptions(options, names)
  if (options.client !== undefined) {
    const both = given(options, [
      ...(["mode", "url", "host", "port", "nodes", "natMap", "username", "password", "db", "tls", "name"] as const),
      "connectTimeout",
      ...sentinelOnly
    ])
    if (both !== undefined) throw invalidOptionAs(both, "given beside client", "one of the two: client brings its own")
    if ("isCluster" in options.client && (options.client as { readonly isCluster: unknown }).isCluster === true) {
      throw invalidOptionAs("client", "a Cluster", 'a Redis; for a cluster use mode "cluster" and nodes')
    }
  }
  const link = secret("url", options.url)
  const url = link === undefined ? undefined : parseUrl(link)
  if (typeof url === "string") throw invalidOptionAs("url", "<redacted>", url)
  const target = targetOf(options, url)
  const secure = options.tls ?? url?.secure ?? false
  const name = options.name ?? "effect-cache"
  if (typeof name !== "string" || !/^[!-~]{1,64}$/.test(name))
    throw invalidOption("name", name, "1 to 64 printable characters, no spaces")
  const threshold = options.compressionThreshold ?? 8192
  const isolation = oneOf("isolation", options.isolation ?? "reference", ["reference", "clone"])
  const db = wholeNumber("db", options.db ?? url?.db ?? 0, 0, 1_000_000)
  if (target.mode === "cluster" && db !== 0) throw invalidOption("db", db, "0, the only one of a cluster")
  // Node sends the server's name only when told, and servers behind one address need it. Nodes get theirs when known.
  const servername =
    target.mode === "standalone" && isIP(target.address.host) === 0 ? { servername: target.address.host } : {}
  const { durability } = options
  if (durability !== undefined) knownOptions(durability, durabilityNames, "durability")
  return {
    target,
    natMap: new Map(
      Object.entries(options.natMap ?? {}).map(([from, to]) => {
        const { host, port } = address("natMap", from, 6379)
        return [`${host}:${port}`, address("natMap", to, 6379)]
      })
    ),
    username: text("username", options.username) ?? url?.username,
    password: hidden("password", options.password ?? url?.password),
    db,
    tls: secure === false ? undefined : { ...servername, ...(secure === true ? {} : secure) },
    client: options.client,
    durability:
      durability === undefined
        ? undefined
        : {
            replicas: wholeNumber("durability.replicas", durability.replicas, 1, 100),
            timeoutMillis: millis("durability.timeout", durability.timeout ?? 1000)
          },
    namespace: checkNamespace(options.namespace ?? "ec"),
    timeoutMillis: millis("timeout", options.timeout ?? 1000),
    connectTimeoutMillis: millis("connectTimeout", options.connectTimeout ?? 5000),
    pingMillis:
      options.pingInterval === undefined
        ? undefined
        : millisBetween("pingInterval", options.pingInterval, minPingMillis, maxPingMillis),
    compressionThreshold: threshold === false ? false : wholeNumber("compressionThreshold", threshold, 0),
    isolation,
    name
  }
}

/** Checks the options. Fails with `InvalidOption`; what it shows never holds a URL or a password. */
export const resolve = (options: RedisOptions): Effect.Effect<ResolvedOptions, CacheError> =>
  checked(() => resolveUnsafe(options))
