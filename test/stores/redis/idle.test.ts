/**
 * A connection that is closed while it is idle is no outage, on every connection of the layer; one that is closed in the middle
 * of work, or does not come back, is. A PING keeps those that are idle.
 */
import { assert, describe } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { afterEach, vi } from "vitest"
import type { Commands } from "../../../src/stores/redis/commands.ts"
import { readOne, textOf } from "../../../src/stores/redis/lookups.ts"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import type { RedisOptions } from "../../../src/stores/redis/options/options.ts"
import { idleMillis } from "../../../src/stores/redis/wire/pulse.ts"
import { cacheCommands, cacheRules, cacheUser, leastPrivilege, operator } from "../../support/acl.ts"
import { sharedRedis } from "../../support/client.ts"
import { plant, write } from "../../support/primitives.ts"
import { TcpProxy } from "../../support/proxy.ts"
import { RedisCluster } from "../../support/redisCluster.ts"
import { RedisSentinel } from "../../support/redisSentinel.ts"
import { RedisServer, type RunningRedis } from "../../support/redisServer.ts"
import { calls, eventually, fresh, logged, openClient, openCommands, reasonOf, said } from "./support.ts"

const sharedServer = sharedRedis()

/** Moves the monotonic clock on, so that nobody has to wait. */
const later = (millis: number) => {
  const { now } = performance
  const real = vi.isMockFunction(now) ? (now.getMockImplementation() as typeof now) : now.bind(performance)
  vi.spyOn(performance, "now").mockImplementation(() => real() + millis)
}
afterEach(() => void vi.restoreAllMocks())

/** Resolves when the client has seen that it was closed, before it is back. */
const closedOf = (commands: Commands) =>
  Effect.promise(() =>
    Promise.all(
      commands.nodes
        .primaries()
        .map(({ client }) => new Promise<void>((resolve) => void client.once("close", () => resolve())))
    )
  )

const get = (commands: Commands, name = "k") => readOne(commands.nodes, name, textOf)

/** A proxied connection with nothing under way. */
const opened = (options: RedisOptions = {}) =>
  Effect.gen(function*() {
    const server = yield* sharedServer
    const proxy = yield* TcpProxy.scoped({ port: server.port })
    const commands = yield* openCommands({ port: proxy.port, timeout: "20 seconds", ...options })
    yield* eventually(Effect.isSuccess(get(commands)))
    return { proxy, commands }
  })

const cut = (proxy: TcpProxy, commands: Commands) =>
  Effect.gen(function*() {
    const closed = yield* Effect.forkScoped(closedOf(commands), { startImmediately: true })
    proxy.cut()
    yield* Fiber.join(closed)
  })

