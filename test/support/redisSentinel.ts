/**
 * A real primary with replicas and three Sentinels for tests, on free ports, gone when the scope closes.
 */
import assert from "node:assert/strict"
import { Effect, type Scope } from "effect"
import { attempt, RedisServer, type RedisServerError, type RunningRedis } from "./redisServer.ts"
import {
  eventually,
  loginOf,
  roleOf,
  session,
  startServer,
  type TopologyOptions,
  type TopologyServer
} from "./topology.ts"

export interface RedisSentinelOptions extends TopologyOptions {
  /** Default 2. */
  readonly replicas?: number | undefined
  /** How long a server may be silent before a Sentinel thinks it dead. Default 1000; with less, a busy machine has false alarms. */
  readonly downAfterMillis?: number | undefined
}

export type SentinelServer = TopologyServer

export interface RunningSentinel {
  /** `redis+sentinel://127.0.0.1:s1,127.0.0.1:s2,127.0.0.1:s3/main` */
  readonly url: string
  readonly primaryName: "main"
  /** Three. They ask for no password and stand behind no proxy. */
  readonly sentinels: ReadonlyArray<RunningRedis>
  /** The first was the primary when it all began. */
  readonly servers: ReadonlyArray<SentinelServer>
  /** The primary, as the majority of the Sentinels say. */
  readonly primary: Effect.Effect<SentinelServer, RedisServerError>
  /** Kills the primary and waits until most Sentinels name another, and that one says it is the primary. */
  readonly failover: Effect.Effect<
    { readonly killed: SentinelServer; readonly promoted: SentinelServer; readonly millis: number },
    RedisServerError
  >
  /** Starts a killed server again and waits until it follows the primary, linked, and the Sentinels count on it. */
  readonly revive: (server: SentinelServer) => Effect.Effect<void, RedisServerError>
  /** Waits until all Sentinels that run agree, see no failure, and every replica that runs is linked. */
  readonly healthy: Effect.Effect<void, RedisServerError>
}

const primaryName = "main"
const sentinelCount = 3

// Sentinels try to reconnect every second, so after a failover they could think the new primary dead as well and fail
// over again. They look at servers every ten seconds, at each other every two, wait for four of the latter before they
// tell a server that came back whom to follow, and sit still for thirty when their clock jumps, as on a busy machine.
// A test need not wait so long. Who is elected, and how, stays the same. (They promote a replica only if they heard of it
// within five PING-PERIODs, and a replica without a primary is asked once a second: 400 is not far from too short.)
const periods = Object.entries({
  "PING-PERIOD": 400,
  "INFO-PERIOD": 500,
  "PUBLISH-PERIOD": 250,
  "ASK-PERIOD": 200,
  "TILT-PERIOD": 2000,
  // A connection that is young and silent is given up for another, too, and its server is not thought dead for that.
  "MIN-LINK-RECONNECT-PERIOD": 500
}).flat()

const startSentinel = (config: ReadonlyArray<string>): Effect.Effect<RunningRedis, RedisServerError, Scope.Scope> =>
  Effect.gen(function*() {
    const sentinel = yield* RedisServer.scoped({ sentinel: config })
    const hasten = attempt(() => session(sentinel, undefined, (redis) => redis.call("SENTINEL", "DEBUG", ...periods)))
    yield* hasten
    // The periods are not kept in its file.
    return { ...sentinel, start: Effect.asVoid(Effect.andThen(sentinel.start, hasten)) }
  })

/** What a Sentinel says of a server. */
type Report = Readonly<Record<string, string>>

const report = (fields: unknown): Report => {
  const flat = fields as ReadonlyArray<string>
  return Object.fromEntries(flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? ""]] : [])))
}

const isRunning = (server: RunningRedis): boolean => server.pid() !== undefined

