/**
 * A server that is frozen, away, or cut off.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Redis } from "ioredis"
import { inspect } from "node:util"
import { vi } from "vitest"
import { readOne, textOf } from "../../../src/stores/redis/lookups.ts"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import { plant, valueOf, write } from "../../support/primitives.ts"
import { TcpProxy } from "../../support/proxy.ts"
import { RedisServer } from "../../support/redisServer.ts"
import { sharedRedis } from "../../support/client.ts"
import { fresh, openClient, openCommands, admin, eventually, reasonOf, captureLogs } from "./support.ts"

const sharedServer = sharedRedis()

describe("outages", () => {
  it.effect("a frozen server costs the deadline, and a late reply is ignored", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const { backend } = yield* makeRedisPrimitives({ url: server.url, timeout: 60 })
        yield* eventually(
          Effect.map(Effect.result(plant(backend, "k", write(backend, 1))), (r) => r._tag === "Success")
        )
        yield* server.pause
        const reasons = yield* Effect.forEach([1, 2, 3], () => reasonOf(backend.read("k")), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(reasons, ["TimedOut", "TimedOut", "TimedOut"])
        assert.strictEqual(yield* reasonOf(backend.remove(["k"])), "TimedOut")
        yield* server.resume
        yield* eventually(Effect.map(Effect.result(backend.read("k")), (result) => result._tag === "Success"))
        // Late, the removal was carried out all the same: the caller was told that it is not known.
        assert.isUndefined(yield* backend.read("k"))
      })
    )
  )

  it.effect("a server that is away fails at once, is warned about once, and is used again when it is back", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const { backend, tags } = yield* makeRedisPrimitives({ url: server.url, timeout: "20 seconds" })
        yield* plant(backend, "k", write(backend, 1))
        yield* server.stop
        // The deadline is far away: what ends here, ends because the connection is known to be down.
        yield* eventually(Effect.map(Effect.result(backend.read("k")), (result) => result._tag === "Failure"))
        assert.strictEqual(yield* reasonOf(backend.read("k")), "Unavailable")
        assert.strictEqual(yield* reasonOf(backend.remove(["k"])), "Unavailable")
        assert.strictEqual(yield* reasonOf(tags.invalidate(["k"])), "Unavailable")
        assert.strictEqual(yield* reasonOf(backend.usage), "Unavailable")
        // What was in flight fails before the log has a turn.
        yield* eventually(Effect.sync(() => logs.lines.length > 0))
        assert.strictEqual(logs.lines.filter((line) => line.startsWith("Warn")).length, 1, logs.lines.join("\n"))
        yield* server.start
        yield* eventually(
          Effect.map(Effect.result(plant(backend, "k", write(backend, 2))), (r) => r._tag === "Success")
        )
        assert.strictEqual(valueOf(backend, yield* backend.read("k")), 2)
        assert.isTrue(logs.lines.some((line) => line.startsWith("Info") && line.includes("is back")))
      })
    ).pipe(Effect.provide(logs.layer))
  })

  it.effect("commands in flight fail when the connection breaks, and are not carried out later", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const proxy = yield* TcpProxy.scoped({ port: server.port })
        const namespace = fresh()
        const direct = yield* makeRedisPrimitives({ url: server.url, namespace })
        // A client that resends what was in flight, as ioredis does unless told otherwise.
        const client = yield* openClient({ port: proxy.port, retryStrategy: () => 10 })
        for (const [options, value] of [
          [{ client }, "late"],
          [{ client }, "large ".repeat(20_000)],
          [{ port: proxy.port }, "late"]
        ] as const) {
          const { backend } = yield* makeRedisPrimitives({ ...options, namespace, timeout: "20 seconds" })
          yield* backend.read("k")
          // The lease is there, so that nothing but its loss keeps the fill from being carried out.
          yield* direct.backend.takeOver("k", "a", 60_000, "refresh")
          proxy.blackhole(true)
          const late = write(backend, value)
          const fill = yield* Effect.forkChild(reasonOf(backend.fill("k", "a", late, "keep")), {
            startImmediately: true
          })
          proxy.reset()
          yield* eventually(Effect.sync(() => proxy.bytes() > 0))
          proxy.blackhole(false)
          proxy.cut()
          assert.strictEqual(yield* Fiber.join(fill), "Unavailable")
          yield* eventually(Effect.map(Effect.result(backend.read("k")), (result) => result._tag === "Success"))
          assert.isUndefined(yield* direct.backend.read("k"))
        }
      })
    )
  )

  // What was in flight when its caller was told that it failed must not be carried out by a client that resends.
  const resends = [
    ["its deadline passed", { timeout: 100 }, {}, "TimedOut"],
    ["its client gave it up", { timeout: "20 seconds" }, { commandTimeout: 100 }, "Unavailable"]
  ] as const
  it.effect.each(resends)("a command is not carried out after %s", ([, options, settings, reason]) =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const proxy = yield* TcpProxy.scoped({ port: server.port })
        const namespace = fresh()
        const direct = yield* makeRedisPrimitives({ url: server.url, namespace })
        yield* direct.tags.invalidate(["warm"])
        const client = yield* openClient({ port: proxy.port, retryStrategy: () => 10, ...settings })
        const { backend, tags } = yield* makeRedisPrimitives({ client, namespace, ...options })
        const works = Effect.map(Effect.result(backend.read("k")), (result) => result._tag === "Success")
        // First lost on the wire, then put into the client's offline queue.
        for (const lose of [
          Effect.sync(() => proxy.blackhole(true)),
          Effect.sync(() => Object.defineProperty(client.stream, "writable", { value: false }))
        ]) {
          yield* eventually(works)
          yield* lose
          const reasons = yield* Effect.all(
            [reasonOf(backend.acquire("k", "late", 60_000)), reasonOf(tags.ensure(["a"], 60_000))],
            {
              concurrency: "unbounded"
            }
          )
          assert.deepStrictEqual(reasons, [reason, reason])
          proxy.blackhole(false)
          client.stream.destroy()
          yield* eventually(works)
          assert.strictEqual(yield* direct.backend.acquire("k", "free", 60_000), "free")
          assert.isTrue(yield* direct.backend.release("k", "free", "keep"))
          // R1: a pending text that comes back could be confirmed with an epoch from before an invalidation.
          assert.deepStrictEqual(yield* direct.tags.markers(["a"]), [undefined])
        }
      })
    )
  )

  it.effect("what waits for a connect that does not come is dropped at its deadline", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const proxy = yield* TcpProxy.scoped({ port: server.port })
        proxy.blackhole(true)
        const client = yield* Effect.acquireRelease(
          Effect.sync(() => new Redis({ port: proxy.port }).on("error", () => {})),
          (client) => Effect.sync(() => client.disconnect())
        )
        const commands = yield* openCommands({ client, timeout: 20 })
        const ask = (key: string) => readOne(commands.nodes, key, textOf)
        const [connection] = commands.nodes.primaries()
        for (let i = 0; i < 3; i++) {
          const reading = yield* Effect.forkChild(
            Effect.all([reasonOf(ask("a")), reasonOf(ask("b"))], { concurrency: 2 }),
            {
              startImmediately: true
            }
          )
          assert.strictEqual(connection?.waiting, 2)
          assert.deepStrictEqual(yield* Fiber.join(reading), ["TimedOut", "TimedOut"])
          yield* eventually(Effect.sync(() => connection?.waiting === 0))
        }
      })
    )
  )

  it.effect("reads while the server is away leave nothing behind", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const nobody = yield* RedisServer.scoped()
        yield* nobody.stop
        const commands = yield* openCommands({ url: nobody.url, timeout: "20 seconds" })
        const read = (key: string) => reasonOf(readOne(commands.nodes, key, textOf))
        assert.strictEqual(yield* read("first"), "Unavailable")
        for (let i = 0; i < 100; i++) assert.strictEqual(yield* read(`k${i}`), "Unavailable")
        assert.strictEqual(commands.nodes.primaries()[0]?.waiting, 0)
      })
    ).pipe(Effect.provide(captureLogs().layer))
  )

  it.effect("a client that has given up is connected again", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const commands = yield* openCommands({ url: server.url })
        const read = readOne(commands.nodes, fresh(), textOf)
        yield* read
        // As ioredis does when sentinels name another primary while it asks for one.
        commands.nodes.primaries()[0]!.client.disconnect()
        yield* eventually(Effect.isFailure(read))
        yield* eventually(Effect.isSuccess(read))
      })
    ).pipe(Effect.provide(captureLogs().layer))
  )

  it.effect("two short freezes with replies between them are not one long silence", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const client = yield* admin(server)
        const { backend } = yield* makeRedisPrimitives({ url: server.url, timeout: 100 })
        const works = eventually(Effect.map(Effect.result(backend.read("k")), (result) => result._tag === "Success"))
        const connection = Effect.promise(
          async () => /id=(\d+) .*name=effect-cache /.exec(String(await client.client("LIST")))?.[1]
        )
        const freeze = Effect.gen(function*() {
          yield* server.pause
          assert.strictEqual(yield* reasonOf(backend.read("k")), "TimedOut")
          yield* server.resume
        })
        yield* works
        const before = yield* connection
        assert.isDefined(before)
        yield* freeze
        yield* works
        // A minute goes by.
        const now = performance.now.bind(performance)
        const later = vi.spyOn(performance, "now").mockImplementation(() => now() + 60_000)
        yield* Effect.addFinalizer(() => Effect.sync(() => later.mockRestore()))
        yield* freeze
        yield* works
        assert.strictEqual(yield* connection, before)
      })
    )
  )

  it.effect("a connection that went silent is given up", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const proxy = yield* TcpProxy.scoped({ port: server.port })
        const { backend } = yield* makeRedisPrimitives({
          port: proxy.port,
          namespace: fresh(),
          timeout: 50,
          connectTimeout: 200
        })
        // The deadline is short, and this host may be busy.
        yield* eventually(
          Effect.map(Effect.result(plant(backend, "k", write(backend, 1))), (r) => r._tag === "Success")
        )
        proxy.blackhole(true)
        yield* eventually(Effect.map(reasonOf(backend.read("k")), (reason) => reason === "Unavailable"))
        // The next connection gets as far as its handshake, which is swallowed; it must be given up too.
        proxy.reset()
        yield* eventually(Effect.sync(() => proxy.bytes() > 0))
        proxy.blackhole(false)
        yield* eventually(Effect.map(Effect.result(backend.read("k")), (result) => result._tag === "Success"))
      })
    )
  )

  it.effect("the first commands wait for the connect; with nobody there they fail, and the layer does not", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* sharedServer
        const logs = captureLogs()
        const { backend } = yield* makeRedisPrimitives({ url: server.url, namespace: fresh() })
        assert.isUndefined(yield* backend.read("k"))
        const nobody = yield* RedisServer.scoped()
        yield* nobody.stop
        const away = yield* Effect.provide(
          makeRedisPrimitives({ url: nobody.url.replace("//", "//user:hush@"), timeout: "20 seconds" }),
          logs.layer
        )
        const error = yield* Effect.flip(away.backend.read("k"))
        assert.strictEqual(error.reason._tag, "Unavailable")
        assert.include(error.message, `127.0.0.1:${nobody.port}`)
        assert.strictEqual(logs.lines.length, 1)
        assert.notInclude(inspect(error, { depth: 10 }) + logs.lines.join(), "hush")
        yield* nobody.start
        yield* nobody.raw("ACL", "SETUSER", "user", "on", ">hush", "~*", "+@all")
        yield* eventually(Effect.map(Effect.result(away.backend.read("k")), (result) => result._tag === "Success"))
      })
    )
  )
})
