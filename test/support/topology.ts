/**
 * What a cluster and a Sentinel set-up share: servers behind proxies, an operator's connections, and waiting.
 */
import { Effect, type Scope } from "effect"
import { Redis } from "ioredis"
import { TcpProxy } from "./proxy.ts"
import { delay } from "./programs.ts"
import { attempt, RedisServer, type RedisServerError, type RunningRedis } from "./redisServer.ts"

export interface TopologyOptions {
  /** Further arguments of every server. */
  readonly args?: ReadonlyArray<string> | undefined
  /** Lines of every server's ACL file, beside the administrator's own; by default `user default off`, given a password. */
  readonly acl?: ReadonlyArray<string> | undefined
  /** The administrator: replication and the set-up itself log in so, if there is an `acl` or a `password`. Default `admin`. */
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Puts a proxy before each server, which announces the proxy's port as its own. */
  readonly proxied?: boolean | undefined
}

/** A server of a set-up. Its `port` is its own; clients use `clientPort`. */
export interface TopologyServer extends RunningRedis {
  readonly proxy: TcpProxy | undefined
  /** The port that it announces: the proxy's, or its own. */
  readonly clientPort: number
}

export interface Login {
  readonly username: string
  readonly password: string
}

/** Who the administrator is; nobody where everybody may do everything. */
export const loginOf = (options: TopologyOptions): Login | undefined =>
  options.acl === undefined && options.password === undefined
    ? undefined
    : { username: options.username ?? "admin", password: options.password ?? "admin-secret" }

/** Starts one server. `kind` is how it announces itself. */
export const startServer = (
  kind: "cluster" | "replica",
  options: TopologyOptions,
  args: ReadonlyArray<string>
): Effect.Effect<TopologyServer, RedisServerError, Scope.Scope> =>
  Effect.gen(function*() {
    const login = loginOf(options)
    const announcePort = `${kind}-announce-port`
    let announced = [`--${kind}-announce-ip`, "127.0.0.1"]
    const server = yield* RedisServer.scoped({
      cluster: kind === "cluster",
      acl: login && [
        `user ${login.username} on >${login.password} ~* &* +@all`,
        ...(options.acl ?? ["user default off"])
      ],
      args: () => [
        ...["--repl-diskless-sync-delay", "0"],
        ...(login === undefined ? [] : ["--masteruser", login.username, "--masterauth", login.password]),
        ...args,
        ...announced,
        ...(options.args ?? [])
      ]
    })
    if (options.proxied !== true) return { ...server, proxy: undefined, clientPort: server.port }
    const proxy = yield* TcpProxy.scoped({ port: server.port })
    // The proxy needs the server's port, so the server is told when it runs; and again at every start.
    announced = [...announced, `--${announcePort}`, String(proxy.port)]
    yield* attempt(() => session(server, login, (redis) => redis.config("SET", announcePort, proxy.port)))
    return { ...server, proxy, clientPort: proxy.port }
  })

const connect = async ({ host, port }: RunningRedis, login: Login | undefined): Promise<Redis> => {
  const redis = new Redis({
    ...login,
    ...{ host, port, lazyConnect: true, protocol: 2, disableClientInfo: true, enableReadyCheck: false },
    ...{ connectTimeout: 2000, commandTimeout: 5000, retryStrategy: () => null }
  })
  redis.on("error", () => {})
  await redis.connect()
  return redis
}

/** A connection to a server itself, past its proxy, for one use. */
export const session = async <A>(
  server: RunningRedis,
  login: Login | undefined,
  use: (redis: Redis) => Promise<A>
): Promise<A> => {
  const redis = await connect(server, login)
  try {
    return await use(redis)
  } finally {
    redis.disconnect()
  }
}

export type Connect = (server: RunningRedis) => Promise<Redis>

/** Connections to many servers, one to each, made when asked for and kept until the scope closes. */
export const connections = (login: Login | undefined): Effect.Effect<Connect, never, Scope.Scope> =>
  Effect.gen(function*() {
    const opened = yield* Effect.acquireRelease(
      Effect.sync(() => new Map<number, Redis>()),
      (opened) => Effect.sync(() => opened.forEach((redis) => void redis.disconnect()))
    )
    return async (server) => {
      const redis = opened.get(server.port) ?? (await connect(server, login))
      opened.set(server.port, redis)
      return redis
    }
  })

/** What a server says that it is. */
export type Role =
  | { readonly role: "primary" }
  | { readonly role: "replica"; readonly primaryPort: number; readonly state: string }

export const roleOf = async (server: RunningRedis, login: Login | undefined): Promise<Role> => {
  const [role, , primaryPort, state] = (await session(server, login, (redis) => redis.role())) as Array<unknown>
  return role === "slave"
    ? { role: "replica", primaryPort: Number(primaryPort), state: String(state) }
    : { role: "primary" }
}

const patience = 20_000

/** Looks again until `look` does not throw. The error says what was waited for, and what the last look saw. */
export const eventually = <A>(what: string, look: () => Promise<A>): Effect.Effect<A, RedisServerError> =>
  attempt(async (signal) => {
    const end = performance.now() + patience
    for (;;) {
      try {
        return await look()
      } catch (cause) {
        const seen = cause instanceof Error ? cause.message : String(cause)
        if (signal.aborted || performance.now() > end) {
          throw new Error(`Waited ${patience / 1000} seconds for ${what}; what was seen last: ${seen}`)
        }
      }
      await delay(25)
    }
  })
