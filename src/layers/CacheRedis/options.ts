/**
 * The options of the Redis layer, checked before anything is opened.
 */
import { isIP } from "node:net"
import type { ConnectionOptions } from "node:tls"
import { Duration, Effect, Option, Redacted } from "effect"
import type { Redis } from "ioredis"
import { CacheError, InvalidOption } from "../../CacheError.ts"

/** How to reach Redis, and how to use it. Redis 7.0 and newer. */
export interface RedisOptions {
  /**
   * `redis://user:password@host:port/db`, or `rediss://` for TLS. The single fields below win over its parts.
   * Default: `redis://localhost:6379/0`.
   */
  readonly url?: string | Redacted.Redacted | undefined
  readonly host?: string | undefined
  /** 1 to 65535. */
  readonly port?: number | undefined
  /** The ACL user. */
  readonly username?: string | undefined
  readonly password?: string | Redacted.Redacted | undefined
  /** The number of the database, 0 or more. */
  readonly db?: number | undefined
  /** TLS: `true` for the system's certificates, or options of `node:tls`. */
  readonly tls?: boolean | ConnectionOptions | undefined
  /**
   * Your own client, instead of the fields above. It is used as it is and left open at the end; its `keyPrefix` is
   * ignored (use `namespace`). Waiting for a release opens one more connection, a duplicate of it.
   */
  readonly client?: Redis | undefined
  /**
   * What every key in Redis starts with: 1 to 128 characters without spaces, controls and `{}*?[]\`. The part `t` is
   * allowed only as the first of its `:`-separated parts, because `a:t` would be inside the tags of `a`.
   * Default: `"ec"`.
   */
  readonly namespace?: string | undefined
  /** The longest a command may take, at least 1 ms and at most an hour. Default: 1 second. */
  readonly timeout?: Duration.Input | undefined
  /** The longest an attempt to connect may take, at least 1 ms and at most an hour. Default: 5 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** Payloads of at least so many bytes are compressed; `false` for none. Default: 1024. */
  readonly compressionThreshold?: number | false | undefined
  /** The name of the connection in `CLIENT LIST`: printable characters, no spaces. Default: `"effect-cache"`. */
  readonly name?: string | undefined
}

/** The options with defaults in place. */
export interface ResolvedOptions {
  readonly host: string
  readonly port: number
  readonly username: string | undefined
  readonly password: Redacted.Redacted | undefined
  readonly db: number
  readonly tls: ConnectionOptions | undefined
  readonly client: Redis | undefined
  readonly namespace: string
  readonly timeoutMillis: number
  readonly connectTimeoutMillis: number
  readonly compressionThreshold: number | false
  readonly name: string
}

// Thrown and caught in this module only, so that checks can stay expressions.
class Refused extends Error {
  readonly reason: InvalidOption
  constructor(option: string, actual: string, expected: string) {
    super()
    this.reason = new InvalidOption({ option, actual, expected })
  }
}

const show = (value: unknown): string =>
  (typeof value === "string" ? JSON.stringify(value) : String(value)).slice(0, 200)

const integer = (option: string, value: number, min: number, max: number): number => {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new Refused(option, show(value), `a whole number from ${min} to ${max}`)
  }
  return value
}

const hour = 3_600_000

const millis = (option: string, input: Duration.Input): number => {
  const expected = "a duration from 1 millisecond to 1 hour"
  const duration = Option.getOrUndefined(Duration.fromInput(input))
  if (duration === undefined) throw new Refused(option, show(input), expected)
  const value = Duration.toMillis(duration)
  if (!(value >= 1 && value <= hour)) throw new Refused(option, `${value} milliseconds`, expected)
  return Math.ceil(value)
}

const reveal = (value: string | Redacted.Redacted): string =>
  typeof value === "string" ? value : Redacted.value(value)

interface UrlParts {
  readonly host?: string
  readonly port?: number
  readonly username?: string
  readonly password?: string
  readonly db?: number
  readonly secure?: boolean
}

