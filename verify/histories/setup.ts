/**
 * The servers of a run: one Redis, a cluster, or a primary with a replica behind Sentinels; always behind proxies.
 */
import { Effect, type Scope } from "effect"
import type { Redis } from "ioredis"
import { cacheCommands, cacheRules, cacheUser } from "../../test/support/acl.ts"
import { TcpProxy } from "../../test/support/proxy.ts"
import { RedisCluster } from "../../test/support/redisCluster.ts"
import { RedisSentinel } from "../../test/support/redisSentinel.ts"
import { attempt, RedisServer, type RedisServerError, type RunningRedis } from "../../test/support/redisServer.ts"
import { session } from "../../test/support/topology.ts"
import type { Kept } from "./checker.ts"
import { keys, redisNames, tags } from "./world.ts"
import { calculateSlot } from "../../src/stores/redis/nodes/slot.ts"

export const topologies = ["standalone", "cluster", "sentinel"] as const
export type Topology = (typeof topologies)[number]

/** A failover that is about to be made. */
export interface Failover {
  readonly detail: string
  readonly kept: Kept
  /** Kills the primary, and waits until another is in its place. */
  /** Gives how long ago the primary was killed, in milliseconds. */
  readonly run: Effect.Effect<number, RedisServerError>
  /** Brings the killed server back as a replica, in sync. */
  readonly revive: Effect.Effect<void, RedisServerError>
}

/** What makes a server refuse its clients their database. */
export interface Access {
  readonly server: RunningRedis
  /** Where somebody works who is in database 0 and may do everything. */
  readonly elsewhere: string
  /** Whether the clients may choose a database. */
  readonly allowSelect: (on: boolean) => Effect.Effect<void, RedisServerError>
  /** How often it was refused so far. */
  readonly refusals: Effect.Effect<number, RedisServerError>
}

export interface Setup {
  readonly url: string
  /** The database that the clients work in. */
  readonly db: number
  /** `undefined` where there is only one database. */
  readonly access: Access | undefined
  readonly proxies: ReadonlyArray<TcpProxy>
  readonly primaries: Effect.Effect<ReadonlyArray<RunningRedis>, RedisServerError>
  /** `undefined` where there is nothing to fail over to. */
  readonly planFailover:
    | ((pick: <A>(list: ReadonlyArray<A>) => A) => Effect.Effect<Failover, RedisServerError>)
    | undefined
  /** Moves some slots, among them those of keys that are in use. */
  readonly reshard: ((pick: <A>(list: ReadonlyArray<A>) => A) => Effect.Effect<void, RedisServerError>) | undefined
  /** Waits until everything that runs is in order. */
  readonly healthy: Effect.Effect<void, RedisServerError>
}

/** Silence for which a server is held dead: longer than a busy machine keeps one from answering. */
const deadMillis = 2500

/** Something to do on a server, by somebody who may do everything, in the database of the clients. */
export const operate = <A>(
  server: RunningRedis,
  db: number,
  use: (redis: Redis) => Promise<A>
): Effect.Effect<A, RedisServerError> =>
  attempt(() =>
    session(server, undefined, async (redis) => {
      if (db !== 0) await redis.select(db)
      return await use(redis)
    })
  )

const databaseNumber = 5

const standalone = (namespace: string) =>
  Effect.gen(function*() {
    // What the cache needs, and DEL for the control.
    const rules = cacheRules(namespace, [...cacheCommands, "del"])
    const server = yield* RedisServer.scoped({
      acl: ["user default on nopass ~* &* +@all", `user ${cacheUser.username} ${rules.join(" ")}`]
    })
    const proxy = yield* TcpProxy.scoped({ port: server.port })
    const operated = <A>(use: (redis: Redis) => Promise<A>) => operate(server, 0, use)
    return {
      url: `redis://${cacheUser.username}:${cacheUser.password}@127.0.0.1:${proxy.port}/${databaseNumber}`,
      db: databaseNumber,
      access: {
        server,
        elsewhere: `redis://127.0.0.1:${server.port}`,
        allowSelect: (on) =>
          Effect.asVoid(
            operated((redis) => redis.call("ACL", "SETUSER", cacheUser.username, on ? "+select" : "-select"))
          ),
        refusals: operated(async (redis) => {
          const stats = await redis.info("commandstats")
          return Number(/^cmdstat_select:.*rejected_calls=(\d+)/m.exec(stats)?.[1] ?? 0)
        })
      },
      proxies: [proxy],
      primaries: Effect.succeed([server]),
      planFailover: undefined,
      reshard: undefined,
      healthy: Effect.void
    } satisfies Setup
  })

const proxiesOf = (servers: ReadonlyArray<{ readonly proxy: TcpProxy | undefined }>): ReadonlyArray<TcpProxy> =>
  servers.flatMap(({ proxy }) => (proxy === undefined ? [] : [proxy]))

const cluster = (namespace: string) =>
  Effect.gen(function*() {
    const cluster = yield* RedisCluster.scoped({ proxied: true, nodeTimeoutMillis: deadMillis })
    const names = redisNames(namespace)
    return {
      url: cluster.url,
      db: 0,
      access: undefined,
      proxies: proxiesOf(cluster.nodes),
      primaries: cluster.primaries,
      planFailover: (pick) =>
        Effect.gen(function*() {
          yield* cluster.healthy
          const node = pick(yield* cluster.primaries)
          const isKept = (name: string) => Effect.map(cluster.primaryOf(name), ({ id }) => id === node.id)
          const kept: Kept = {
            keys: yield* Effect.filter(keys, (key) => isKept(names.entry(key))),
            tags: yield* Effect.filter(tags, (tag) => isKept(names.marker(tag))),
            epoch: yield* isKept(names.epoch)
          }
          return {
            detail: `of ${node.port}`,
            kept,
            run: Effect.map(cluster.failover(node), ({ millis }) => millis),
            revive: cluster.revive(node)
          }
        }),
      reshard: (pick) =>
        Effect.gen(function*() {
          const used = [...keys.map(names.entry), ...tags.map(names.marker), names.epoch]
          const slots = Array.from({ length: 4 }, () => calculateSlot(pick(used)))
          yield* cluster.reshard({ to: pick(yield* cluster.primaries), slots, pauseMillis: 10 })
        }),
      healthy: cluster.healthy
    } satisfies Setup
  })

const sentinel = Effect.gen(function*() {
  const sentinel = yield* RedisSentinel.scoped({ proxied: true, replicas: 1, downAfterMillis: deadMillis })
  return {
    url: sentinel.url,
    db: 0,
    access: undefined,
    proxies: proxiesOf(sentinel.servers),
    primaries: Effect.map(sentinel.primary, (primary) => [primary]),
    planFailover: () =>
      Effect.gen(function*() {
        yield* sentinel.healthy
        const primary = yield* sentinel.primary
        return {
          detail: `of ${primary.port}`,
          kept: { keys, tags, epoch: true },
          run: Effect.map(sentinel.failover, ({ millis }) => millis),
          revive: sentinel.revive(primary)
        }
      }),
    reshard: undefined,
    healthy: sentinel.healthy
  } satisfies Setup
})

export const makeSetup = (
  topology: Topology,
  namespace: string
): Effect.Effect<Setup, RedisServerError, Scope.Scope> =>
  topology === "cluster" ? cluster(namespace) : topology === "sentinel" ? sentinel : standalone(namespace)