const makeSentinel = (
  servers: ReadonlyArray<SentinelServer>,
  sentinels: ReadonlyArray<RunningRedis>,
  options: RedisSentinelOptions
): RunningSentinel => {
  const login = loginOf(options)
  const call = (sentinel: RunningRedis, ...args: ReadonlyArray<string>) =>
    session(sentinel, undefined, (redis) => redis.call("SENTINEL", ...args))

  const named = async (): Promise<SentinelServer> => {
    const asked = sentinels.filter(isRunning).map((sentinel) => call(sentinel, "GET-MASTER-ADDR-BY-NAME", primaryName))
    const ports = (await Promise.allSettled(asked)).map((answer) =>
      answer.status === "fulfilled" ? Number((answer.value as ReadonlyArray<string>)[1]) : undefined
    )
    const most = servers.find(
      ({ clientPort }) => ports.filter((port) => port === clientPort).length * 2 > sentinelCount
    )
    assert.ok(most, `they say ${ports}`)
    return most
  }
  const primary = eventually("most Sentinels to name one primary", named)

  const mustFollow = async (server: SentinelServer, leader: SentinelServer) => {
    const role = await roleOf(server, login)
    const linked = role.role === "replica" && role.primaryPort === leader.clientPort && role.state === "connected"
    assert.ok(linked, `${server.port}: ${JSON.stringify(role)}`)
  }

  /** A Sentinel could promote the server if it had to. */
  const mustCountOn = async (sentinel: RunningRedis, server: SentinelServer, leader: SentinelServer) => {
    const reports = ((await call(sentinel, "REPLICAS", primaryName)) as ReadonlyArray<unknown>).map(report)
    const found = reports.find(({ port }) => port === String(server.clientPort))
    const ready =
      found?.["flags"] === "slave" &&
      found["master-link-status"] === "ok" &&
      found["master-port"] === String(leader.clientPort)
    assert.ok(ready, `${sentinel.port} of ${server.port}: ${JSON.stringify(found)}`)
  }

  const failover = Effect.gen(function*() {
    const killed = yield* primary
    const start = performance.now()
    yield* killed.stop
    const promoted = yield* eventually(`another primary than ${killed.port}`, async () => {
      const now = await named()
      assert.notEqual(now.port, killed.port, "it is still named")
      assert.equal((await roleOf(now, login)).role, "primary", `${now.port} is not promoted yet`)
      return now
    })
    return { killed, promoted, millis: performance.now() - start }
  })

  const revive = (server: SentinelServer) =>
    Effect.andThen(
      server.start,
      eventually(`${server.port} to follow the primary`, async () => {
        const leader = await named()
        await mustFollow(server, leader)
        for (const sentinel of sentinels.filter(isRunning)) await mustCountOn(sentinel, server, leader)
      })
    )

  const healthy = eventually("healthy Sentinels and servers", async () => {
    const leader = await named()
    assert.equal((await roleOf(leader, login)).role, "primary", `${leader.port} is named, and is none`)
    const replicas = servers.filter((server) => isRunning(server) && server.port !== leader.port)
    for (const replica of replicas) await mustFollow(replica, leader)
    for (const sentinel of sentinels.filter(isRunning)) {
      const seen = report(await call(sentinel, "MASTER", primaryName))
      const well =
        seen["port"] === String(leader.clientPort) &&
        seen["flags"] === "master" &&
        seen["num-other-sentinels"] === String(sentinelCount - 1)
      assert.ok(well, `${sentinel.port} of the primary: ${JSON.stringify(seen)}`)
      for (const replica of replicas) await mustCountOn(sentinel, replica, leader)
    }
  })

  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",")}/${primaryName}`,
    primaryName,
    sentinels,
    servers,
    primary,
    failover,
    revive,
    healthy
  }
}

const scoped = (options: RedisSentinelOptions = {}): Effect.Effect<RunningSentinel, RedisServerError, Scope.Scope> =>
  Effect.gen(function*() {
    const login = loginOf(options)
    const { replicas = 2, downAfterMillis = 1000 } = options
    const [first, ...others] = yield* Effect.forEach(
      Array.from({ length: 1 + replicas }),
      () => startServer("replica", options, []),
      { concurrency: "unbounded" }
    )
    const port = String(first!.clientPort)
    yield* Effect.forEach(others, (server) =>
      attempt(() => session(server, login, (redis) => redis.call("REPLICAOF", "127.0.0.1", port)))
    )
    const config = [
      `monitor ${primaryName} 127.0.0.1 ${port} ${Math.ceil(sentinelCount / 2)}`,
      `down-after-milliseconds ${primaryName} ${downAfterMillis}`,
      // Also how soon an election that nobody won is repeated: after twice as long.
      `failover-timeout ${primaryName} 2000`,
      `parallel-syncs ${primaryName} ${Math.max(replicas, 1)}`,
      ...(login === undefined
        ? []
        : [`auth-user ${primaryName} ${login.username}`, `auth-pass ${primaryName} ${login.password}`])
    ].map((line) => `sentinel ${line}`)
    const sentinels = yield* Effect.forEach(Array.from({ length: sentinelCount }), () => startSentinel(config), {
      concurrency: "unbounded"
    })
    const running = makeSentinel([first!, ...others], sentinels, options)
    yield* running.healthy
    return running
  })

export const RedisSentinel = { scoped }