describe("a connection that was closed while it was idle", () => {
  logged("answers what is asked next, also again and again, and says nothing", (logs) =>
    Effect.gen(function*() {
      const { commands, proxy } = yield* opened()
      for (let i = 0; i < 3; i++) {
        later(idleMillis)
        yield* cut(proxy, commands)
        const [node] = commands.nodes.primaries()
        assert.isFalse(node!.ready)
        // Asked for while it is on its way: a read, and a command that changes something.
        const all = Effect.all([get(commands), commands.one("test", "set", ["n", `${i}`], String)], {
          concurrency: "unbounded"
        })
        assert.strictEqual((yield* all)[1], "OK")
        assert.strictEqual(yield* get(commands, "n"), `${i}`)
      }
      assert.deepStrictEqual(said(logs), [])
    })
  )

  const outages: ReadonlyArray<
    readonly [
      what: string,
      options: RedisOptions,
      before: (proxy: TcpProxy, commands: Commands) => Effect.Effect<unknown, unknown>
    ]
  > = [
    ["something was asked for right before", {}, () => Effect.void],
    [
      "a command is in flight",
      {},
      (proxy, commands) =>
        Effect.gen(function*() {
          for (const link of proxy.links()) link.hold(true)
          yield* Effect.forkDetach(Effect.exit(commands.one("test", "set", ["never", "1"], String)), {
            startImmediately: true
          })
          // It has left.
          yield* eventually(Effect.sync(() => proxy.trips() > 0))
          later(idleMillis)
        })
    ],
    [
      "a late reply is owed",
      { timeout: 50 },
      (proxy, commands) =>
        Effect.gen(function*() {
          for (const link of proxy.links()) link.hold(true)
          assert.strictEqual(yield* reasonOf(get(commands)), "TimedOut")
          later(idleMillis)
        })
    ]
  ]
  for (const [what, options, before] of outages) {
    logged(`is an outage where ${what}`, (logs) =>
      Effect.gen(function*() {
        const { commands, proxy } = yield* opened(options)
        proxy.reset()
        yield* before(proxy, commands)
        yield* cut(proxy, commands)
        assert.strictEqual(yield* reasonOf(get(commands)), "Unavailable")
        yield* eventually(Effect.sync(() => said(logs).length > 1))
        assert.match(said(logs)[0]!, /^Warn.*is unavailable: the connection was closed/)
        assert.match(said(logs)[1]!, /^Info.*is back/)
        yield* eventually(Effect.isSuccess(get(commands)))
        const direct = yield* openCommands({ port: (yield* sharedServer).port })
        assert.isUndefined(yield* get(direct, "never"))
      })
    )
  }

  logged("is an outage when the reconnect fails, and who waits for it is told", (logs) =>
    Effect.gen(function*() {
      const { commands, proxy } = yield* opened()
      later(idleMillis)
      proxy.refuse(true)
      yield* cut(proxy, commands)
      assert.strictEqual(yield* reasonOf(get(commands)), "Unavailable")
      yield* eventually(Effect.sync(() => said(logs).length > 0))
      proxy.refuse(false)
      yield* eventually(Effect.sync(() => said(logs).length > 1))
      assert.match(said(logs).join("\n"), /^Warn.*is unavailable.*\nInfo.*is back/)
    })
  )

  logged("is an outage when a deadline is missed meanwhile: then nobody waits", (logs) =>
    Effect.gen(function*() {
      const { commands, proxy } = yield* opened({ timeout: 50 })
      later(idleMillis)
      proxy.blackhole(true)
      yield* cut(proxy, commands)
      assert.strictEqual(yield* reasonOf(get(commands)), "TimedOut")
      assert.strictEqual(yield* reasonOf(get(commands)), "Unavailable")
      yield* eventually(Effect.sync(() => said(logs).length > 0))
      assert.match(said(logs).join(), /^Warn.*the reconnect takes long/)
    })
  )

  logged("is an outage when SELECT is refused on the reconnect", (logs) =>
    Effect.gen(function*() {
      const server = yield* RedisServer.scoped({ acl: leastPrivilege("ec") })
      const proxy = yield* TcpProxy.scoped({ port: server.port })
      const admin = yield* openClient({ port: server.port, ...operator })
      const commands = yield* openCommands({ port: proxy.port, ...cacheUser, db: 3, timeout: "20 seconds" })
      yield* get(commands, "ec:k")
      yield* Effect.promise(() => admin.call("ACL", "SETUSER", cacheUser.username, "-select"))
      later(idleMillis)
      yield* cut(proxy, commands)
      const error = yield* Effect.flip(commands.one("test", "set", ["ec:k", "1"], String))
      assert.match(error.message, /SELECT 3 was refused/)
      yield* eventually(Effect.sync(() => said(logs).length > 0))
      assert.match(said(logs).join("\n"), /^Warn.*is unavailable: SELECT 3 was refused[^\n]*$/)
      assert.deepStrictEqual(yield* Effect.promise(() => admin.keys("*")), [])
    })
  )

  logged("is a client's that was brought along", (logs) =>
    Effect.gen(function*() {
      const server = yield* sharedServer
      const proxy = yield* TcpProxy.scoped({ port: server.port })
      const client = yield* openClient({ port: proxy.port, retryStrategy: () => 10 })
      const commands = yield* openCommands({ client, timeout: "20 seconds" })
      yield* get(commands)
      later(idleMillis)
      yield* cut(proxy, commands)
      yield* get(commands)
      assert.deepStrictEqual(said(logs), [])
      // For good: nobody waits for it.
      later(idleMillis)
      client.disconnect()
      yield* eventually(Effect.map(reasonOf(get(commands)), (reason) => reason === "Unavailable"))
      yield* eventually(Effect.sync(() => said(logs).length > 0))
      assert.match(said(logs).join(), /^Warn.*is unavailable/)
    })
  )

  const killCache = (server: RunningRedis) =>
    Effect.gen(function*() {
      const list = yield* server.raw("CLIENT", "LIST")
      for (const [, id] of list.matchAll(/id=(\d+) .*name=effect-cache /g)) {
        yield* server.raw("CLIENT", "KILL", "ID", id!)
      }
    })

  const topologies = {
    // All at once: a node that is back asks another one for the map, which is idle no more.
    Cluster: Effect.map(RedisCluster.scoped({ replicas: 0, proxied: true }), ({ nodes, url }) => ({
      url,
      cutAll: Effect.sync(() => nodes.forEach(({ proxy }) => void proxy!.cut()))
    })),
    Sentinel: Effect.map(RedisSentinel.scoped({ replicas: 1 }), ({ servers, url }) => ({
      url,
      cutAll: Effect.forEach(servers, killCache, { discard: true })
    }))
  }
  for (const [what, start] of Object.entries(topologies)) {
    logged(
      `answers what is asked next: ${what}`,
      (logs) =>
        Effect.gen(function*() {
          const { cutAll, url } = yield* start
          const commands = yield* openCommands({ url, timeout: "20 seconds" })
          const names = Array.from({ length: 30 }, (_, i) => `k${i}`)
          const all = Effect.forEach(names, (name) => get(commands, name), { concurrency: "unbounded" })
          yield* all
          yield* eventually(Effect.sync(() => commands.nodes.primaries().every(({ ready }) => ready)))
          // No look at the map is under way, or to come.
          const looks = commands.nodes as { readonly timer?: unknown; readonly refreshing?: unknown }
          yield* eventually(Effect.sync(() => looks.timer === undefined && looks.refreshing === undefined))
          later(idleMillis)
          const closed = yield* Effect.forkScoped(closedOf(commands), { startImmediately: true })
          yield* cutAll
          yield* Fiber.join(closed)
          yield* all
          assert.deepStrictEqual(said(logs), [])
        }),
      60_000
    )
  }

  logged("is that of the hints, and of durability", (logs) =>
    Effect.gen(function*() {
      const server = yield* RedisServer.scoped()
      const proxy = yield* TcpProxy.scoped({ port: server.port })
      const namespace = fresh()
      const direct = yield* makeRedisPrimitives({ port: server.port, namespace })
      const { backend, tags } = yield* makeRedisPrimitives({
        port: proxy.port,
        namespace,
        timeout: "20 seconds",
        durability: { replicas: 1, timeout: 10 }
      })
      const client = yield* openClient({ port: server.port })
      const subscribed = eventually(
        Effect.promise(async () => {
          const counts = await client.pubsub("NUMSUB", `${namespace}:n:k`)
          return Number(counts[1]) === 1
        })
      )
      // The primary has it, and there is no replica.
      assert.strictEqual(yield* reasonOf(tags.invalidate(["t"])), "NotReplicated")
      yield* direct.backend.acquire("k", "a", 60_000)
      const before = yield* calls(client, "get")
      const waiter = yield* Effect.forkScoped(backend.awaitRelease("k", "a"), { startImmediately: true })
      yield* subscribed
      // Whoever waits asks for the lease once more; then nothing is under way.
      yield* eventually(Effect.map(calls(client, "get"), (count) => count > before))
      yield* backend.read("k")
      assert.strictEqual(proxy.connections(), 3)
      later(idleMillis)
      const links = new Set(proxy.links())
      proxy.cut()
      yield* eventually(
        Effect.sync(() => proxy.links().length === 3 && proxy.links().every((link) => !links.has(link)))
      )
      yield* subscribed
      assert.strictEqual(yield* reasonOf(tags.invalidate(["t"])), "NotReplicated")
      yield* direct.backend.release("k", "a", "keep")
      yield* Fiber.join(waiter)
      assert.deepStrictEqual(said(logs), [])
    })
  )
})