const parseUrl = (input: string | Redacted.Redacted): UrlParts => {
  // What was given is never shown: it may hold a password, also where a password does not belong.
  const refused = (expected: string) => new Refused("url", "<redacted>", expected)
  const form = "redis://[user[:password]@]host[:port][/db], or rediss:// for TLS"
  let url: URL
  try {
    url = new URL(reveal(input))
  } catch {
    throw refused(form)
  }
  if (url.protocol !== "redis:" && url.protocol !== "rediss:") throw refused(form)
  if (url.hostname === "") throw refused(`${form}; the host is missing`)
  const path = url.pathname.replace(/^\//, "")
  if (!/^\d{0,6}$/.test(path)) throw refused(`${form}; db is not a number`)
  if (url.search !== "" || url.hash !== "") throw refused(`${form}, without a query; use the options instead`)
  let username: string
  let password: string
  try {
    username = decodeURIComponent(url.username)
    password = decodeURIComponent(url.password)
  } catch {
    throw refused(`${form}; user and password must be percent-encoded`)
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    secure: url.protocol === "rediss:",
    ...(url.port === "" ? {} : { port: Number(url.port) }),
    ...(username === "" ? {} : { username }),
    ...(password === "" ? {} : { password }),
    ...(path === "" ? {} : { db: Number(path) })
  }
}

/** Checks a namespace. Colons are welcome, except where two namespaces could name one key. */
const checkNamespace = (namespace: string): string => {
  const expected = "1 to 128 characters without spaces, controls or any of {}*?[]\\"
  // oxlint-disable-next-line no-control-regex
  if (!/^[^\s\u0000-\u001f\u007f-\u009f{}*?[\]\\]{1,128}$/.test(namespace) || /\p{Surrogate}/u.test(namespace)) {
    throw new Refused("namespace", show(namespace), expected)
  }
  // `a:t:x` is the marker of tag "x" in namespace "a", so no namespace may start with `a:t`.
  if (namespace.split(":").indexOf("t", 1) !== -1) {
    throw new Refused(
      "namespace",
      show(namespace),
      `${expected}; its part "t" is taken by the tags of ${show(namespace.slice(0, namespace.search(/:t(:|$)/)))}`
    )
  }
  return namespace
}

const resolveUnsafe = (options: RedisOptions): ResolvedOptions => {
  if (options.client !== undefined) {
    const both = (["url", "host", "port", "username", "password", "db", "tls", "name", "connectTimeout"] as const).find(
      (name) => options[name] !== undefined
    )
    if (both !== undefined) throw new Refused(both, "given beside client", "one of the two: client brings its own")
  }
  const url = options.url === undefined ? {} : parseUrl(options.url)
  const host = options.host ?? url.host ?? "localhost"
  if (typeof host !== "string" || !/^[^\s/@]{1,255}$/.test(host)) {
    throw new Refused("host", "<unreadable>", "a host name or an address")
  }
  const password = options.password ?? url.password
  const secure = options.tls ?? url.secure ?? false
  const name = options.name ?? "effect-cache"
  if (!/^[!-~]{1,64}$/.test(name)) throw new Refused("name", show(name), "1 to 64 printable characters, no spaces")
  const threshold = options.compressionThreshold ?? 1024
  return {
    host,
    port: integer("port", options.port ?? url.port ?? 6379, 1, 65_535),
    username: options.username ?? url.username,
    password: password === undefined ? undefined : Redacted.make(reveal(password)),
    db: integer("db", options.db ?? url.db ?? 0, 0, 1_000_000),
    // Node sends the server's name only when told, and servers behind one address need it.
    tls:
      secure === false
        ? undefined
        : { ...(isIP(host) === 0 ? { servername: host } : {}), ...(secure === true ? {} : secure) },
    client: options.client,
    namespace: checkNamespace(options.namespace ?? "ec"),
    timeoutMillis: millis("timeout", options.timeout ?? 1000),
    connectTimeoutMillis: millis("connectTimeout", options.connectTimeout ?? 5000),
    compressionThreshold:
      threshold === false ? false : integer("compressionThreshold", threshold, 0, Number.MAX_SAFE_INTEGER),
    name
  }
}

/** Checks the options. Fails with `InvalidOption`; what it shows never holds a URL or a password. */
export const resolve = (options: RedisOptions): Effect.Effect<ResolvedOptions, CacheError> =>
  Effect.try({
    try: () => resolveUnsafe(options),
    catch: (error) => error
  }).pipe(
    Effect.catch((error) =>
      error instanceof Refused ? Effect.fail(new CacheError({ reason: error.reason })) : Effect.die(error)
    )
  )
