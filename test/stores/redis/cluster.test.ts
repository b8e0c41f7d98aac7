/**
 * What is particular to Redis Cluster: redirections, slots that move, primaries that fail, and invalidations that wait for
 * replicas.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, ManagedRuntime, Option, Schema, type Scope } from "effect"
import { Redis } from "ioredis"
import { afterAll, vi } from "vitest"
import {
  cacheAside,
  CacheClient,
  type CacheError,
  invalidateKey,
  invalidateKeys,
  invalidatePattern,
  invalidateTags,
  LockManager,
  stampedeProtect,
  writeThrough
} from "../../../src/index.ts"
import { CacheRedis, type RedisOptions } from "../../../src/redis/index.ts"
import { Commands, makeNames } from "../../../src/stores/redis/commands.ts"
import type { Connection } from "../../../src/stores/redis/wire/connection.ts"
import { readOne, textOf } from "../../../src/stores/redis/lookups.ts"
import { resolve } from "../../../src/stores/redis/options/options.ts"
import { makeRedisPrimitives, openNodes } from "../../../src/stores/redis/primitives.ts"
import { removeScanned } from "../../../src/stores/redis/scan.ts"
import { calculateSlot } from "../../../src/stores/redis/nodes/slot.ts"
import { runHistory } from "../../support/random.ts"
import { cacheCommands, cacheUser, clusterCommands, leastPrivilege } from "../../support/acl.ts"
import { buildClient, type Client, freshNamespace, makeGate } from "../../support/client.ts"
import { type ClusterNode, RedisCluster, type RunningCluster } from "../../support/redisCluster.ts"
import { table } from "../../support/table.ts"
import { until } from "../../support/until.ts"

class Shared extends Context.Service<Shared, RunningCluster>()("effect-cache/test/Cluster") {}
const runtime = ManagedRuntime.make(Layer.orDie(Layer.effect(Shared, RedisCluster.scoped())))
afterAll(() => runtime.dispose())
const sharedCluster = Effect.promise(() => runtime.runPromise(Shared))

type Id = { readonly id: string }
const settings = { key: "row:{id}", schema: Schema.Number, ttl: "1 minute" } as const

interface World {
  readonly cluster: RunningCluster
  readonly namespace: string
  readonly client: Client
  readonly another: (options?: RedisOptions) => Effect.Effect<Client, CacheError, Scope.Scope>
  /** The slot of the entry, and the primary that has it. */
  readonly slotOf: (key: string) => number
  readonly nodeOf: (key: string) => Effect.Effect<ClusterNode, unknown>
}

const world = (title: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>, millis = 60_000) =>
  it.live(
    title,
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const cluster = yield* sharedCluster
          const namespace = freshNamespace()
          const another = (options?: RedisOptions) =>
            buildClient(CacheRedis.layer({ url: cluster.url, namespace, timeout: "5 seconds", ...options }))
          const entry = (key: string) => `${namespace}:e:{${key}}`
          yield* body({
            cluster,
            namespace,
            another,
            client: yield* another(),
            slotOf: (key) => calculateSlot(entry(key)),
            nodeOf: (key) => cluster.primaryOf(entry(key))
          })
        })
      ),
    millis
  )

const rows = (count: number) => Array.from({ length: count }, (_, i) => String(i))

