import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { Cluster, Redis } from "ioredis"
import { RedisCluster, type RunningCluster } from "../../test/support/redisCluster.ts"
import { RedisSentinel } from "../../test/support/redisSentinel.ts"
import { type Login, roleOf, session } from "../../test/support/topology.ts"

const limit = 30_000
const login: Login = { username: "operator", password: "hush" }
const acl = ["user default off", "user reader on >secret ~* &* -@all +ping"]

const ports = (servers: ReadonlyArray<{ readonly port: number }>) => servers.map(({ port }) => port).sort()

const clusterClient = (url: string, redisOptions: Partial<Login> = {}): Effect.Effect<Cluster, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const client = new Cluster(
        url
          .slice("redis+cluster://".length)
          .split(",")
          .map((node) => `redis://${node}`),
        {
          redisOptions
        }
      )
      client.on("error", () => {})
      return client
    }),
    (client) => Effect.sync(() => client.disconnect())
  )

const names = Array.from({ length: 200 }, (_, index) => `key ${index} \u00e9`)
const fill = (client: Cluster) => Effect.promise(() => Promise.all(names.map((name) => client.set(name, name))))
const readAll = (client: Cluster) => Effect.promise(() => Promise.all(names.map((name) => client.get(name))))

const slotsOf = (cluster: RunningCluster, login?: Login) =>
  Effect.promise(async () => {
    type Address = [ip: string, port: number, id: string]
    const reply = await session(cluster.nodes[0]!, login, (redis) => redis.call("CLUSTER", "SLOTS"))
    return (reply as Array<[number, number, ...Array<Address>]>).map(([first, last, ...servers]) => {
      const [port, ...replicas] = servers.map(([, port]) => port)
      return { port: port!, replicas, size: last - first + 1 }
    })
  })
const sizeOf = (slots: ReadonlyArray<{ readonly port: number; readonly size: number }>, port: number) =>
  slots.filter((range) => range.port === port).reduce((sum, { size }) => sum + size, 0)

describe("RedisCluster", () => {
  it.live(
    "serves, moves slots with their keys, keeps a migration open, and fails over",
    () =>
      Effect.gen(function*() {
        const cluster = yield* RedisCluster.scoped()
        const primaries = yield* cluster.primaries
        assert.deepStrictEqual(ports(primaries), ports(cluster.nodes.slice(0, 3)))
        const followers = yield* Effect.forEach(primaries, cluster.replicasOf)
        assert.deepStrictEqual(ports(followers.flat()), ports(cluster.nodes.slice(3)))
        const client = yield* clusterClient(cluster.url)
        yield* fill(client)

        const [from, to] = primaries as [(typeof primaries)[0], (typeof primaries)[0]]
        const before = yield* slotsOf(cluster)
        yield* cluster.reshard({ from, to, slots: 100 })
        const after = yield* slotsOf(cluster)
        assert.strictEqual(sizeOf(after, from.port), sizeOf(before, from.port) - 100)
        assert.strictEqual(sizeOf(after, to.port), sizeOf(before, to.port) + 100)
        assert.deepStrictEqual(yield* readAll(client), names)

        // Slot 12739 is that of "123456789", as the specification says (0x31C3 of the CRC).
        const key = "123456789"
        yield* Effect.promise(() => client.set(key, "here"))
        const source = yield* cluster.primaryOf(key)
        assert.isTrue(yield* Effect.map(source.raw("GET", key), (reply) => reply.includes("here")))
        const finish = yield* cluster.openMigration(12_739, to.port === source.port ? from : to)
        assert.strictEqual((yield* cluster.primaryOf(key)).port, source.port)
        assert.match(yield* source.raw("GET", key), /here/)
        assert.match(yield* source.raw("GET", `{${key}} absent`), /^-ASK 12739 /)
        yield* finish
        const target = yield* cluster.primaryOf(key)
        assert.notStrictEqual(target.port, source.port)
        assert.match(yield* target.raw("GET", key), /here/)
        assert.match(yield* source.raw("GET", key), /^-MOVED 12739 /)
        yield* cluster.reshard({ slots: [12_739], to: source })
        assert.strictEqual((yield* cluster.primaryOf(key)).port, source.port)

        // Replication is asynchronous: what is to outlive the primary must have reached the replica.
        const reached = yield* Effect.promise(() =>
          session(source, undefined, async (redis) => {
            await redis.set(key, "there")
            return redis.wait(1, 5000)
          })
        )
        assert.strictEqual(reached, 1)
        const [replica] = yield* cluster.replicasOf(source)
        const { promoted, millis } = yield* cluster.failover(source)
        assert.strictEqual(promoted.port, replica?.port)
        assert.isAbove(millis, 0)
        assert.isUndefined(source.pid())
        yield* cluster.healthy
        assert.strictEqual((yield* cluster.primaryOf(key)).port, promoted.port)
        assert.match(yield* promoted.raw("GET", key), /there/)
        assert.deepStrictEqual(yield* readAll(client), names)
        yield* cluster.revive(source)
        yield* cluster.healthy
        assert.deepStrictEqual(ports(yield* cluster.replicasOf(promoted)), [source.port])
      }),
    limit
  )

  it.live(
    "does so behind proxies and with an ACL",
    () =>
      Effect.gen(function*() {
        const cluster = yield* RedisCluster.scoped({ proxied: true, acl, ...login })
        const client = yield* clusterClient(cluster.url, login)
        yield* fill(client)
        const primaries = yield* cluster.primaries
        for (const { proxy, port, clientPort } of primaries) {
          assert.notStrictEqual(port, clientPort)
          assert.isAbove(proxy!.bytes(), 1000)
        }
        assert.match(yield* primaries[0]!.raw("GET", "a"), /^-NOAUTH/)

        yield* cluster.reshard()
        assert.deepStrictEqual(yield* readAll(client), names)
        const { promoted } = yield* cluster.failover(primaries[0]!)
        yield* cluster.revive(primaries[0]!)
        yield* cluster.healthy
        const role = yield* Effect.promise(() => roleOf(primaries[0]!, login))
        assert.deepStrictEqual(role, { role: "replica", primaryPort: promoted.clientPort, state: "connected" })
        // The port that is announced outlives a restart.
        const slots = yield* slotsOf(cluster, login)
        const announced = new Set(slots.flatMap(({ port, replicas }) => [port, ...replicas]))
        assert.sameMembers(
          [...announced],
          cluster.nodes.map(({ clientPort }) => clientPort)
        )
      }),
    limit
  )

  it.live(
    "leaves nothing behind",
    () =>
      Effect.gen(function*() {
        const pids = yield* Effect.scoped(
          Effect.map(RedisCluster.scoped({ primaries: 3, replicas: 0 }), ({ nodes }) => nodes.map(({ pid }) => pid()!))
        )
        assert.lengthOf(pids, 3)
        for (const pid of pids) assert.throws(() => process.kill(pid, 0))
      }),
    limit
  )
})