describe("pingInterval", () => {
  logged("sends a PING on every connection that is idle, also in subscriber mode", (logs) =>
    Effect.gen(function*() {
      const server = yield* sharedServer
      const name = fresh()
      const { backend, tags } = yield* makeRedisPrimitives({
        port: server.port,
        name,
        namespace: name,
        pingInterval: 100,
        durability: { replicas: 1, timeout: 10 }
      })
      yield* Effect.forkScoped(backend.awaitRelease("k", "a"), { startImmediately: true })
      yield* Effect.exit(tags.invalidate(["t"]))
      const client = yield* openClient({ port: server.port })
      const pinged = Effect.promise(async () => {
        const list = String(await client.client("LIST"))
        return [...list.matchAll(new RegExp(`name=(${name}\\S*) .*cmd=ping `, "g"))].map(([, found]) => found).sort()
      })
      yield* eventually(
        Effect.map(pinged, (names) => names.join() === [name, `${name}:durable`, `${name}:hints`].join())
      )
      assert.deepStrictEqual(said(logs), [])
    })
  )

  logged("sends none where nobody asked for it, and none while there is work", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.scoped()
      const pings = Effect.map(server.raw("INFO", "commandstats"), (info) =>
        Number(/cmdstat_ping:calls=(\d+)/.exec(info)?.[1] ?? 0)
      )
      const busy = yield* openCommands({ port: server.port, pingInterval: "1 minute" })
      const silent = yield* openCommands({ port: server.port })
      yield* get(busy)
      yield* get(silent)
      const before = yield* pings
      const pinging = yield* openCommands({ port: server.port, pingInterval: 100 })
      yield* get(pinging)
      yield* eventually(Effect.map(pings, (count) => count >= before + 3))
      const list = yield* server.raw("CLIENT", "LIST")
      assert.strictEqual([...list.matchAll(/name=effect-cache .*cmd=ping /g)].length, 1)
    })
  )

  logged("a PING that is not allowed is named once", (logs) =>
    Effect.gen(function*() {
      const without = cacheCommands.filter((command) => command !== "ping")
      const server = yield* RedisServer.scoped({
        acl: [...leastPrivilege("ec"), `user silent ${cacheRules("ec", without).join(" ")}`]
      })
      const admin = yield* openClient({ port: server.port, ...operator })
      const { backend } = yield* makeRedisPrimitives({
        port: server.port,
        username: "silent",
        password: cacheUser.password,
        pingInterval: 100
      })
      yield* plant(backend, "k", write(backend, 1))
      // Each refusal is a line of the same entry.
      yield* eventually(
        Effect.promise(async () => {
          const log = (await admin.call("ACL", "LOG")) as ReadonlyArray<ReadonlyArray<unknown>>
          return log.some((entry) => entry.includes("ping") && Number(entry[1]) >= 3)
        })
      )
      assert.match(said(logs).join("\n"), /^Warn.*refuses PING, which the cache needs: NOPERM[^\n]*$/)
    })
  )

  logged("finds that the connection for hints is gone, though nobody said so", () =>
    Effect.gen(function*() {
      const server = yield* sharedServer
      const proxy = yield* TcpProxy.scoped({ port: server.port })
      const namespace = fresh()
      const { backend } = yield* makeRedisPrimitives({ port: proxy.port, namespace, pingInterval: 100 })
      yield* backend.read("k")
      const before = new Set(proxy.links())
      // Again and again: on a slow machine a ping is late, and who waits then goes on without hints.
      const waits = Effect.repeat(backend.awaitRelease("k", "a"), Schedule.spaced(20))
      yield* Effect.forkScoped(waits, { startImmediately: true })
      yield* eventually(Effect.sync(() => proxy.links().length === 2))
      const hints = proxy.links().find((link) => !before.has(link))!
      hints.hold(true)
      yield* eventually(Effect.sync(() => proxy.links().length === 2 && !proxy.links().includes(hints)))
    })
  )
})