describe("Redis Cluster", () => {
  world("keys of all slots are found again, invalidated by key, tag and pattern, and counted", ({ client, cluster }) =>
    Effect.gen(function*() {
      const { load, state } = table()
      const get = cacheAside({ ...settings, tags: () => ["all"] })(load)
      const ids = rows(60)
      const readAll = client.run(Effect.forEach(ids, (id) => get({ id }), { concurrency: 8 }))
      yield* readAll
      assert.strictEqual(state.reads, 60)
      yield* readAll
      assert.strictEqual(state.reads, 60)
      yield* client.run(invalidateKeys(ids.map((id) => `row:${id}`)))
      yield* readAll
      assert.strictEqual(state.reads, 120)
      yield* client.run(invalidateTags(["all"]))
      yield* readAll
      assert.strictEqual(state.reads, 180)
      yield* client.run(invalidatePattern("row:*"))
      yield* readAll
      assert.strictEqual(state.reads, 240)
      const stats = yield* client.run(CacheClient.use((cache) => cache.stats))
      assert.isAtLeast(stats.size!, 60)
      yield* client.run(CacheClient.use((cache) => cache.clear))
      yield* readAll
      assert.strictEqual(state.reads, 300)
      // Each primary has some of them.
      for (const node of yield* cluster.primaries) assert.match(yield* node.raw("DBSIZE"), /^:[1-9]/)
    })
  )

  world(
    "where no script runs for want of room, the clock is that of the node that has the epoch",
    ({ cluster, namespace }) =>
      Effect.gen(function*() {
        const asked: Array<string> = []
        const send = Redis.prototype.sendCommand
        const spy = vi.spyOn(Redis.prototype, "sendCommand").mockImplementation(function (
          this: Redis,
          command,
          stream
        ) {
          if (command.name.startsWith("eval")) {
            const error = new Error("OOM command not allowed when used memory > 'maxmemory'.")
            error.name = "ReplyError"
            command.reject(error)
            return command.promise
          }
          if (command.name === "time" || command.args[0] === `${namespace}:epoch`) {
            asked.push(`${command.name} ${this.options.port}`)
          }
          return send.call(this, command, stream)
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => spy.mockRestore()))
        const { tags } = yield* makeRedisPrimitives({ url: cluster.url, namespace, timeout: "5 seconds" })
        const { port, raw } = yield* cluster.primaryOf(`${namespace}:epoch`)
        yield* raw("SET", `${namespace}:epoch`, "1")
        yield* tags.invalidate(rows(20))
        assert.deepStrictEqual(asked, [`get ${port}`, `time ${port}`, `unlink ${port}`])
        yield* raw("SET", `${namespace}:epoch`, String(Number.MAX_SAFE_INTEGER - 1))
        const { reason } = yield* Effect.flip(tags.invalidate(rows(20)))
        assert.strictEqual(reason._tag, "NoRoom")
        assert.match(yield* raw("EXISTS", `${namespace}:epoch`), /^:1/)
      })
  )

  world("replicas are not asked", ({ client, cluster }) =>
    Effect.gen(function*() {
      const { load } = table()
      const get = cacheAside(settings)(load)
      yield* client.run(Effect.forEach(rows(30), (id) => get({ id })))
      yield* client.run(Effect.forEach(rows(30), (id) => get({ id })))
      for (const primary of yield* cluster.primaries) {
        for (const replica of yield* cluster.replicasOf(primary)) {
          assert.match(yield* replica.raw("INFO", "commandstats"), /cmdstat_/)
          assert.notMatch(yield* replica.raw("INFO", "commandstats"), /cmdstat_get:/)
        }
      }
    })
  )

  world("addresses that the cluster gives out are looked up in natMap", ({ another, cluster, namespace }) =>
    Effect.gen(function*() {
      const natMap = Object.fromEntries(
        cluster.nodes.map(({ clientPort }) => [`127.0.0.1:${clientPort}`, `localhost:${clientPort}`])
      )
      const client = yield* another({ natMap })
      const { load, state } = table()
      const get = cacheAside(settings)(load)
      for (let i = 0; i < 2; i++) yield* client.run(Effect.forEach(rows(20), (id) => get({ id })))
      assert.strictEqual(state.reads, 20)
      const resolved = yield* resolve({ url: cluster.url, namespace, natMap })
      const context = yield* Effect.context<never>()
      const nodes = yield* Effect.acquireRelease(
        Effect.sync(() => openNodes(resolved, context, undefined)),
        (nodes) => Effect.promise(() => nodes.close())
      )
      const { primaries } = yield* nodes.survey
      assert.strictEqual(primaries.length, 3)
      for (const { endpoint } of primaries) assert.match(endpoint, /^localhost:/)
    })
  )

  world("without the mode, a node of a cluster says what is wrong", ({ another, cluster, nodeOf }) =>
    Effect.gen(function*() {
      const owner = yield* nodeOf("row:m")
      const other = (yield* cluster.primaries).find((node) => node !== owner)!
      const client = yield* another({ url: other.url })
      const { message } = yield* Effect.flip(client.run(invalidateKey("row:m")))
      assert.match(message, /MOVED .* use mode "cluster"/)
    })
  )

  world("a slot that moved is followed, and a script is sent whole to the node that does not know it", (world) =>
    Effect.gen(function*() {
      const { client, cluster, nodeOf, slotOf } = world
      const { load, state } = table()
      const get = cacheAside(settings)(load)
      yield* client.run(get({ id: "a" }))
      const from = yield* nodeOf("row:a")
      const [to] = (yield* cluster.primaries).filter((node) => node !== from)
      yield* cluster.reshard({ from, to: to!, slots: [slotOf("row:a")] })
      yield* client.run(get({ id: "a" }))
      assert.strictEqual(state.reads, 1)
      yield* client.run(get.invalidate({ id: "a" }))
      yield* client.run(get({ id: "a" }))
      yield* client.run(get({ id: "a" }))
      assert.strictEqual(state.reads, 2)
    })
  )

  world("while a slot moves, what is there is read, removed and written; what is new is not stored", (world) =>
    Effect.gen(function*() {
      const { client, cluster, nodeOf, slotOf } = world
      const { load, state } = table()
      const get = cacheAside(settings)(load)
      const write = writeThrough(settings)((_: Id) => Effect.sync(() => ++state.row))
      yield* client.run(get({ id: "b" }))
      const from = yield* nodeOf("row:b")
      const [to] = (yield* cluster.primaries).filter((node) => node !== from)
      const finish = yield* cluster.openMigration(slotOf("row:b"), to!)
      yield* client.run(get({ id: "b" }))
      assert.strictEqual(state.reads, 1)
      // The entry is on the one node, its lease, if any, on the other: what needs both is refused by the servers.
      yield* client.run(get.invalidate({ id: "b" }))
      yield* client.run(get({ id: "b" }))
      assert.strictEqual(state.reads, 2)
      assert.strictEqual(yield* client.run(write({ id: "b" })), 1)
      assert.strictEqual(yield* client.run(get({ id: "b" })), 1)
      assert.strictEqual(yield* client.run(get.refresh({ id: "b" })), 1)
      const stats = yield* client.run(CacheClient.use((cache) => cache.counters))
      assert.deepStrictEqual(stats.total.errors, {})
      assert.isAbove(stats.total.rejectedFills, 0)
      yield* finish
      const before = state.reads
      yield* client.run(get({ id: "b" }))
      yield* client.run(get({ id: "b" }))
      // No lease was left behind.
      assert.strictEqual(state.reads, before + 1)
    })
  )

  world("reads of one slot share a command, and are asked for one by one while it moves", (world) =>
    Effect.gen(function*() {
      const { cluster, namespace } = world
      const resolved = yield* resolve({ url: cluster.url, namespace })
      const context = yield* Effect.context<never>()
      const nodes = yield* Effect.acquireRelease(
        Effect.sync(() => openNodes(resolved, context, undefined)),
        (nodes) => Effect.promise(() => nodes.close())
      )
      yield* nodes.survey
      const names = ["a", "b", "none"].map((name) => `${namespace}:${name}:{m}`)
      const from = yield* cluster.primaryOf(names[0]!)
      const to = (yield* cluster.primaries).find((node) => node !== from)!
      for (const name of names.slice(0, 2)) yield* from.raw("SET", name, name)
      const count = Effect.map(from.raw("INFO", "commandstats"), (stats) =>
        ["get", "mget"].map((name) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0))
      )
      const readAll = Effect.forEach(names, (name) => readOne(nodes, name, textOf), { concurrency: "unbounded" })
      const [gets, mgets] = yield* count
      assert.deepStrictEqual(yield* readAll, [names[0], names[1], undefined])
      assert.deepStrictEqual(yield* count, [gets, mgets! + 1])
      // One of them is not there, so for all that node knows it may be on the other: it refuses them together.
      const finish = yield* cluster.openMigration(calculateSlot(names[0]!), to)
      assert.deepStrictEqual(yield* readAll, [names[0], names[1], undefined])
      yield* finish
      // Known to be elsewhere only now.
      assert.deepStrictEqual(yield* readAll, [names[0], names[1], undefined])
      assert.deepStrictEqual(yield* readAll, [names[0], names[1], undefined])
    })
  )

  world("locks wait while their slot moves", ({ client, cluster, namespace }) =>
    Effect.gen(function*() {
      const slot = calculateSlot(`${namespace}:lock:{job}`)
      const from = yield* cluster.primaryOf(`${namespace}:lock:{job}`)
      const [to] = (yield* cluster.primaries).filter((node) => node !== from)
      yield* client.run(LockManager.use((locks) => locks.withLock("job")(Effect.void)))
      const finish = yield* cluster.openMigration(slot, to!)
      const waiting = yield* Effect.forkChild(
        client.run(LockManager.use((locks) => locks.withLock("job")((lock) => Effect.succeed(lock.fence)))),
        { startImmediately: true }
      )
      yield* Effect.yieldNow
      yield* finish
      assert.isAbove(yield* Fiber.join(waiting), 0)
    })
  )

  world("a pattern finds a key that moves to a primary which was scanned before", (world) =>
    Effect.gen(function*() {
      const { client, cluster, namespace, nodeOf, slotOf } = world
      const get = cacheAside(settings)(table().load)
      yield* client.run(get({ id: "p" }))
      const from = yield* nodeOf("row:p")
      const to = (yield* cluster.primaries).find((node) => node !== from)!
      const resolved = yield* resolve({ url: cluster.url, namespace })
      const context = yield* Effect.context<never>()
      const nodes = yield* Effect.acquireRelease(
        Effect.sync(() => openNodes(resolved, context, undefined)),
        (nodes) => Effect.promise(() => nodes.close())
      )
      // The one primary answers when the other has been scanned to its end, and the key has moved there.
      let scanned = () => {}
      const end = new Promise<void>((resolve) => {
        scanned = resolve
      })
      const isAt = (connection: Connection, node: ClusterNode) => connection.endpoint.endsWith(`:${node.clientPort}`)
      const steered = (connection: Connection): Connection => {
        const command: Connection["command"] = (operation, name, args, encoding, reply) => {
          if (isAt(connection, from)) {
            void end
              .then(() => Effect.runPromise(cluster.reshard({ from, to, slots: [slotOf("row:p")] })))
              .then(() => connection.command(operation, name, args, encoding, reply))
          } else {
            connection.command(operation, name, args, encoding, (error, page, by) => {
              if (isAt(connection, to) && (page as ReadonlyArray<unknown>)[0] === "0") scanned()
              reply(error, page, by)
            })
          }
        }
        return Object.assign(Object.create(connection), { command })
      }
      let rounds = 0
      const survey = Effect.map(nodes.survey, (found) =>
        rounds++ === 0 ? { ...found, primaries: found.primaries.map(steered) } : found
      )
      const commands = new Commands(Object.assign(Object.create(nodes), { survey }))
      assert.strictEqual(yield* removeScanned.matching(commands, makeNames(namespace), "row:*"), 1)
      assert.deepStrictEqual(yield* client.run(get.peek({ id: "p" })), Option.none())
      assert.isAtLeast(rounds, 3)
    })
  )

  // A node that was just added has no slot, and so is in no map, while the first one is on its way to it.
  for (const [where, moved] of [
    ["an entry", "e"],
    ["the lease of a load", "l"]
  ] as const) {
    it.live(
      `a pattern finds ${where} on a node that has no slot yet`,
      () =>
        Effect.scoped(
          Effect.gen(function*() {
            const acl = leastPrivilege("under", [...cacheCommands, ...clusterCommands])
            const cluster = yield* RedisCluster.scoped({ primaries: 1, replicas: 0, spares: 1, acl })
            const [from, to] = cluster.nodes as [ClusterNode, ClusterNode]
            const namespace = "under"
            const { run } = yield* buildClient(
              CacheRedis.layer({ url: cluster.url, namespace, timeout: "5 seconds", ...cacheUser })
            )
            const { load, state } = table()
            const gate = makeGate<number>()
            let slow = false
            const get = cacheAside(settings)((id: Id) =>
              Effect.tap(load(id), (row) => (slow ? gate.pass(row) : Effect.void))
            )
            yield* run(get({ id: "p" }))
            const name = `${namespace}:e:{row:p}`
            const finish = yield* cluster.openMigration(calculateSlot(name), to)
            let late: Fiber.Fiber<number, unknown> | undefined
            if (moved === "e") yield* from.raw("MIGRATE", to.host, String(to.port), "", "0", "4000", "KEYS", name)
            else {
              slow = true
              late = yield* Effect.forkChild(run(get.refresh({ id: "p" })))
              yield* gate.reached
              slow = false
            }
            const row = ++state.row
            yield* run(invalidatePattern("row:*"))
            if (late !== undefined) {
              yield* finish
              yield* gate.open
              yield* Fiber.join(late)
            }
            assert.strictEqual(yield* run(get({ id: "p" })), row)
          })
        ),
      60_000
    )
  }

  world("random histories while slots move: no read is older than an acknowledged invalidation", (world) =>
    Effect.gen(function*() {
      const { another, client, cluster } = world
      const moving = yield* Effect.forkChild(Effect.forever(Effect.ignore(cluster.reshard({ slots: 200 }))))
      const other = yield* another()
      for (const seed of [1, 2, 3]) {
        const { reads, violations } = yield* runHistory({
          clients: [client, other],
          seed,
          fibers: 8,
          opsPerFiber: 40,
          keys: 3,
          pause: (random) => (random(2) === 0 ? Effect.yieldNow : Effect.sleep(random(3)))
        })
        assert.isAbove(reads, 100)
        assert.deepStrictEqual(violations, [])
      }
      yield* Fiber.interrupt(moving)
      yield* cluster.healthy
    })
  )

  world("waiters hear of a release on any node", ({ another, client }) =>
    Effect.gen(function*() {
      const gate = makeGate<number>()
      const slow = stampedeProtect({ ...settings, lockTtl: "1 minute" })((_: Id) => gate.pass(1))
      const other = yield* another()
      const holder = yield* Effect.forkChild(client.run(slow({ id: "s" })))
      yield* gate.reached
      const waiter = yield* Effect.forkChild(other.run(slow({ id: "s" })), { startImmediately: true })
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(holder), 1)
      assert.strictEqual(yield* Fiber.join(waiter), 1)
    })
  )

  world(
    "durability: an invalidation that no replica has fails as NotReplicated, and the primary has it all the same",
    (world) =>
      Effect.gen(function*() {
        const { another, client, cluster, nodeOf } = world
        const durable = yield* another({ durability: { replicas: 1, timeout: "200 millis" } })
        const { load, state } = table()
        const get = cacheAside(settings)(load)
        yield* client.run(get({ id: "d" }))
        yield* durable.run(invalidateKey("row:d"))
        yield* client.run(get({ id: "d" }))
        assert.strictEqual(state.reads, 2)
        const replicas = yield* cluster.replicasOf(yield* nodeOf("row:d"))
        yield* Effect.forEach(replicas, (replica) => replica.pause)
        const error = yield* Effect.flip(durable.run(invalidateKey("row:d")))
        assert.deepInclude(error.reason, { _tag: "NotReplicated", replicas: 1, acknowledged: 0, millis: 200 })
        assert.deepStrictEqual(yield* client.run(get.peek({ id: "d" })), Option.none())
        // Without it the primary's word is enough.
        yield* client.run(invalidateKey("row:d"))
        // What is not an invalidation waits for nobody, and the cache goes on.
        yield* durable.run(get({ id: "d" }))
        assert.deepStrictEqual(yield* durable.run(get.peek({ id: "d" })), Option.some(0))
        yield* Effect.forEach(replicas, (replica) => replica.resume)
        yield* cluster.healthy
        yield* durable.run(invalidateKey("row:d"))
      })
  )

  // The last: it leaves other primaries than it found.
  world("a primary that dies: no caller fails, another one takes over, and no lost lease is honoured", (world) =>
    Effect.gen(function*() {
      const { client, cluster, nodeOf } = world
      const { load, state } = table()
      const get = cacheAside({ ...settings, tags: ["all"] })(load)
      const gate = makeGate<number>()
      const held = cacheAside({ ...settings, key: "held:{id}" })((_: Id) => gate.pass(state.row))
      yield* client.run(Effect.forEach(rows(20), (id) => get({ id })))
      const reader = yield* Effect.forkChild(client.run(held({ id: "0" })))
      yield* gate.reached
      const victim = yield* nodeOf("held:0")
      let failed = 0
      let reads = 0
      const load8 = yield* Effect.forkChild(
        Effect.forever(
          Effect.forEach(
            rows(20),
            (id) =>
              Effect.matchEffect(client.run(get({ id })), {
                onFailure: () => Effect.sync(() => void failed++),
                onSuccess: () => Effect.sync(() => void reads++)
              }),
            { concurrency: 4 }
          )
        )
      )
      yield* cluster.failover(victim)
      // The replica may not have had the lease; whether it has or not, it is dropped, and the load in flight stores nothing.
      state.row = 7
      yield* until(Effect.isSuccess(client.run(invalidateKey("held:0"))))
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(reader), 0)
      assert.deepStrictEqual(yield* client.run(held.peek({ id: "0" })), Option.none())
      yield* until(
        Effect.map(client.run(Effect.forEach(rows(20), (id) => get.peek({ id }))), (found) =>
          found.every(Option.isSome)
        )
      )
      yield* Fiber.interrupt(load8)
      assert.strictEqual(failed, 0)
      assert.isAbove(reads, 0)
      yield* cluster.revive(victim)
      yield* cluster.healthy
    })
  )
})