const sentinelClient = (url: string, login: Partial<Login> = {}): Effect.Effect<Redis, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const addresses = url.slice("redis+sentinel://".length).split("/")[0]!.split(",")
      const sentinels = addresses.map((address) => ({ host: "127.0.0.1", port: Number(address.split(":")[1]) }))
      const client = new Redis({ ...login, sentinels, name: "main", maxRetriesPerRequest: null })
      client.on("error", () => {})
      return client
    }),
    (client) => Effect.sync(() => client.disconnect())
  )

describe("RedisSentinel", () => {
  it.live(
    "names the primary, fails over, and takes the old one back, twice",
    () =>
      Effect.gen(function*() {
        const sentinel = yield* RedisSentinel.scoped()
        assert.lengthOf(sentinel.sentinels, 3)
        assert.strictEqual((yield* sentinel.primary).port, sentinel.servers[0]!.port)
        const client = yield* sentinelClient(sentinel.url)
        yield* Effect.promise(() => client.set("a", "1"))
        assert.strictEqual(yield* Effect.promise(() => client.wait(2, 5000)), 2)
        for (const round of [1, 2]) {
          const old = yield* sentinel.primary
          const { killed, promoted } = yield* sentinel.failover
          assert.strictEqual(killed.port, old.port)
          assert.isUndefined(killed.pid())
          assert.strictEqual((yield* sentinel.primary).port, promoted.port)
          assert.strictEqual(yield* Effect.promise(() => client.get("a")), "1", `round ${round}`)
          yield* sentinel.revive(killed)
          yield* sentinel.healthy
          assert.match(yield* killed.raw("SET", "a", "2"), /^-READONLY/)
        }
        const [first] = sentinel.sentinels
        yield* first!.stop
        yield* first!.start
        yield* sentinel.healthy
      }),
    limit
  )

  it.live(
    "does so behind proxies and with an ACL",
    () =>
      Effect.gen(function*() {
        const sentinel = yield* RedisSentinel.scoped({ proxied: true, acl, ...login, replicas: 1 })
        const client = yield* sentinelClient(sentinel.url, login)
        const [first, second] = sentinel.servers
        first!.proxy!.reset()
        yield* Effect.promise(() => client.set("a", "x".repeat(20_000)))
        assert.isAbove(first!.proxy!.bytes(), 20_000)
        // Replication is asynchronous: what is to outlive the primary must have reached the replica.
        assert.strictEqual(yield* Effect.promise(() => client.wait(1, 5000)), 1)
        const { killed, promoted } = yield* sentinel.failover
        assert.deepStrictEqual(ports([killed, promoted]), ports([first!, second!]))
        assert.strictEqual(yield* Effect.promise(() => client.strlen("a")), 20_000)
        yield* sentinel.revive(killed)
        yield* sentinel.healthy
        const role = yield* Effect.promise(() => roleOf(killed, login))
        assert.deepStrictEqual(role, { role: "replica", primaryPort: promoted.clientPort, state: "connected" })
        // The port that is announced outlives a restart.
        const [, , replicas] = yield* Effect.promise(() => session(promoted, login, (redis) => redis.role()))
        assert.strictEqual((replicas as Array<[ip: string, port: string]>)[0]?.[1], String(killed.clientPort))
      }),
    limit
  )
})
